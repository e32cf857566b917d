import type { Rung } from "../../service/contract/decision.ts";
import { type Governing, policy } from "./governor-loop.ts";

/** A service manager starts a model again this long after it died, s. */
const RESTART = 30;
/** On and off at the limit: on again when it is this much cooler, K. */
const HYSTERESIS = 5;

/** Nobody governs: the best level at full pace, started again when it died; the hardware throttles. */
export function ungoverned(rungs: readonly Rung[]): Governing {
  const alive = restarting(rungs);
  return (seeing) => ({ level: alive(seeing), pace: 1 });
}

/** The best level, stopped when a zone reaches its limit and started again when it is cooler. */
export function onOff(rungs: readonly Rung[]): Governing {
  const alive = restarting(rungs);
  let on = true;
  return (seeing) => {
    const room = Math.min(...seeing.readings.zones.map(({ celsius, limit }) => (limit ?? 90) - celsius));
    on = room <= 0 ? false : on || room >= HYSTERESIS;
    return { level: alive(seeing), pace: on ? 1 : 0 };
  };
}

/** The governor's own pace, with nothing but the best level. */
export const dutyAlone = (rungs: readonly Rung[]): Governing => policy(rungs.slice(0, 1));

function restarting([best]: readonly Rung[]): (seeing: Parameters<Governing>[0]) => string | null {
  let diedAt = Number.NEGATIVE_INFINITY;
  return ({ second, failed }) => {
    if (failed !== null) diedAt = second;
    return second - diedAt < RESTART ? null : (best?.level ?? null);
  };
}
