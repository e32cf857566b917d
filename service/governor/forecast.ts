import type { Rung } from "../contract/decision.ts";

/** Heat of work reaches the sensors over minutes; noise is gone after one, s. */
const LOAD_TIME = 600;
const WARMTH_TIME = 60;
/** What was learned is forgotten in this time, s: the day's air changes. */
const WINDOW = 7200;
/** How much warmer a box is at full work than at rest, as a guess on the safe side, K. */
const GUESS = 60;
/** Weight of the guess beside what was learned, as a variance of the load. */
const DOUBT = 0.15 ** 2;
/** No box warms less, K. */
const LEAST = 5;
/** Most answers a second of late, which a better level would have to give too, are forgotten in this time, s. */
const PEAK_TIME = 1800;

/**
 * What is known of how the hottest zone warms with the model's work: moments of load and temperature.
 * Load: share of the time at work times the level's power; 1 is the best level at full pace.
 */
export interface Forecast {
  readonly weight: number;
  readonly heat: number;
  readonly celsius: number;
  readonly heats: number;
  readonly products: number;
  /** The load and the temperature, smoothed; null before the first. */
  readonly load: number | null;
  readonly warmth: number | null;
  /** Answers a second that are wanted, relative to the best level at full pace. */
  readonly peak: number;
}

/** Power of a level at full pace, relative to the best's. */
export const powerOf = ({ speed, energy }: Rung): number => speed * energy;

/** Answers a second of a level where the work may give off no more than `load`, relative to the best at full pace. */
export const answersAt = (rung: Rung, load: number): number =>
  rung.speed * (powerOf(rung) > load ? load / powerOf(rung) : 1);

/** Takes in what was done since the last call and how warm it is. */
export function learn(
  before: Forecast,
  celsius: number,
  rung: Rung,
  duty: number,
  wanted: number,
  dt: number,
): Forecast {
  const now = duty * powerOf(rung);
  const load = smooth(before.load, now, LOAD_TIME, dt);
  const warmth = smooth(before.warmth, celsius, WARMTH_TIME, dt);
  const keep = Math.exp(-dt / WINDOW);
  return {
    weight: keep * before.weight + dt,
    heat: keep * before.heat + dt * load,
    celsius: keep * before.celsius + dt * warmth,
    heats: keep * before.heats + dt * load * load,
    products: keep * before.products + dt * load * warmth,
    load,
    warmth,
    peak: Math.max(wanted, before.peak + (wanted - before.peak) * (dt / (PEAK_TIME + dt))),
  };
}

function smooth(before: number | null, now: number, time: number, dt: number): number {
  return before === null ? now : before + (now - before) * (dt / (time + dt));
}

/**
 * Load at which the hottest zone would settle at `celsius`: along a straight line through where it is now, whose
 * slope is that of what was seen, pulled to the guess while the load has hardly varied (ridge regression).
 */
export function loadAt(forecast: Forecast, celsius: number): number {
  const { weight, load, warmth } = forecast;
  if (weight === 0 || load === null || warmth === null) return 0;
  const meanLoad = forecast.heat / weight;
  const meanWarmth = forecast.celsius / weight;
  const variance = forecast.heats / weight - meanLoad ** 2;
  const covariance = forecast.products / weight - meanLoad * meanWarmth;
  const slope = Math.max(LEAST, (covariance + DOUBT * GUESS) / (variance + DOUBT));
  return Math.max(0, load + (celsius - warmth) / slope);
}
