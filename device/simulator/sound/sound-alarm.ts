/** Alarms, made up anew each time: loud pure tones of 500 to 2,800 Hz that beat, alternate, sweep or ring. */
import { SAMPLE_RATE } from "../../../service/contract/media.ts";
import type { Random } from "../random.ts";
import { made } from "./sound-filters.ts";
import type { Recipes } from "./sound-noise.ts";

/** What sounds at a moment of the alarm's period, `at` from 0 to 1: how loud, and at what pitch, Hz. */
interface Pattern {
  /** Seconds; pauses are at most 0.3, so that no gate takes one for the end. */
  readonly period: number;
  readonly pitch: (at: number) => number;
  readonly gain: (at: number) => number;
}

/** So many samples of an alarm, of any level. */
export function alarm(length: number, random: Random, recipes: Recipes): Float32Array {
  const { period, pitch, gain } = random.pick(PATTERNS[recipes])(random);
  const wave = random.pick(WAVES);
  const begin = random.next();
  const step = 1 / (period * SAMPLE_RATE);
  let phase = random.next();
  let loud = 0;
  return made(length, (i) => {
    const at = (begin + i * step) % 1;
    phase = (phase + pitch(at) / SAMPLE_RATE) % 1;
    // Within 2 ms or so: a loudspeaker neither starts nor stops at once.
    loud += 0.03 * (gain(at) - loud);
    return loud * wave(phase);
  });
}

/** Of a phase from 0 to 1; the square and the triangle without the harmonics that 16 kHz cannot hold well. */
const WAVES = [
  (phase: number) => Math.sin(2 * Math.PI * phase),
  (phase: number) => Math.tanh(4 * Math.sin(2 * Math.PI * phase)),
  (phase: number) => 4 * Math.abs(phase - 0.5) - 1,
] as const;

const PATTERNS: Record<Recipes, readonly [(random: Random) => Pattern, ...((random: Random) => Pattern)[]]> =
  {
    train: [beeps, twoTones, sweep, bell],
    "held-out": [falling, warble, triple],
  };

function beeps(random: Random): Pattern {
  const hz = random.between(500, 2800);
  const period = random.between(0.12, 0.7);
  const on = Math.max(1 - 0.3 / period, random.between(0.4, 0.9));
  return { period, pitch: () => hz, gain: (at) => (at < on ? 1 : 0) };
}

function twoTones(random: Random): Pattern {
  const first = random.between(500, 1900);
  const second = first * random.pick([1.19, 1.25, 1.33, 1.5, 0.8]);
  return { period: random.between(0.2, 1.2), pitch: (at) => (at < 0.5 ? first : second), gain: () => 1 };
}

/** Rises and begins again, as a yelp, or rises and falls. */
function sweep(random: Random): Pattern {
  const low = random.between(500, 1100);
  const high = low * random.between(1.6, 2.4);
  const back = random.chance(0.5);
  const rise = (at: number) => (back ? 1 - Math.abs(2 * at - 1) : at);
  return {
    period: random.between(0.2, 1.2),
    pitch: (at) => low + (high - low) * rise(at),
    gain: () => 1,
  };
}

/** Struck again and again. */
function bell(random: Random): Pattern {
  const hz = random.between(700, 2600);
  const fall = random.between(1, 3);
  return { period: random.between(0.1, 0.5), pitch: () => hz, gain: (at) => Math.exp(-fall * at) };
}

/** As a siren that falls, with a short pause. */
function falling(random: Random): Pattern {
  const high = random.between(1300, 2600);
  const low = high * random.between(0.4, 0.6);
  const period = random.between(0.4, 0.9);
  return { period, pitch: (at) => high + (low - high) * at, gain: (at) => (at < 0.85 ? 1 : 0) };
}

function warble(random: Random): Pattern {
  const hz = random.between(800, 2200);
  const depth = random.between(0.05, 0.15);
  const period = 1 / random.between(5, 12);
  return { period, pitch: (at) => hz * (1 + depth * Math.sin(2 * Math.PI * at)), gain: () => 1 };
}

/** Three beeps and a pause. */
function triple(random: Random): Pattern {
  const hz = random.between(600, 2500);
  const period = random.between(0.5, 0.9);
  return { period, pitch: () => hz, gain: (at) => (at < 0.7 && (at * 4.3) % 1 < 0.65 ? 1 : 0) };
}
