import type { Decision, Reason, Rung } from "../contract/decision.ts";
import { type Forecast, learn } from "./forecast.ts";
import { feelHeat, type Hottest } from "./heat.ts";
import { answersOf, usable } from "./ladder.ts";
import { chooseLevel } from "./level.ts";
import { activeManual, cappedPace } from "./manual.ts";
import { markUnfit } from "./memory.ts";
import { blindPace, holdPace, observeWork, type Pacing } from "./pace.ts";
import { type PolicyInput, type PolicyState, rebased } from "./state.ts";
import { swapped } from "./swaps.ts";
import { nextText, paceText } from "./words.ts";

export { initialState, type PolicyInput, type PolicyState } from "./state.ts";

/** Longest time that one call stands for, s: after a suspended night nothing is made up for. */
const LONGEST = 30;
/** Words with which the hardware says that it slows itself down because it is too hot. */
const TOO_HOT = /thermal|slowdown/i;

/**
 * What level shall run, and what share of the time it may work, by what the box measured of itself. Pure: the
 * same input and state give the same decision. Called about every second.
 */
export function decide(input: PolicyInput, last: PolicyState): { decision: Decision; state: PolicyState } {
  const { now, readings, limits } = input;
  const before = rebased(last, now);
  if (!limits.enabled) return off(input, before);

  const manual = activeManual(input.manual, now);
  const dt = before.at === null ? 0 : Math.min(LONGEST, (now - before.at) / 1000);
  const running = input.rungs.find(({ level }) => level === before.level);
  const worked = running ? (input.worked ?? before.pacing.pace) : 0;
  const { hottest, lost, zones } = feelHeat(readings.zones, before.zones, limits.margin, dt, worked);
  const throttled = readings.throttling.find((why) => TOO_HOT.test(why)) ?? null;
  const observed = observeWork(before.pacing, worked, dt);
  const pacing = hottest
    ? holdPace(observed, hottest, limits, throttled !== null, dt)
    : blindPace(observed, limits);
  const felt = { ...before, at: now, zones, pacing };
  const learned =
    hottest && running ? { ...felt, forecast: forecastOf(felt, running, hottest.celsius, dt) } : felt;

  const choice = chooseLevel(input, learned, manual, hottest !== null);
  const { state } = choice;
  const pace = state.level === null ? 0 : cappedPace(manual, pacing.pace);
  const seen = { hottest, lost, throttled };
  const reason = choice.reason ?? steadyReason(pacing, seen, pace < pacing.pace);
  // Where no level runs, the reason is the level's: how fast it might work says nothing.
  const fast = state.level === null && choice.text !== null ? null : paceText(reason, pace, seen, manual);
  const text = [choice.text, fast].filter((part) => part !== null).join(". ");
  const next = nextText(input, state, usable(input.rungs, state, readings.memories, now), manual);
  return { decision: { level: state.level, pace, reason, text, next }, state };
}

/** Tells the policy that a level could not be loaded, or died for want of memory, and what runs now instead. */
export function levelFailed(
  state: PolicyState,
  failure: {
    level: string;
    now: number;
    memories: PolicyInput["readings"]["memories"];
    running: string | null;
  },
): PolicyState {
  const { level, now, memories, running } = failure;
  const unfit = markUnfit(state.unfit, level, now, memories);
  const left = running === state.level ? state : { ...swapped(state, running, now), swaps: state.swaps };
  return { ...left, unfit, fallen: running === null ? level : null };
}

function forecastOf(state: PolicyState, running: Rung, celsius: number, dt: number): Forecast {
  const { wanted } = answersOf(state, running);
  return learn(state.forecast, celsius, running, state.pacing.duty ?? 0, wanted, dt);
}

interface Seen {
  readonly hottest: Hottest | null;
  readonly lost: readonly string[];
  readonly throttled: string | null;
}

function steadyReason(pacing: Pacing, { hottest, throttled }: Seen, capped: boolean): Reason {
  if (!hottest) return "no_sensors";
  if (throttled !== null) return "throttling";
  if (pacing.critical) return "critical";
  if (capped) return "manual";
  return pacing.pace < 1 ? "heat" : "steady";
}

/** Without a governor the best level that fits runs all the time, and stays. */
function off(input: PolicyInput, before: PolicyState): { decision: Decision; state: PolicyState } {
  const rungs = usable(input.rungs, before, input.readings.memories, input.now);
  const kept = rungs.find(({ level }) => level === before.level) ?? rungs[0];
  const state = { ...swapped(before, kept?.level ?? null, input.now), at: input.now };
  const text = kept ? "The governor is off." : "The governor is off, and no level fits.";
  return {
    decision: { level: state.level, pace: kept ? 1 : 0, reason: "manual", text, next: null },
    state,
  };
}
