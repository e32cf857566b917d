import type { Manual, Reason, Rung } from "../contract/decision.ts";
import { bytesText } from "../contract/units.ts";
import type { Hottest } from "./heat.ts";
import { climbWait } from "./ladder.ts";
import { COMFORT, type Left, tightest, waitsFor } from "./memory.ts";
import type { PolicyInput, PolicyState } from "./state.ts";
import { nextSwap } from "./swaps.ts";

/** Figures as people read them. */
export const degrees = (celsius: number) => `${celsius.toFixed(1)} °C`;
export const kelvin = (by: number) => `${Math.abs(by).toFixed(1)} °C`;
export const percent = (share: number) => `${Math.round(share * 100)}%`;

export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

/** "tj-thermal is at 94.5 °C, 4.5 °C under its limit of 99.0 °C". */
export function heatText({ id, celsius, limit, instead }: Hottest): string {
  const side = celsius <= limit ? "under" : "over";
  const from = `${id} is at ${degrees(celsius)}, ${kelvin(limit - celsius)} ${side} its limit of ${degrees(limit)}`;
  return instead === null ? from : `${instead} is gone and ${id} stands in for it: ${from}`;
}

export const memoryText = ({ pool, bytes }: Left, reserve: number): string =>
  bytes >= 0
    ? `${bytesText(bytes)} of ${bytesText(pool.total)} of ${pool.id} left, less than the ${bytesText(reserve)} that are to stay free`
    : `${pool.id} lacks ${bytesText(-bytes)}`;

export const gainText = (from: Rung, to: Rung): string =>
  to.energy < from.energy
    ? `${to.level} takes ${percent(1 - to.energy / from.energy)} less heat an answer`
    : `${to.level} gives more answers`;

/** What the pace is, and why: the second half of a decision's text. */
export function paceText(
  reason: Reason,
  pace: number,
  seen: { hottest: Hottest | null; lost: readonly string[]; throttled: string | null },
  manual: Manual | null,
): string {
  const { hottest, lost, throttled } = seen;
  const heat = hottest
    ? heatText(hottest)
    : `no temperature can be acted on${lost.length > 0 ? `: ${lost.join(" and ")} is gone` : ""}`;
  const by = manual ? `, ${manual.mode === "frozen" ? "frozen" : "set"} by hand` : "";
  const slow = throttled === null ? "" : `, and the hardware slows itself down (${throttled})`;
  const what = pace === 0 ? "The model pauses" : `The model may work ${percent(pace)} of the time`;
  return `${what}${by}: ${heat}${reason === "critical" && hottest ? ", too close to go on" : ""}${slow}`;
}

/** When a better level will be taken; null where the best one runs. */
export function nextText(
  { now, rungs, readings, limits }: PolicyInput,
  state: PolicyState,
  usable: readonly Rung[],
  manual: Manual | null,
): string | null {
  const running = rungs.find(({ level }) => level === state.level);
  const above = rungs
    .filter(({ rank, fits }) => fits && rank < (running?.rank ?? Number.POSITIVE_INFINITY))
    .at(-1);
  if (!above) return null;
  if (manual) {
    const until = manual.until === null ? "when the governor is set free" : `in ${span(manual.until - now)}`;
    return `decides again ${until}`;
  }
  const entry = state.unfit.find(({ level }) => level === above.level);
  if (entry && !usable.includes(above))
    return `${above.level} failed and is tried again with ${waitsFor(entry, readings.memories, now) ?? "the next step"}`;
  const left = tightest(above, readings.memories);
  if (left && left.bytes < COMFORT * limits.reserve)
    return `${above.level} when ${bytesText(COMFORT * limits.reserve - left.bytes)} more of ${left.pool.id} are free`;
  const wait = limits.headroom * climbWait(state, now);
  if (state.roomSince !== null)
    return `${above.level} in ${span(Math.max(state.roomSince + wait, nextSwap(state, now, limits)) - now)} if it stays as cool`;
  return `${above.level} when it would stay cool enough for ${span(wait)}`;
}
