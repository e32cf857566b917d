import type { Governor } from "../contract/config-governor.ts";
import type { Manual, Reason, Rung } from "../contract/decision.ts";
import type { Readings } from "../contract/readings.ts";
import type { Forecast } from "./forecast.ts";
import type { ZoneTrack } from "./heat.ts";
import type { Unfit } from "./memory.ts";
import type { Pacing } from "./pace.ts";

/** What the policy is told each time; about every second. */
export interface PolicyInput {
  /** Epoch ms. */
  readonly now: number;
  readonly readings: Readings;
  /** The ladder on this box, best rung first. */
  readonly rungs: readonly Rung[];
  readonly limits: Governor;
  readonly manual: Manual | null;
  /** Share of the time since the last call in which the model worked; null or missing: as much as it might. */
  readonly worked?: number | null;
}

/** What the policy remembers from one call to the next. Plain data; only the policy reads it. */
export interface PolicyState {
  /** Level that was decided; null while nothing may run. */
  readonly level: string | null;
  /** When that was, epoch ms. */
  readonly since: number;
  /** Level before it. */
  readonly previous: string | null;
  /** Of the last call, epoch ms; null before the first. */
  readonly at: number | null;
  readonly zones: Readonly<Record<string, ZoneTrack>>;
  readonly pacing: Pacing;
  readonly forecast: Forecast;
  /** When models were taken within the last hour, epoch ms. */
  readonly swaps: readonly number[];
  /** Since when the answers have been too few for want of heat; null: they are not. */
  readonly shortSince: number | null;
  /** Since when a better level has been seen to fit; null: none does. */
  readonly roomSince: number | null;
  /** The last step up: heat that follows it too soon makes the next one wait longer. */
  readonly climb: { readonly at: number; readonly wait: number };
  readonly unfit: readonly Unfit[];
  /** Why the level fell the last time. */
  readonly fell: Reason | null;
  /** Level whose failure has left nothing running. */
  readonly fallen: string | null;
}

/** Of a service that has just started: nothing runs, and nothing is known of the box. */
export function initialState(now: number): PolicyState {
  return {
    level: null,
    since: now,
    previous: null,
    at: null,
    zones: {},
    pacing: { pace: 1, integral: 0.5, room: null, duty: null, allowed: 1, critical: false },
    forecast: { weight: 0, heat: 0, celsius: 0, heats: 0, products: 0, load: null, warmth: null, peak: 0 },
    swaps: [],
    shortSince: null,
    roomSince: null,
    climb: { at: Number.NEGATIVE_INFINITY, wait: 1 },
    unfit: [],
    fell: null,
    fallen: null,
  };
}

/** The same state where the clock has been set back: nothing waits for a time that was to come. */
export function rebased(state: PolicyState, now: number): PolicyState {
  if (state.at === null || now >= state.at) return state;
  const by = now - state.at;
  const moved = (at: number | null) => (at === null ? null : at + by);
  return {
    ...state,
    at: now,
    since: state.since + by,
    swaps: state.swaps.map((at) => at + by),
    shortSince: moved(state.shortSince),
    roomSince: moved(state.roomSince),
    climb: { ...state.climb, at: state.climb.at + by },
    unfit: state.unfit.map((entry) => ({ ...entry, at: entry.at + by })),
  };
}
