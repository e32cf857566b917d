import { SAMPLE_RATE } from "../contract/media.ts";

/** A step of the capture times above this is a gap in the sound, ms. */
const GAP = 1000;

/** Ms that so many samples last. */
export const lengthOf = (samples: number): number => (samples * 1000) / SAMPLE_RATE;

/** Whether a sound that begins at `at` goes on from one that ended at `expected`, but for the clock's drift. */
export const follows = (at: number, expected: number): boolean => Math.abs(at - expected) <= GAP;

export function joined(pieces: readonly Int16Array[]): Int16Array {
  const whole = new Int16Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
