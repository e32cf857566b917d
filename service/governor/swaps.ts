import type { Governor } from "../contract/config-governor.ts";
import type { PolicyState } from "./state.ts";

const HOUR = 3_600_000;
/** Swaps of an hour that only memory may use, so that there is one left when it has to fall. */
const KEPT_FOR_MEMORY = 2;

/** Whether a level may be taken because it would be better so. */
export function maySwap(state: PolicyState, now: number, { swaps, dwell }: Governor): boolean {
  return now - state.since >= dwell && lately(state, now) < Math.max(1, swaps - KEPT_FOR_MEMORY);
}

/** Whether a level may be taken because the one that runs cannot stay. */
export const maySwapAtOnce = (state: PolicyState, now: number, { swaps }: Governor): boolean =>
  lately(state, now) < swaps;

/** Whether taking this level would undo the last change before its time: A, B, A within the dwell time. */
export const undoes = (state: PolicyState, level: string | null, now: number, { dwell }: Governor): boolean =>
  level === state.previous && now - state.since < dwell;

/** When the next swap becomes possible, epoch ms. */
export function nextSwap(state: PolicyState, now: number, { swaps, dwell }: Governor): number {
  const most = Math.max(1, swaps - KEPT_FOR_MEMORY);
  const recent = state.swaps.filter((at) => now - at < HOUR);
  const budget = recent.length < most ? now : (recent[recent.length - most] ?? now) + HOUR;
  return Math.max(state.since + dwell, budget);
}

/** The state with another level. A pause loads nothing and is no swap. */
export function swapped(state: PolicyState, level: string | null, now: number): PolicyState {
  if (level === state.level) return state;
  const recent = state.swaps.filter((at) => now - at < HOUR);
  return {
    ...state,
    level,
    since: now,
    previous: state.level,
    swaps: level === null ? recent : [...recent, now],
    shortSince: null,
    roomSince: null,
  };
}

const lately = (state: PolicyState, now: number) => state.swaps.filter((at) => now - at < HOUR).length;
