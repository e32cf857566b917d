/** What sounds are made with: white noise, filters and levels. Filters work in place, at 16 kHz. */
import { SAMPLE_RATE } from "../../../service/contract/media.ts";
import type { Random } from "../random.ts";

/**
 * White noise of deviation 1: of a triangular distribution, which filters make a normal one.
 * Source: xorshift32, G. Marsaglia, "Xorshift RNGs" (2003), some ten times as fast as Random.
 */
export function white(length: number, random: Random): Float32Array {
  let state = Math.floor(random.next() * 0xfffffffe) + 1;
  // Two halves of 16 bits, each of deviation 65536 / sqrt(12).
  const scale = Math.sqrt(6) / 65536;
  const samples = new Float32Array(length);
  for (let i = 0; i < length; i += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    samples[i] = ((state & 0xffff) + (state >>> 16) - 65535) * scale;
  }
  return samples;
}

export type Filter = "low" | "high" | "band" | "shelf";

/**
 * A filter of second order. `hz` is the corner or middle, `q` its sharpness; of a shelf `gain` is what it
 * does above `hz`, dB. Source: R. Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter
 * coefficients".
 */
export function filter(
  samples: Float32Array,
  kind: Filter,
  hz: number,
  q = Math.SQRT1_2,
  gain = 0,
): Float32Array {
  const [b0, b1, b2, a0, a1, a2] = coefficients(kind, (2 * Math.PI * hz) / SAMPLE_RATE, q, gain);
  const [p0, p1, p2, q1, q2] = [b0 / a0, b1 / a0, b2 / a0, a1 / a0, a2 / a0];
  let s1 = 0;
  let s2 = 0;
  for (let i = 0; i < samples.length; i += 1) {
    const x = samples[i] ?? 0;
    const y = p0 * x + s1;
    s1 = p1 * x - q1 * y + s2;
    s2 = p2 * x - q2 * y;
    samples[i] = y;
  }
  return samples;
}

type Coefficients = [number, number, number, number, number, number];

function coefficients(kind: Filter, turn: number, q: number, gain: number): Coefficients {
  const cos = Math.cos(turn);
  const alpha = Math.sin(turn) / (2 * q);
  const poles = [1 + alpha, -2 * cos, 1 - alpha] as const;
  switch (kind) {
    case "low":
      return [(1 - cos) / 2, 1 - cos, (1 - cos) / 2, ...poles];
    case "high":
      return [(1 + cos) / 2, -1 - cos, (1 + cos) / 2, ...poles];
    case "band":
      return [alpha, 0, -alpha, ...poles];
    case "shelf": {
      const a = 10 ** (gain / 40);
      const root = 2 * Math.sqrt(a) * alpha;
      return [
        a * (a + 1 + (a - 1) * cos + root),
        -2 * a * (a - 1 + (a + 1) * cos),
        a * (a + 1 + (a - 1) * cos - root),
        a + 1 - (a - 1) * cos + root,
        2 * (a - 1 - (a + 1) * cos),
        a + 1 - (a - 1) * cos - root,
      ];
    }
  }
}

/** dBFS of a root mean square, full scale being 1. */
export const dbOf = (rms: number): number => 20 * Math.log10(rms + 1e-9);
export const gainOf = (db: number): number => 10 ** (db / 20);

/** Root mean square of samples from <= i < to. */
export function rms(samples: ArrayLike<number>, from = 0, to = samples.length): number {
  let sum = 0;
  for (let i = from; i < to; i += 1) sum += (samples[i] ?? 0) ** 2;
  return Math.sqrt(sum / Math.max(1, to - from));
}

const WINDOW = SAMPLE_RATE / 10;
const STEP = WINDOW / 4;

/** Root mean square of the loudest 100 ms: what script.ts calls a level, before it is in dBFS. */
export function loudest(samples: ArrayLike<number>): number {
  const steps = Array.from({ length: Math.ceil(samples.length / STEP) }, (_, k) => {
    const [from, to] = [k * STEP, Math.min(samples.length, (k + 1) * STEP)];
    return rms(samples, from, to) ** 2 * (to - from);
  });
  const window = Math.min(WINDOW, samples.length);
  const powers = steps.map((_, k) => steps.slice(k, k + 4).reduce((sum, power) => sum + power, 0) / window);
  return Math.sqrt(Math.max(0, ...powers));
}

/** Multiplies samples so that their level is `db`, dBFS. */
export function leveled(samples: Float32Array, db: number): Float32Array {
  const gain = gainOf(db) / (loudest(samples) || 1);
  for (let i = 0; i < samples.length; i += 1) samples[i] = (samples[i] ?? 0) * gain;
  return samples;
}

/** Rises over the first `ms` and falls over the last, so that nothing clicks. */
export function faded(samples: Float32Array, ms: number): Float32Array {
  const length = Math.min((ms * SAMPLE_RATE) / 1000, samples.length / 2);
  for (let i = 0; i < length; i += 1) {
    const last = samples.length - 1 - i;
    samples[i] = ((samples[i] ?? 0) * i) / length;
    samples[last] = ((samples[last] ?? 0) * i) / length;
  }
  return samples;
}

/** Adds `samples` to `onto`, the first of them at index `at`, which may lie outside. */
export function mix(onto: Float32Array, samples: Float32Array, at: number): void {
  const from = Math.max(0, -at);
  const to = Math.min(samples.length, onto.length - at);
  for (let i = from; i < to; i += 1) onto[at + i] = (onto[at + i] ?? 0) + (samples[i] ?? 0);
}

export function to16Bit(samples: Float32Array): Int16Array {
  const rounded = new Int16Array(samples.length);
  for (let i = 0; i < samples.length; i += 1)
    rounded[i] = Math.round(Math.max(-1, Math.min(1, samples[i] ?? 0)) * 32767);
  return rounded;
}

/** So many samples, each of its index; several times as fast as Float32Array.from. */
export function made(length: number, sample: (i: number) => number): Float32Array {
  const samples = new Float32Array(length);
  for (let i = 0; i < length; i += 1) samples[i] = sample(i);
  return samples;
}
