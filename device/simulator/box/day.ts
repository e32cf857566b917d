import { Random } from "../random.ts";
import type { Surroundings } from "./box.ts";
import type { BoxPreset } from "./preset.ts";

/** What happens around a box, second by second. */
export interface Day {
  readonly seconds: number;
  around(second: number): Surroundings;
  /** Questions a second that the cell asks, relative to what the best rung answers at full pace. */
  demand(second: number): number;
}

export interface Weather {
  /** Kelvin that the air differs from the preset's. */
  readonly warmer?: number;
  /** Whether other programs have bursts, and take memory for a while. */
  readonly bursts?: boolean;
  readonly grabs?: boolean;
}

const HOUR = 3600;

/**
 * A day of varied air, other work, questions and memory taken: air follows the sun with clouds and draughts,
 * the others are quiet with bursts of 10 s to 10 min, questions come in shifts with lulls, rushes and shift
 * ends, and now and then another program takes up to a third of the model's pool for some minutes.
 */
export function dayOf(preset: BoxPreset, seed: number, seconds = 24 * HOUR, weather: Weather = {}): Day {
  const { warmer = 0, bursts = true, grabs = true } = weather;
  const random = (what: string) => new Random(preset.id, seed, what);
  const air = airOf(preset, random("air"), seconds, warmer);
  const others = spells(random("others"), seconds, {
    rest: [30, 1500],
    spell: [10, 600],
    low: 0.08,
    high: bursts ? [0.4, 1] : [0.08, 0.08],
  });
  const demand = spells(random("demand"), seconds, {
    rest: [300, 1.5 * HOUR],
    spell: [120, 2 * HOUR],
    low: 0.3,
    high: [0.5, 1],
  });
  const taken = takenOf(preset, random("memory"), seconds, grabs);
  return {
    seconds,
    around: (second) => ({
      air: air[second] ?? preset.air.coolest,
      others: others[second] ?? 0,
      taken: taken[second] ?? 0,
    }),
    demand: (second) => demand[second] ?? 0,
  };
}

function airOf(preset: BoxPreset, random: Random, seconds: number, warmer: number): Float64Array {
  const { coolest, hottest } = preset.air;
  const top = warmer + coolest + (hottest - coolest) * random.between(0.75, 1);
  const phase = random.between(-2, 2) * HOUR;
  const air = new Float64Array(seconds);
  let cloud = 0;
  let wanted = 0;
  for (let t = 0; t < seconds; t += 1) {
    if (random.chance(1 / 1200)) wanted = random.around(3);
    cloud += (wanted - cloud) / 300;
    const sun = 0.5 - 0.5 * Math.cos((2 * Math.PI * (t + phase - 3 * HOUR)) / (24 * HOUR));
    air[t] = coolest + warmer + (top - coolest - warmer) * sun + cloud;
  }
  return air;
}

interface Spells {
  /** How long it rests and how long a spell lasts, s. */
  readonly rest: readonly [number, number];
  readonly spell: readonly [number, number];
  readonly low: number;
  readonly high: readonly [number, number];
}

/** Low with a little noise, and in spells high; both change at once. */
function spells(random: Random, seconds: number, { rest, spell, low, high }: Spells): Float64Array {
  const row = new Float64Array(seconds);
  let t = 0;
  while (t < seconds) {
    for (const [span, level] of [
      [random.between(...rest), low * random.between(0.5, 1.5)],
      [random.between(...spell), random.between(...high)],
    ] as const) {
      const end = Math.min(seconds, t + Math.ceil(span));
      row.fill(level, t, end);
      t = end;
    }
  }
  return row;
}

/** How fast another program takes memory and gives it back, bytes a second. */
const GRABBING = 100e6;

function takenOf(preset: BoxPreset, random: Random, seconds: number, grabs: boolean): Float64Array {
  const row = new Float64Array(seconds);
  let wanted = 0;
  let until = random.between(0.5, 3) * HOUR;
  for (let t = 1; t < seconds; t += 1) {
    if (grabs && t >= until) {
      const was = wanted;
      wanted = was > 0 ? 0 : preset.memory.total * random.between(0.02, 0.35);
      until = t + (was > 0 ? random.between(0.5, 5) * HOUR : random.between(60, 1500));
    }
    const now = row[t - 1] ?? 0;
    row[t] = now + Math.max(-GRABBING, Math.min(GRABBING, wanted - now));
  }
  return row;
}
