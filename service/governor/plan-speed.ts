import { bytesRead, type Shape } from "./plan-shape.ts";

/** What of a level decides how long an answer takes. */
export interface Work {
  readonly shape: Shape;
  readonly slots: number;
  /** Most tokens that a picture takes. */
  readonly image: number;
  readonly gpu: boolean;
  /** Tokens a second that were measured of one request, null where none were. */
  readonly measured: number | null;
}

export interface Pace {
  /** Tokens a second of one request; null where the memory's bandwidth is not known. */
  readonly tokensPerSecond: number | null;
  /** Answers a second, of all slots together; only to be compared with other levels of the same box. */
  readonly answers: number;
}

/** A watch's usual answer: tokens written, and tokens of text read beside the picture. */
const WRITTEN = 30;
const TEXT = 150;
/** Share of the memory's bandwidth that decoding reaches. Source: device/simulator/box/preset.ts. */
const REACHED = 0.75;
/**
 * Arithmetic that a processor gives for each byte it reads from memory, FLOP: 2 x 12e9 a token of the prompt,
 * against 7e9 bytes a token written. On two x86 cores a token of the prompt took a third of a written one; of
 * Jetson Orin and laptop GPUs 98 to 130 follow from their data sheets, as in device/simulator/box/preset.ts.
 */
const BALANCE = { cpu: 10, gpu: 110 } as const;
/** What stands for the bandwidth where it is not known: only ratios are right then, bytes a second. */
const ANY_BANDWIDTH = 50e9;

/**
 * How fast a level answers, by the roofline: each token written reads all weights from memory, each token read
 * takes two operations a weight (S. Williams et al., Roofline, CACM 52(4), 2009). A smaller budget for pictures
 * shortens the prompt. Slots share the reading of the weights until arithmetic is what holds them back.
 * `bandwidth`: of the memory that the weights lie in, bytes a second; null where it is not known.
 */
export function paceOf({ shape, slots, image, gpu, measured }: Work, bandwidth: number | null): Pace {
  const bytes = bytesRead(shape);
  const known = measured !== null ? measured * bytes : bandwidth === null ? null : bandwidth * REACHED;
  const reached = known ?? ANY_BANDWIDTH * REACHED;
  const arithmetic = (2 * shape.weights) / (reached * (gpu ? BALANCE.gpu : BALANCE.cpu));
  const step = Math.max(bytes / reached, slots * arithmetic);
  const seconds = slots * (image + TEXT) * arithmetic + WRITTEN * step;
  return { tokensPerSecond: known === null ? null : known / bytes, answers: slots / seconds };
}

/** The bandwidth, bytes a second, that would explain what was measured; null without measurements. */
export function bandwidthBy(measured: readonly { shape: Shape; tokensPerSecond: number }[]): number | null {
  if (measured.length === 0) return null;
  const each = measured.map(({ shape, tokensPerSecond }) => tokensPerSecond * bytesRead(shape));
  return each.reduce((sum, bytes) => sum + bytes, 0) / each.length / REACHED;
}
