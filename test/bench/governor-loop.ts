import { Box, type Surroundings } from "../../device/simulator/box/box.ts";
import type { Day } from "../../device/simulator/box/day.ts";
import type { BoxPreset } from "../../device/simulator/box/preset.ts";
import { readingOf } from "../../device/simulator/box/simulated-box.ts";
import { Random } from "../../device/simulator/random.ts";
import type { Governor as Limits } from "../../service/contract/config-governor.ts";
import { Governor } from "../../service/contract/config-governor.ts";
import type { Decision, Reason, Rung } from "../../service/contract/decision.ts";
import type { Readings, SensorReading } from "../../service/contract/readings.ts";
import { decide, initialState, levelFailed, type PolicyState } from "../../service/governor/policy.ts";
import { Rest } from "../../service/inference/rest.ts";
import { decodeUnits, fillDefaults } from "../../service/kernel/config-schema.ts";

export const DEFAULTS = decodeUnits(Governor, fillDefaults(Governor, {})) as Limits;
/** How finely work and heat are simulated, s. */
const TICK = 0.25;
/** Questions that wait at most: older ones miss their deadline. */
const WAITING = 3;
/** Sensors of real boxes are not quiet, K. */
const NOISE = 0.25;
/** Epoch ms at which the simulated days begin. */
export const START = 1_750_000_000_000;

/** The preset's ladder as the planner would hand it to the policy. */
export function rungsOf({ ladder, memory }: BoxPreset): Rung[] {
  const [best] = ladder;
  return ladder.map(({ level, bytes, seconds, watts }, rank) => ({
    level,
    rank,
    fits: true,
    reason: null,
    needs: [{ memory: memory.id, bytes }],
    speed: (best?.seconds ?? seconds) / seconds,
    energy: best ? (seconds * watts) / (best.seconds * best.watts) : 1,
  }));
}

export interface Deciding {
  readonly level: string | null;
  readonly pace: number;
  /** Of the policy: for want of memory a level goes at once, and its answer is asked again. */
  readonly reason?: Reason;
}
export interface Seeing {
  readonly second: number;
  readonly readings: Readings;
  /** Share of the last second in which the model worked; null: not told. */
  readonly worked: number | null;
  /** Level that failed in the last second. */
  readonly failed: string | null;
}
/** Whatever decides level and pace once a second. */
export type Governing = (seeing: Seeing) => Deciding;

/** The real policy. */
export function policy(
  rungs: readonly Rung[],
  limits: Limits = DEFAULTS,
  told?: (decision: Decision, state: PolicyState) => void,
): Governing {
  let state = initialState(START);
  return ({ second, readings, worked, failed }) => {
    const now = START + second * 1000;
    if (failed !== null)
      state = levelFailed(state, { level: failed, now, memories: readings.memories, running: null });
    const decided = decide({ now, readings, rungs, limits, manual: null, worked }, state);
    state = decided.state;
    told?.(decided.decision, state);
    return decided.decision;
  };
}

export interface Moment {
  readonly second: number;
  readonly box: Box;
  readonly around: Surroundings;
  readonly level: string | null;
  readonly pace: number;
}
export interface Course {
  /** Whole answers, by level. */
  readonly answers: Map<string, number>;
  /** Seconds in which a zone was truly over its limit, the first minute aside, and the most it was over, K. */
  readonly above: number;
  readonly over: number;
  /** Seconds in which the hardware slowed itself down. */
  readonly throttled: number;
  /** When a model was taken, s. */
  readonly swaps: readonly { readonly at: number; readonly level: string | null }[];
  /** Models that found no memory. */
  readonly failures: number;
}
export interface LoopOptions {
  readonly seed: number;
  /** What becomes of a true reading before it is seen. */
  readonly sense?: (reading: SensorReading, second: number) => SensorReading;
  readonly watch?: (moment: Moment) => void;
}

/** Lets a box live through a day: sensors, decisions, questions, whole answers with rests between them. */
export function live(preset: BoxPreset, day: Day, governing: Governing, options: LoopOptions): Course {
  const random = new Random(preset.id, options.seed, "noise");
  const box = new Box(preset, day.around(0));
  const best = preset.ladder[0]?.seconds ?? 1;
  const rest = new Rest();
  const answers = new Map<string, number>();
  const swaps: { at: number; level: string | null }[] = [];
  let [waiting, left, worked, failures, above, over, throttled] = [0, 0, 0, 0, 0, 0, 0];
  let held: string | null = null;
  let failed: string | null = null;

  for (let second = 0; second < day.seconds; second += 1) {
    const around = day.around(second);
    const read = readingOf(box, () => NOISE * random.normal());
    const readings = readingsOf(options.sense?.(read, second) ?? read, second);
    const { level, pace, reason } = governing({ second, readings, worked, failed });
    options.watch?.({ second, box, around, level, pace });
    failed = null;
    worked = 0;
    for (let tick = 0; tick < 1; tick += TICK) {
      waiting = Math.min(WAITING, waiting + (day.demand(second) / best) * TICK);
      if (left > 0 && level !== held && (reason === "memory" || reason === "pressure")) {
        waiting += 1;
        left = 0;
      }
      // Otherwise an answer under way is finished before its model goes.
      if (left <= 0 && level !== held) {
        held = level;
        swaps.push({ at: second + tick, level });
      }
      if (left <= 0 && waiting >= 1 && held !== null && box.ready === held && rest.mayBegin(pace)) {
        left = box.rung(held)?.seconds ?? 1;
        waiting -= 1;
      }
      const duty = left > 0 ? 1 : 0;
      box.step(TICK, { level: held, duty }, around);
      if (duty) {
        worked += TICK;
        rest.worked(TICK);
        left -= TICK * box.clock;
        if (left <= 0 && held !== null && box.ready === held) answers.set(held, (answers.get(held) ?? 0) + 1);
      } else rest.rested(TICK, pace);
      if (box.failed !== null) {
        failed = box.failed;
        held = null;
        left = 0;
        failures += 1;
      }
      if (box.clock < 1) throttled += TICK;
      if (second >= 60 && box.headroom < 0) {
        above += TICK;
        over = Math.max(over, -box.headroom);
      }
    }
  }
  return { answers, above, over, throttled, swaps, failures };
}

/** Readings as the governor would gather them of one sensor. */
function readingsOf(reading: SensorReading, second: number): Readings {
  return {
    at: START + second * 1000,
    simulated: true,
    zones: [...(reading.zones ?? [])],
    memories: [...(reading.memories ?? [])],
    pressure: reading.pressure ?? null,
    throttling: [...(reading.throttling ?? [])],
    watts: reading.watts ?? null,
    distrusted: [...(reading.failed ?? [])],
  };
}

/** Level, other level, first level again, within the dwell time; and the most swaps in any hour. */
export function restlessness(
  swaps: Course["swaps"],
  dwell: number,
): { oscillations: number; mostAnHour: number } {
  const oscillations = swaps.filter(
    ({ level, at }, i) =>
      i >= 2 && swaps[i - 2]?.level === level && at - (swaps[i - 1]?.at ?? 0) < dwell / 1000,
  ).length;
  const loads = swaps.filter(({ level }) => level !== null);
  const mostAnHour = Math.max(
    0,
    ...loads.map(({ at }) => loads.filter((other) => other.at <= at && at - other.at < 3600).length),
  );
  return { oscillations, mostAnHour };
}
