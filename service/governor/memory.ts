import type { Governor } from "../contract/config-governor.ts";
import type { Rung } from "../contract/decision.ts";
import type { Memory } from "../contract/readings.ts";

/** A level that was taken newly leaves its pools in motion this long, ms. */
const SETTLING = 60_000;
/** A better level needs this many times the reserve, so that it does not fall again at once. */
export const COMFORT = 1.25;
/** How much more memory a failed level waits for: this share of its pool, but no less than these bytes. */
const CHANGE_SHARE = 0.05;
const CHANGE_LEAST = 512e6;
/** Without any change it is tried again after this, ms; both double with each failure, up to a day. */
const RETRY = 600_000;
const LONGEST_RETRY = 86_400_000;
/** Failures this long ago do not count any more, ms. */
const FORGIVEN = 86_400_000;

/** A level that failed: it is not taken again until memory has changed. */
export interface Unfit {
  readonly level: string;
  readonly at: number;
  readonly times: number;
  /** What its pools had for it when it failed, bytes. */
  readonly had: Readonly<Record<string, number>>;
}

/** A pool that a level lies in, and what would be left of it. */
export interface Left {
  readonly pool: Memory;
  readonly bytes: number;
}

const available = (pool: Memory) => pool.free + pool.own;

/** What each pool has for models. */
export function availableIn(memories: readonly Memory[]): Record<string, number> {
  return Object.fromEntries(memories.map((pool) => [pool.id, available(pool)]));
}

/**
 * The pool in which a level leaves the least, once everything else of ours has gone from it; undefined where
 * none of its pools can be read.
 */
export function tightest(rung: Rung, memories: readonly Memory[]): Left | undefined {
  let least: Left | undefined;
  for (const { memory, bytes } of rung.needs) {
    const pool = memories.find(({ id }) => id === memory);
    if (!pool) continue;
    const left = available(pool) - bytes;
    if (!least || left < least.bytes) least = { pool, bytes: left };
  }
  return least;
}

/** Whether a level may be taken: it leaves the reserve free; a better one than now, with something to spare. */
export function roomFor(
  rung: Rung,
  memories: readonly Memory[],
  { reserve }: Governor,
  better: boolean,
): boolean {
  const left = tightest(rung, memories);
  return left === undefined || left.bytes >= reserve * (better ? COMFORT : 1);
}

/**
 * The pool that is too tight for the level that runs; undefined where none is. While the level has just been
 * taken, and the old one may not have gone yet, by what will be left; afterwards by what is free.
 */
export function tooTight(
  rung: Rung,
  memories: readonly Memory[],
  { reserve }: Governor,
  ran: number,
): Left | undefined {
  if (ran < SETTLING) {
    const left = tightest(rung, memories);
    return left && left.bytes < reserve ? left : undefined;
  }
  const pool = memories.find(
    ({ id, free }) => free < reserve && rung.needs.some(({ memory, bytes }) => memory === id && bytes > 0),
  );
  return pool && { pool, bytes: pool.free };
}

/** Whether a level's model has room while the one that runs is still there. */
export const fitsBeside = (rung: Rung, memories: readonly Memory[], reserve: number): boolean =>
  rung.needs.every(({ memory, bytes }) => {
    const pool = memories.find(({ id }) => id === memory);
    return pool !== undefined && pool.free >= bytes + reserve;
  });

/** What the models that run hold of each pool. */
export const ran = (memories: readonly Memory[]): Rung["needs"] =>
  memories.filter(({ own }) => own > 0).map(({ id, own }) => ({ memory: id, bytes: own }));

/** Adds a failure. Failing again doubles what the level waits for. */
export function markUnfit(
  unfit: readonly Unfit[],
  level: string,
  at: number,
  memories: readonly Memory[],
): Unfit[] {
  const before = unfit.find((entry) => entry.level === level);
  const times = before && at - before.at < FORGIVEN ? before.times + 1 : 1;
  return [
    ...unfit.filter((entry) => entry.level !== level),
    { level, at, times, had: availableIn(memories) },
  ];
}

/** Whether a level that failed still has to wait, and what for. */
export function waitsFor(entry: Unfit, memories: readonly Memory[], now: number): string | null {
  const { at, times, had } = entry;
  const factor = 2 ** (times - 1);
  const again = at + Math.min(LONGEST_RETRY, RETRY * factor);
  if (now >= again) return null;
  let wait: string | null = null;
  for (const pool of memories) {
    const before = had[pool.id];
    if (before === undefined) continue;
    const more = factor * Math.max(CHANGE_LEAST, CHANGE_SHARE * pool.total) + before - available(pool);
    if (more <= 0) return null;
    wait = `${Math.ceil(more / 1e6)} MB more of ${pool.id}`;
  }
  const minutes = Math.ceil((again - now) / 60_000);
  return wait === null ? `${minutes} min` : `${wait}, or ${minutes} min`;
}
