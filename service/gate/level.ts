import type { SoundGate } from "../contract/config-feeds.ts";
import type { Detector } from "./clip-cutter.ts";

/** dB that the background estimate may rise or fall with each 20 ms frame: up slowly, down fast. */
const RISE = 0.02;
const FALL = 0.5;
const SILENCE = -100;

/**
 * Sound above the background: louder than `floor`, and by `above` dB louder than what has been there.
 * The background follows the level, faster down than up, so that a machine that starts is a sound for
 * a while and then belongs to the room.
 */
export function levelDetector({ above, floor }: Pick<SoundGate, "above" | "floor">): Detector {
  let background: number | undefined;
  return (frame) => {
    const level = loudness(frame);
    background ??= Math.min(level, floor);
    const loud = level >= floor && level >= background + above;
    background += Math.max(-FALL, Math.min(RISE, level - background));
    // Further down it would change nothing now, and only make the way up longer after a digital silence.
    background = Math.max(background, floor - above);
    return loud;
  };
}

/** Root mean square of a frame in dB below full scale; -100 where there is nothing. */
export function loudness(frame: Int16Array): number {
  let sum = 0;
  for (const sample of frame) sum += sample * sample;
  const rms = Math.sqrt(sum / Math.max(1, frame.length)) / 32768;
  return rms > 0 ? Math.max(SILENCE, 20 * Math.log10(rms)) : SILENCE;
}
