import type { Zone } from "../../service/contract/readings.ts";
import { STILL, type Standing, stood, watch } from "./standing.ts";

/** No part of a running box is colder or hotter, degrees Celsius. */
const COLDEST = -40;
const HOTTEST = 150;
/** So far above its own limit a chip has shut down already, K: what says so is wrong (127 is a broken wire's). */
const BEYOND_LIMIT = 25;
/** A chip's die can heat up fast, but what changes by more than this in a second has to say so twice, K. */
const JUMP = 30;
/** Slower changes than so many K each further second need no second word. */
const JUMP_PER_SECOND = 10;
/** What a second reading may differ by to confirm the first, K. */
const CONFIRMS = 10;
/** Nonsense adds to a sensor's debt, each sane reading takes one off, and only without debt is it trusted. */
const NONSENSE_COSTS = 2;
const MOST_DEBT = 6;
/** A zone that was not read for so long is forgotten, ms. */
const FORGOTTEN = 600_000;

/** A zone and when it was read, clock.monotonic(). */
export interface Measured {
  readonly zone: Zone;
  readonly at: number;
}

/** What the box did meanwhile, by which a temperature that stands still is judged. */
export interface Work {
  /** Share of the time that the model works, 0 to 1; null: unknown. */
  readonly load: number | null;
  readonly watts: number | null;
}

interface Track {
  readonly at: number;
  /** The last reading that was believed. */
  readonly celsius: number | null;
  readonly believed: number;
  /** One that was not, because it was too far from the last one. */
  readonly odd: number | null;
  readonly debt: number;
  readonly nonsense: string;
  readonly standing: Standing | null;
  /** Why it is not trusted now; null where it is. */
  readonly reason: string | null;
}

export type Trust = Readonly<Record<string, Track>>;

export interface Verdict {
  readonly zones: readonly Zone[];
  readonly distrusted: readonly { readonly sensor: string; readonly reason: string }[];
  readonly trust: Trust;
}

/**
 * Which temperatures can be believed, and why the others can't. Pure; a reading that was judged before, by its
 * time, is not judged again.
 */
export function judge(before: Trust, measured: readonly Measured[], work: Work, now: number): Verdict {
  const trust: Record<string, Track> = {};
  for (const [id, track] of Object.entries(before)) if (now - track.at < FORGOTTEN) trust[id] = track;
  const warmth = mean(
    measured.filter(({ zone }) => nonsenseOf(zone) === null).map(({ zone }) => zone.celsius),
  );
  const zones: Zone[] = [];
  const distrusted: { sensor: string; reason: string }[] = [];
  for (const { zone, at } of measured) {
    const last = before[zone.id];
    const track =
      last?.at === at ? last : judgeOne(last, zone, at, { ...work, warmth: warmth(zone.celsius) });
    trust[zone.id] = track;
    if (track.reason === null) zones.push(zone);
    else distrusted.push({ sensor: zone.id, reason: track.reason });
  }
  return { zones, distrusted, trust };
}

/** Why a single reading cannot be true; null where it can. */
export function nonsenseOf({ celsius, limit }: Zone): string | null {
  if (!Number.isFinite(celsius)) return "gives no number";
  const says = `says ${degrees(celsius)}`;
  if (celsius === 0) return `${says} exactly, as a sensor without power does`;
  if (celsius <= COLDEST) return `${says}, colder than any running box`;
  if (celsius >= HOTTEST) return `${says}, hotter than any chip bears`;
  if (limit !== null && celsius > limit + BEYOND_LIMIT)
    return `${says}, at which it would long have shut down (its limit is ${degrees(limit)})`;
  return null;
}

function judgeOne(
  last: Track | undefined,
  zone: Zone,
  at: number,
  work: Work & { warmth: number | null },
): Track {
  const { celsius } = zone;
  const before: Track = last ?? {
    at,
    celsius: null,
    believed: at,
    odd: null,
    debt: 0,
    nonsense: "",
    standing: null,
    reason: null,
  };
  const nonsense = nonsenseOf(zone);
  if (nonsense !== null) {
    const debt = Math.min(MOST_DEBT, before.debt + NONSENSE_COSTS);
    return { ...before, at, debt, nonsense, reason: nonsense };
  }
  const jump = jumpOf(before, celsius, at);
  const confirmed = before.odd !== null && Math.abs(celsius - before.odd) <= CONFIRMS;
  const denied = before.odd !== null && !confirmed;
  const owed = denied ? Math.min(MOST_DEBT, before.debt + NONSENSE_COSTS) : before.debt;
  const noise = denied ? "jumps to and fro" : before.nonsense;
  if (jump !== null && !confirmed)
    return { ...before, at, odd: celsius, debt: owed, nonsense: noise, reason: jump };

  const debt = Math.max(0, owed - 1);
  const standing = watch(before.standing, celsius, at, work);
  const believed = { ...before, at, celsius, believed: at, odd: null, debt, nonsense: noise, standing };
  if (debt > 0) return { ...believed, reason: `has yet to make sense for a while (${noise})` };
  const still = stood(standing, at);
  return { ...believed, reason: still === null ? null : stillText(celsius, still) };
}

function jumpOf({ celsius: from, believed }: Track, to: number, at: number): string | null {
  if (from === null) return null;
  const seconds = Math.max(1, (at - believed) / 1000);
  if (Math.abs(to - from) <= JUMP + JUMP_PER_SECOND * (seconds - 1)) return null;
  return `went from ${degrees(from)} to ${degrees(to)} in ${Math.round(seconds)} s, which has yet to be confirmed`;
}

function stillText(celsius: number, { ms, why }: { ms: number; why: string }): string {
  const minutes = Math.floor(ms / 60_000);
  return `has stood at exactly ${degrees(celsius, STILL.digits)} for ${minutes} min, while ${why}`;
}

/** The mean of all but one of the values. */
function mean(values: readonly number[]): (without: number) => number | null {
  const sum = values.reduce((total, value) => total + value, 0);
  return (without) => {
    const rest = values.includes(without) ? values.length - 1 : values.length;
    return rest === 0 ? null : (sum - (values.includes(without) ? without : 0)) / rest;
  };
}

const degrees = (celsius: number, digits = 1): string => `${Number(celsius.toFixed(digits))} °C`;
