import type { Governor } from "../contract/config-governor.ts";
import type { Rung } from "../contract/decision.ts";
import type { Memory } from "../contract/readings.ts";
import { answersAt, loadAt, powerOf } from "./forecast.ts";
import { roomFor, waitsFor } from "./memory.ts";
import { binds } from "./pace.ts";
import type { PolicyState } from "./state.ts";

/** A lower level is worth a swap if it gives this much more. */
const WORTH = 1.05;
/** As many as are wanted: this share of them. */
const ENOUGH = 0.97;
/** Heat is what holds the pace back where less room than this is left, K. */
const TIGHT = 3;
/** A better level is taken if it would stay this much further under the limit than it has to, K. */
const SPARE = 1;
/** Heat that follows a step up within this time shows it to have been too early, ms. */
const TOO_EARLY = 1_800_000;
/** The next one then waits twice as long, up to this many times. */
const LONGEST_WAIT = 24;

/** Rungs that the planner and earlier failures allow, best first. */
export function usable(
  rungs: readonly Rung[],
  state: PolicyState,
  memories: readonly Memory[],
  now: number,
): Rung[] {
  const waiting = new Set(
    state.unfit.filter((entry) => waitsFor(entry, memories, now) !== null).map(({ level }) => level),
  );
  return rungs.filter(({ level, fits }) => fits && !waiting.has(level)).sort((a, b) => a.rank - b.rank);
}

/** The best of these that memory has room for. */
export const bestOf = (
  rungs: readonly Rung[],
  memories: readonly Memory[],
  limits: Governor,
  better = false,
): Rung | undefined => rungs.find((rung) => roomFor(rung, memories, limits, better));

/** Answers a second that are given, and that are wanted, relative to the best level at full pace. */
export function answersOf(state: PolicyState, rung: Rung): { given: number; wanted: number } {
  const given = rung.speed * (state.pacing.duty ?? 0);
  // Held back, nobody can tell how many more would have been asked: as many as the best level answers.
  return { given, wanted: Math.min(1, binds(state.pacing) ? 1 : given) };
}

/** Whether heat leaves too few answers now. */
export function fallsShort(state: PolicyState, rung: Rung, limits: Governor): boolean {
  const { pacing } = state;
  const enough = limits.low * Math.min(1, rung.speed);
  return (
    (pacing.room ?? TIGHT) < TIGHT &&
    binds(pacing) &&
    pacing.allowed < 1 &&
    rung.speed * pacing.allowed < enough
  );
}

/**
 * The level that gives more answers for the heat that the running one may give off: the best one below it that
 * gives as many as are wanted, otherwise the one that gives the most; undefined where none gives more.
 */
export function thriftier(
  rungs: readonly Rung[],
  now: Rung,
  state: PolicyState,
  memories: readonly Memory[],
  limits: Governor,
): Rung | undefined {
  const load = state.pacing.allowed * powerOf(now);
  const candidates = rungs
    .filter(({ rank, energy }) => rank > now.rank && energy < now.energy)
    .filter((rung) => roomFor(rung, memories, limits, false))
    .filter((rung) => answersAt(rung, load) > WORTH * answersAt(now, load));
  const most = Math.max(...candidates.map((rung) => answersAt(rung, load)));
  return candidates.find((rung) => answersAt(rung, load) >= ENOUGH * Math.min(1, most));
}

/** The best level above the running one whose heat would still fit, for as many answers as have been wanted. */
export function better(
  rungs: readonly Rung[],
  now: Rung,
  state: PolicyState,
  memories: readonly Memory[],
  limits: Governor,
  sees: boolean,
): Rung | undefined {
  const { forecast, pacing, fell } = state;
  const above = rungs.filter(({ rank }) => rank < now.rank);
  // A level that heat took stays away while heat cannot be seen; one that memory took does not.
  if (!sees) return fell === "heat" ? undefined : bestOf(above, memories, limits, true);
  const setpoint = (forecast.warmth ?? 0) + (pacing.room ?? 0);
  const load = loadAt(forecast, setpoint - SPARE);
  return above.find(
    (rung) =>
      roomFor(rung, memories, limits, true) && answersAt(rung, load) >= Math.min(forecast.peak, rung.speed),
  );
}

/** How many times as long as at first a step up has to wait: longer each time that heat undid the last one. */
export const climbWait = ({ climb }: PolicyState, now: number): number =>
  now - climb.at < TOO_EARLY * climb.wait ? climb.wait : 1;

/** What is remembered of the last step up, after a step down for heat. */
export const afterFall = (state: PolicyState, now: number): PolicyState["climb"] =>
  now - state.climb.at < TOO_EARLY
    ? { at: state.climb.at, wait: Math.min(LONGEST_WAIT, 2 * state.climb.wait) }
    : state.climb;
