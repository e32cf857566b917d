import type { Manual, Reason, Rung } from "../contract/decision.ts";
import { bytesText } from "../contract/units.ts";
import { afterFall, bestOf, better, climbWait, fallsShort, thriftier, usable } from "./ladder.ts";
import { type Left, roomFor, tightest, tooTight } from "./memory.ts";
import type { PolicyInput, PolicyState } from "./state.ts";
import { maySwap, maySwapAtOnce, swapped, undoes } from "./swaps.ts";
import { gainText, memoryText, percent, span } from "./words.ts";

/** Pressure shows after up to ten seconds, and takes as long to go: so long after a change it says nothing, ms. */
const PRESSURE_SETTLES = 30_000;
/** Pressure has gone when it is this share of the limit. */
const RELIEVED = 0.5;

/** The level from here on; reason and text where something was decided, or keeps the model from running. */
export interface Choice {
  readonly state: PolicyState;
  readonly reason: Reason | null;
  readonly text: string | null;
}

interface Situation {
  readonly input: PolicyInput;
  readonly state: PolicyState;
  readonly rungs: readonly Rung[];
}

/** Memory first, since what does not fit dies; then what an administrator asked for; then heat. */
export function chooseLevel(
  input: PolicyInput,
  state: PolicyState,
  manual: Manual | null,
  sees: boolean,
): Choice {
  const rungs = usable(input.rungs, state, input.readings.memories, input.now);
  const situation = { input, state, rungs };
  if (state.level === null) return begin(situation, manual);
  const running = rungs.find(({ level }) => level === state.level);
  if (!running) return leave(situation, "level_failed", outText(input, state.level));
  return (
    forMemory(situation, running) ??
    forManual(situation, running, manual) ??
    (manual ? null : forHeat(situation, running, sees)) ?? { state, reason: null, text: null }
  );
}

/** Nothing runs: at the start, after a failure, or since memory ran out. */
function begin({ input, state, rungs }: Situation, manual: Manual | null): Choice {
  const { now, limits, readings } = input;
  const { memories } = readings;
  if (manual?.level === null) return { state, reason: "manual", text: "Paused by hand" };
  const first = state.previous === null && state.swaps.length === 0;
  const fell = input.rungs.find(({ level }) => level === state.fallen);
  const lower = fell ? rungs.filter(({ rank }) => rank > fell.rank) : [];
  const wished = rungs.filter(({ level }) => level === manual?.level);
  const free = state.fell === "manual";
  const calm =
    first ||
    free ||
    fell !== undefined ||
    wished.length > 0 ||
    (now - state.since >= limits.dwell && relieved(input));
  const found =
    bestOf(wished, memories, limits) ??
    bestOf(lower, memories, limits) ??
    bestOf(rungs, memories, limits, !first);
  if (!found)
    return {
      state,
      reason: state.unfit.length > 0 ? "level_failed" : "memory",
      text: noneText(input, rungs),
    };
  if (!calm) return { state, reason: "memory", text: `Paused for memory, ${found.level} follows` };
  if (!maySwapAtOnce(state, now, limits))
    return { state, reason: "memory", text: `Paused: all ${limits.swaps} changes of this hour are used` };
  const next = { ...swapped(state, found.level, now), fallen: null };
  if (fell)
    return { state: next, reason: "level_failed", text: `${fell.level} failed, ${found.level} is taken` };
  if (first) return { state: next, reason: "start", text: `Starts with ${found.level}` };
  if (free)
    return { state: next, reason: "manual", text: `No longer paused by hand, ${found.level} is taken` };
  return { state: next, reason: "memory_free", text: `Memory is back, ${found.level} is taken` };
}

const relieved = ({ readings, limits }: PolicyInput) =>
  (readings.pressure?.full ?? 0) < RELIEVED * limits.pressure;

/** Falls at once: to the best level that fits and would not undo the last change, or to none. */
function leave({ input, state, rungs }: Situation, reason: Reason, why: string): Choice {
  const { now, limits, readings } = input;
  const fitting = rungs.filter(
    (rung) =>
      rung.level !== state.level &&
      !undoes(state, rung.level, now, limits) &&
      roomFor(rung, readings.memories, limits, false),
  );
  // Memory that falls goes on falling: a level with something to spare saves the next swap.
  const spared = bestOf(fitting, readings.memories, limits, true) ?? fitting[0];
  const next = maySwapAtOnce(state, now, limits) ? spared : undefined;
  const text = next ? `${why}: ${next.level} is taken` : `${why}: no level runs until there is room`;
  return { state: { ...swapped(state, next?.level ?? null, now), fell: reason }, reason, text };
}

function forMemory(situation: Situation, running: Rung): Choice | null {
  const { input, state, rungs } = situation;
  const { now, limits, readings } = input;
  const ran = now - state.since;
  const tight = tooTight(running, readings.memories, limits, ran);
  if (tight) {
    const smaller = {
      ...situation,
      rungs: rungs.filter((rung) => takes(rung, tight) < takes(running, tight)),
    };
    return leave(smaller, "memory", memoryText(tight, limits.reserve));
  }
  const full = readings.pressure?.full ?? 0;
  const inRam = running.needs.find(({ memory, bytes }) => memory === "ram" && bytes > 0);
  if (full < limits.pressure || !inRam || ran < PRESSURE_SETTLES) return null;
  const less = rungs.filter(({ needs }) =>
    needs.every(({ memory, bytes }) => memory !== "ram" || bytes < inRam.bytes),
  );
  const why = `Every task has waited for memory ${percent(full / 100)} of the time`;
  return leave({ ...situation, rungs: less }, "pressure", why);
}

const takes = (rung: Rung, { pool }: Left) => rung.needs.find(({ memory }) => memory === pool.id)?.bytes ?? 0;

function forManual({ input, state, rungs }: Situation, running: Rung, manual: Manual | null): Choice | null {
  if (manual?.level === undefined || manual.mode === "frozen" || manual.level === running.level) return null;
  const { now, limits, readings } = input;
  const wished = rungs.find(({ level }) => level === manual.level);
  if (manual.level === null)
    return {
      state: { ...swapped(state, null, now), fell: "manual" },
      reason: "manual",
      text: "Paused by hand",
    };
  if (!wished || !roomFor(wished, readings.memories, limits, false)) {
    const why = wished ? "memory has no room for it" : outText(input, manual.level);
    return { state, reason: null, text: `${manual.level} was set by hand, but ${why}` };
  }
  if (!maySwapAtOnce(state, now, limits))
    return {
      state,
      reason: null,
      text: `${manual.level} was set by hand, and waits: the hour's changes are used`,
    };
  return {
    state: swapped(state, wished.level, now),
    reason: "manual",
    text: `${wished.level} was set by hand`,
  };
}

function forHeat({ input, state, rungs }: Situation, running: Rung, sees: boolean): Choice | null {
  const { now, limits, readings } = input;
  const { memories } = readings;
  const short = sees && fallsShort(state, running, limits);
  const lower = short ? thriftier(rungs, running, state, memories, limits) : undefined;
  const upper = short ? undefined : better(rungs, running, state, memories, limits, sees);
  const shortSince = lower ? (state.shortSince ?? now) : null;
  const roomSince = upper ? (state.roomSince ?? now) : null;
  const waiting = { ...state, shortSince, roomSince };

  if (lower && shortSince !== null && now - shortSince >= limits.dwell && maySwap(state, now, limits)) {
    const next = { ...swapped(state, lower.level, now), climb: afterFall(state, now), fell: "heat" as const };
    const held = `Heat has held the pace at ${percent(state.pacing.allowed)} for ${span(now - shortSince)}`;
    return { state: next, reason: "heat", text: `${held}: ${gainText(running, lower)}` };
  }
  const wait = limits.headroom * climbWait(state, now);
  if (upper && roomSince !== null && now - roomSince >= wait && maySwap(state, now, limits)) {
    const climb = { at: now, wait: climbWait(state, now) };
    const next = { ...swapped(state, upper.level, now), climb };
    const reason = state.fell === "heat" || state.fell === null ? "cooler" : "memory_free";
    return { state: next, reason, text: `${upper.level} has fitted for ${span(now - roomSince)}` };
  }
  return { state: waiting, reason: null, text: null };
}

function outText({ rungs }: PolicyInput, level: string): string {
  const rung = rungs.find((other) => other.level === level);
  if (!rung) return `${level} is not in the ladder any more`;
  return rung.fits ? `${level} has failed` : `${level} is out: ${rung.reason ?? "it does not fit"}`;
}

function noneText({ readings, limits, rungs: all }: PolicyInput, rungs: readonly Rung[]): string {
  const why = all.find(({ fits, reason }) => !fits && reason !== null)?.reason;
  const least = rungs.at(-1);
  const left = least && tightest(least, readings.memories);
  if (!least || !left) return `No level can run: ${why ?? "every one is out"}`;
  return `No level fits: with ${least.level} ${memoryText(left, limits.reserve)} (${bytesText(left.pool.free)} are free)`;
}
