/**
 * Noises, made up anew each time. Each recipe decides its own shape from `random`; a class keeps to its
 * bounds: a hum has most of its power below 2 kHz or is plainly white and wavers slowly, a hiss has next to
 * nothing below 2.5 kHz, a grinding rattles 8 to 40 times a second, by more than half.
 */
import { SAMPLE_RATE } from "../../../service/contract/media.ts";
import type { Random } from "../random.ts";
import type { Noise } from "../world.ts";
import { filter, gainOf, made, mix, rms, white } from "./sound-filters.ts";

/** Those that the small model is trained with, or those that it never is. */
export type Recipes = "train" | "held-out";

type Recipe = (length: number, random: Random) => Float32Array;

/** So many samples of a noise, of any level. */
export function noise(kind: Noise, length: number, random: Random, recipes: Recipes): Float32Array {
  return filter(random.pick(RECIPES[recipes][kind])(length, random), "high", 30);
}

const RECIPES: Record<Recipes, Record<Noise, readonly [Recipe, ...Recipe[]]>> = {
  train: {
    hum: [plain, coloured, coloured, mains, fan, murmur],
    hiss: [jet, jet, bursts],
    grinding: [teeth, rasp, scrape],
  },
  "held-out": { hum: [duct, engine, compressor], hiss: [leak, flutter], grinding: [gravel, chatter] },
};

/** White noise, a little darker or not. */
function plain(length: number, random: Random): Float32Array {
  return filter(white(length, random), "shelf", random.between(1000, 3000), 0.5, random.between(-8, 0));
}

/** Falls by 3 to 15 dB an octave in one or two steps. */
function coloured(length: number, random: Random): Float32Array {
  const samples = filter(
    white(length, random),
    "shelf",
    random.between(150, 500),
    0.5,
    random.between(-22, -6),
  );
  filter(samples, "shelf", random.between(800, 3000), 0.5, random.between(-18, -2));
  return wavering(samples, random.between(0.2, 2), random.between(0, 0.25), random);
}

/** Harmonics of the mains over some noise. */
function mains(length: number, random: Random): Float32Array {
  const base = random.pick([50, 60, 100, 120]) * random.between(0.99, 1.01);
  const strengths = Array.from(
    { length: random.whole(2, 8) },
    (_, k) => random.between(0.1, 1) / (1 + 0.4 * k),
  );
  const dark = filter(white(length, random), "low", random.between(300, 1500));
  return added(harmonics(length, base, strengths, random), dark, random.between(0.1, 0.8));
}

/** Air that a fan moves, and the tone of its blades. */
function fan(length: number, random: Random): Float32Array {
  const air = filter(white(length, random), "low", random.between(400, 2500), 0.6);
  wavering(air, random.between(0.5, 6), random.between(0.05, 0.3), random);
  const blades = harmonics(length, random.between(80, 260), [1, random.between(0.1, 0.7), 0.2], random);
  return added(air, blades, random.between(0.2, 1.5));
}

/** Many people far away: bands of speech, each swelling for itself. */
function murmur(length: number, random: Random): Float32Array {
  const sum = new Float32Array(length);
  for (let voice = 0; voice < 3; voice += 1) {
    const band = filter(white(length, random), "band", random.between(180, 1100), random.between(1, 3));
    mix(sum, wavering(band, random.between(1.5, 5), random.between(0.2, 0.5), random), 0);
  }
  return added(sum, filter(white(length, random), "low", 250), random.between(0.2, 0.8));
}

/** Air through a shaft that resounds. */
function duct(length: number, random: Random): Float32Array {
  const air = filter(white(length, random), "band", random.between(120, 350), 0.8);
  const shaft = filter(white(length, random), "band", random.between(400, 900), random.between(4, 9));
  return added(air, shaft, random.between(0.2, 0.8));
}

/** A saw of 65 to 115 Hz, muffled. */
function engine(length: number, random: Random): Float32Array {
  const step = random.between(65, 115) / SAMPLE_RATE;
  const saw = made(length, (i) => 2 * ((i * step) % 1) - 1);
  filter(saw, "low", random.between(250, 700));
  return added(saw, filter(white(length, random), "low", 600), random.between(0.1, 0.4));
}

/** A low rumble that throbs. */
function compressor(length: number, random: Random): Float32Array {
  const rumble = filter(white(length, random), "low", random.between(150, 400));
  return wavering(rumble, random.between(1, 2.5), random.between(0.3, 0.5), random);
}

/** Steady. */
function jet(length: number, random: Random): Float32Array {
  const samples = highPassed(white(length, random), random.between(3000, 4800));
  if (random.chance(0.4)) filter(samples, "low", random.between(5500, 7500));
  return samples;
}

/** Comes in puffs and never stops between them. */
function bursts(length: number, random: Random): Float32Array {
  const samples = highPassed(white(length, random), random.between(3000, 4500));
  const period = random.between(0.15, 0.6) * SAMPLE_RATE;
  const share = random.between(0.3, 0.8);
  const low = gainOf(random.between(-12, -5));
  const begin = random.between(0, period);
  let gain = low;
  return samples.map((value, i) => {
    gain += 0.01 * (((i + begin) % period < share * period ? 1 : low) - gain);
    return value * gain;
  });
}

/** A whistle of wind, sharp about one pitch. */
function leak(length: number, random: Random): Float32Array {
  const whistle = filter(white(length, random), "band", random.between(4800, 6800), random.between(2, 5));
  return added(highPassed(white(length, random), 3800), highPassed(whistle, 3500), random.between(0.5, 1.5));
}

/** Wavers without a beat. */
function flutter(length: number, random: Random): Float32Array {
  const samples = highPassed(white(length, random), random.between(3800, 5200));
  const path = filter(white(length, random), "low", random.between(4, 9));
  const scale = 0.5 / (rms(path) || 1);
  return samples.map((value, i) => value * Math.max(0.3, Math.min(2, 1 + (path[i] ?? 0) * scale)));
}

/** Teeth that catch one after another. */
function teeth(length: number, random: Random): Float32Array {
  const grain = filter(white(length, random), "band", random.between(500, 2200), random.between(0.5, 1.2));
  return struck(grain, beats(length, random.between(8, 32), 0.15, random), random.between(5, 14), random);
}

/** A rough edge in a turning wheel. */
function rasp(length: number, random: Random): Float32Array {
  const grain = filter(white(length, random), "band", random.between(350, 1800), random.between(0.4, 1));
  const step = (Math.PI * random.between(9, 40)) / SAMPLE_RATE;
  const power = random.between(2, 5);
  const begin = random.between(0, 3);
  for (let i = 0; i < length; i += 1)
    grain[i] = (grain[i] ?? 0) * (0.08 + Math.abs(Math.sin(begin + i * step)) ** power);
  return added(grain, filter(white(length, random), "low", 200), random.between(0, 0.12));
}

/** Comes and goes at once. */
function scrape(length: number, random: Random): Float32Array {
  const grain = filter(white(length, random), "band", random.between(700, 2500), random.between(0.5, 2));
  const period = SAMPLE_RATE / random.between(8, 30);
  const share = random.between(0.35, 0.6);
  let gain = 0;
  return grain.map((value, i) => {
    gain += 0.02 * ((i % period < share * period ? 1 : 0.1) - gain);
    return value * gain;
  });
}

/** Stones that strike metal, without a beat. */
function gravel(length: number, random: Random): Float32Array {
  const grain = filter(white(length, random), "band", random.between(800, 1800), 0.7);
  const stones = struck(
    grain,
    beats(length, random.between(16, 30), 0.45, random),
    random.between(5, 10),
    random,
  );
  const metal = filter(stones.slice(), "band", random.between(900, 2400), 8);
  return added(stones, metal, random.between(0.3, 1));
}

/** Two strokes, a pause. */
function chatter(length: number, random: Random): Float32Array {
  const grain = filter(white(length, random), "band", random.between(500, 1600), 0.9);
  const first = beats(length, random.between(8, 13), 0.05, random);
  const gap = random.between(0.022, 0.035) * SAMPLE_RATE;
  const strokes = first.flatMap((at) => [at, Math.floor(at + gap)]);
  return struck(grain, strokes, random.between(6, 10), random);
}

/** Of fourth order: nothing is left two octaves below. */
function highPassed(samples: Float32Array, hz: number): Float32Array {
  return filter(filter(samples, "high", hz, 0.54), "high", hz, 1.31);
}

/** Louder and softer by a share `depth`, `hz` times a second. */
function wavering(samples: Float32Array, hz: number, depth: number, random: Random): Float32Array {
  const begin = random.between(0, 2 * Math.PI);
  const step = (2 * Math.PI * hz) / SAMPLE_RATE;
  for (let i = 0; i < samples.length; i += 1)
    samples[i] = (samples[i] ?? 0) * (1 + depth * Math.sin(begin + i * step));
  return samples;
}

/** Sines at 1, 2, 3 ... times a frequency. One period in a table: a mains hum repeats itself. */
function harmonics(length: number, base: number, strengths: readonly number[], random: Random): Float32Array {
  const phases = strengths.map(() => random.between(0, 2 * Math.PI));
  const table = made(2048, (i) =>
    strengths.reduce(
      (sum, s, k) => sum + s * Math.sin((k + 1) * ((i * Math.PI) / 1024) + (phases[k] ?? 0)),
      0,
    ),
  );
  const step = (base * 2048) / SAMPLE_RATE;
  return made(length, (i) => table[Math.floor(i * step) & 2047] ?? 0);
}

/** Adds `other` at `share` times the level of `samples`. */
function added(samples: Float32Array, other: Float32Array, share: number): Float32Array {
  const gain = (share * rms(samples)) / (rms(other) || 1);
  for (let i = 0; i < samples.length; i += 1) samples[i] = (samples[i] ?? 0) + gain * (other[i] ?? 0);
  return samples;
}

/** Moments, in samples, `hz` times a second; each early or late by up to a share of the period. */
function beats(length: number, hz: number, jitter: number, random: Random): number[] {
  const period = SAMPLE_RATE / hz;
  const begin = random.between(-1, 0);
  return Array.from({ length: Math.ceil(length / period) + 2 }, (_, k) =>
    Math.floor((begin + k + random.around(jitter)) * period),
  );
}

/** Lets a sound through at each stroke, dying away to a third within `ms`; a little of it all the time. */
function struck(grain: Float32Array, strokes: readonly number[], ms: number, random: Random): Float32Array {
  const fall = Math.exp(-1000 / (ms * SAMPLE_RATE));
  const gains = new Float32Array(grain.length);
  for (const at of strokes) if (at >= 0 && at < gains.length) gains[at] = random.between(0.6, 1);
  let gain = 0;
  for (let i = 0; i < grain.length; i += 1) {
    gain = Math.max(gain * fall, gains[i] ?? 0);
    grain[i] = (grain[i] ?? 0) * (gain + 0.04);
  }
  return grain;
}
