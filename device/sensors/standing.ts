/**
 * When a temperature that does not move has stopped being measured. A sensor with fine steps trembles all the
 * time: the same thousandth of a degree for minutes, while anything else on the box changed, is suspicious. One
 * with steps of a degree may truly stand for long, and at its limit the hardware itself holds it there: only
 * much time and a change of the work itself count against it.
 */
export const STILL = { fine: 120_000, coarse: 1_200_000, digits: 3 } as const;

/** Half a degree: steps smaller than this are fine, thousandths of a degree. */
const FINE_STEP = 500;
/** What counts as a change: K in the mean of the other zones, of the model's load, of the power. */
const WARMTH = 6;
const LOAD = 0.5;
const POWER = 0.3;
const POWER_LEAST = 3;
/** Short bursts need not warm anything: load and power are smoothed over so long, ms. */
const SMOOTHING = 30_000;

interface Range {
  /** Smoothed, and over how long by now, ms: before that is twice the smoothing it says nothing yet. */
  readonly now: number;
  readonly age: number;
  readonly least: number;
  readonly most: number;
}

/** Since when a zone has stood at one value, and what changed in the meantime. */
export interface Standing {
  /** Thousandths of a degree. */
  readonly milli: number;
  readonly since: number;
  readonly at: number;
  /** Whether it has ever shown finer steps than half a degree. */
  readonly fine: boolean;
  readonly load: Range | null;
  readonly watts: Range | null;
  readonly warmth: Range | null;
}

interface Around {
  readonly load: number | null;
  readonly watts: number | null;
  /** Mean of the other zones, degrees Celsius. */
  readonly warmth: number | null;
}

export function watch(before: Standing | null, celsius: number, at: number, around: Around): Standing {
  const milli = Math.round(celsius * 1000);
  const fine = (before?.fine ?? false) || milli % FINE_STEP !== 0;
  const moved = before === null || before.milli !== milli;
  const ms = before ? at - before.at : 0;
  const range = (last: Range | null | undefined, value: number | null, over: number) =>
    follow(moved ? anew(last) : last, value, ms, over);
  return {
    milli,
    since: moved ? at : before.since,
    at,
    fine,
    load: range(before?.load, around.load, SMOOTHING),
    watts: range(before?.watts, around.watts, SMOOTHING),
    warmth: range(before?.warmth, around.warmth, 0),
  };
}

/** How long it has stood too long, ms, and what changed while it did; null where nothing is wrong. */
export function stood(standing: Standing, now: number): { ms: number; why: string } | null {
  const { fine, since, load, watts, warmth } = standing;
  const ms = now - since;
  if (ms < (fine ? STILL.fine : STILL.coarse)) return null;
  if (load && load.most - load.least >= LOAD) return { ms, why: "the work changed" };
  if (watts && watts.most - watts.least >= Math.max(POWER_LEAST, POWER * watts.most))
    return { ms, why: "the power changed" };
  if (fine && warmth && warmth.most - warmth.least >= WARMTH)
    return { ms, why: "the rest of the box changed" };
  return null;
}

const anew = (range: Range | null | undefined): Range | null =>
  range ? { ...range, least: range.now, most: range.now } : null;

function follow(
  range: Range | null | undefined,
  value: number | null,
  ms: number,
  smoothing: number,
): Range | null {
  if (value === null || !Number.isFinite(value)) return range ?? null;
  if (!range) return { now: value, age: 0, least: value, most: value };
  const now = range.now + (value - range.now) * (ms / (smoothing + ms || 1));
  const age = range.age + ms;
  if (age < 2 * smoothing) return { now, age, least: now, most: now };
  return { now, age, least: Math.min(range.least, now), most: Math.max(range.most, now) };
}
