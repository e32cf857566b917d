/** What a place adds to sounds: its echo, and the microphone's own hiss between them. */
import { SAMPLE_RATE } from "../../../service/contract/media.ts";
import type { Random } from "../random.ts";
import { SILENCE_BELOW } from "../script.ts";
import { gainOf, white } from "./sound-filters.ts";

/** One way round the walls: so many samples later, so much softer. */
interface Reflection {
  readonly delay: number;
  readonly gain: number;
}
export type Echo = readonly Reflection[];

/** Ms that an echo goes on after its sound. */
export const LONGEST_ECHO = 250;

/** Ways of 2 to 60 m, dying away within 0.1 to 0.25 s; `strength` 0 is none, 1 a bare room's. */
export function echoOf(random: Random, strength: number): Echo {
  const share = strength * random.between(0, 0.5);
  if (share < 0.03) return [];
  const fall = random.between(100, LONGEST_ECHO) / 3;
  const delays = Array.from(
    { length: random.whole(5, 9) },
    () => 6 + (LONGEST_ECHO - 7) * random.next() ** 2,
  );
  return delays.map((ms) => ({
    delay: Math.floor((ms * SAMPLE_RATE) / 1000),
    gain: share * Math.exp(-ms / fall) * random.pick([-1, 1]),
  }));
}

/** The sound with its echo, longer than it by LONGEST_ECHO where there is one. Walls dull what they give back. */
export function echoing(samples: Float32Array, echo: Echo): Float32Array {
  if (echo.length === 0) return samples;
  const heard = new Float32Array(samples.length + (LONGEST_ECHO * SAMPLE_RATE) / 1000);
  heard.set(samples);
  const dull = samples.slice();
  for (let i = 1; i < dull.length; i += 1) dull[i] = 0.5 * (dull[i] ?? 0) + 0.5 * (dull[i - 1] ?? 0);
  for (const { delay, gain } of echo)
    for (let i = 0; i < dull.length; i += 1)
      heard[i + delay] = (heard[i + delay] ?? 0) + gain * (dull[i] ?? 0);
  return heard;
}

/** The level of the microphone's hiss, dBFS, always silence (script.ts); undefined where there is not a trace. */
export function hissLevel(random: Random): number | undefined {
  return random.chance(0.3) ? undefined : random.between(-90, SILENCE_BELOW - 3);
}

export function hiss(length: number, level: number | undefined, random: Random): Float32Array {
  if (level === undefined) return new Float32Array(length);
  const gain = gainOf(level);
  const samples = white(length, random);
  for (let i = 0; i < length; i += 1) samples[i] = (samples[i] ?? 0) * gain;
  return samples;
}
