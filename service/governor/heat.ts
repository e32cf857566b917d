import type { Zone } from "../contract/readings.ts";

/** Where hardware slows itself down that tells no limit: NVIDIA's desktop target, and what most else bears. */
const NVIDIA_LIMIT = 83;
const OTHER_LIMIT = 90;
/** The slope is taken over about this long, and the temperature foreseen as far ahead, s. */
const SLOPE_TIME = 4;
const LEAD = 4;
/** A slope that steps and noise of a sensor make, K/s: it foretells nothing. */
const NOISE = 0.15;
/** No chip changes by more from one reading to the next; one that seems to has to say so twice, K. */
const JUMP = 15;
/**
 * A sensor that stands still for so many seconds of work, and so many times as long as it is used to, may have
 * stopped: from then on it may be off by this more each second, K/s, up to so much, K.
 */
const STILL = 10;
const USED_TO = 4;
/** What a sensor is used to is averaged over some of these, one in: */
const SHARE = 0.1;
const DRIFT = 0.15;
const MOST_DRIFT = 20;
/** A gap in the readings after which a slope would say nothing, s. */
const LONGEST_GAP = 10;
/** A zone that stays within this of the one that governs may stand in for it, K. */
const STAND_IN = 10;
/** What no part of a running box can be; a reading outside is none, degrees Celsius. */
const COLDEST = -40;
const HOTTEST = 150;
/** A zone has governed lately if it was the nearest to its limit, to within this, K. */
const NEAREST = 3;
/** How long it is remembered how far a zone was behind, s. */
const MEMORY = 1800;

/** What is remembered of one zone. */
export interface ZoneTrack {
  /** The last readings, newest first. */
  readonly last: readonly number[];
  /** K/s. */
  readonly slope: number;
  /** A reading too far from the last one to be believed at once. */
  readonly odd: number | null;
  /** How long the model has worked since it last moved, s. */
  readonly still: number;
  /** How long it has stood still so before it moved again, on average; null: it has never moved. */
  readonly usual: number | null;
  /** How much further from its limit it was than the nearest one: the least and the most of late, K. */
  readonly closest: number;
  readonly behind: number;
}

const NEW = { slope: 0, odd: null, still: 0, usual: null, closest: NEAREST, behind: 0 } as const;

/** The zone that is nearest to its limit. */
export interface Hottest {
  readonly id: string;
  readonly celsius: number;
  readonly limit: number;
  /** K that it may still rise to its limit less the margin, by where it will be in some seconds; negative above. */
  readonly room: number;
  /** The zone that it stands in for, which is gone. */
  readonly instead: string | null;
}

export interface Heat {
  /** Null: no temperature can be acted on. */
  readonly hottest: Hottest | null;
  /** Why not, or in part: zones that governed and are gone. */
  readonly lost: readonly string[];
  readonly zones: Readonly<Record<string, ZoneTrack>>;
}

export const limitOf = ({ id, limit }: Zone): number =>
  limit ?? (/nvidia|gpu/i.test(id) ? NVIDIA_LIMIT : OTHER_LIMIT);

/**
 * The zone that is nearest to its own limit, and where it is going. Each zone counts as the highest of its last
 * three readings plus what its slope adds in some seconds, so that heat that lags falls on the safe side. A
 * sensor that stands still while the model works is believed less each second: if it has stopped, the pace
 * sinks; if not, the sinking pace moves it. `dt`: s since the last call; `worked`: its share at work.
 */
export function feelHeat(
  zones: readonly Zone[],
  before: Readonly<Record<string, ZoneTrack>>,
  margin: number,
  dt: number,
  worked: number,
): Heat {
  const felt = zones
    .filter(({ celsius }) => celsius > COLDEST && celsius < HOTTEST)
    .map((zone) => {
      const limit = limitOf(zone);
      const track = follow(zone.celsius, before[zone.id], dt, worked * dt);
      const celsius = Math.max(...track.last);
      const rise = LEAD * Math.max(0, track.slope - NOISE);
      const room = limit - margin - celsius - rise - doubtOf(track);
      return { id: zone.id, limit, celsius, room, track };
    });
  const present = new Set(felt.map(({ id }) => id));
  const lost = Object.keys(before).filter(
    (id) => !present.has(id) && (before[id]?.closest ?? NEAREST) < NEAREST,
  );
  const gone = Object.fromEntries(Object.entries(before).filter(([id]) => !present.has(id)));

  const least = Math.min(...felt.map(({ room }) => room));
  const tracks = Object.fromEntries(
    felt.map(({ id, room, track }) => [id, lost.length > 0 ? track : ranked(track, room - least, dt)]),
  );
  const standing = felt
    .filter(({ track }) => lost.length === 0 || track.behind <= STAND_IN)
    .map(({ id, limit, celsius, room, track }) => ({
      id,
      limit,
      celsius,
      room: room - (lost.length > 0 ? track.behind : 0),
      instead: lost[0] ?? null,
    }));
  const hottest = standing.reduce<Hottest | null>(
    (worst, zone) => (worst === null || zone.room < worst.room ? zone : worst),
    null,
  );
  return { hottest, lost, zones: { ...gone, ...tracks } };
}

function follow(celsius: number, before: ZoneTrack | undefined, dt: number, work: number): ZoneTrack {
  const previous = before?.last[0];
  if (!before || previous === undefined) return { ...NEW, last: [celsius] };
  if (dt <= 0) return before;
  if (dt > LONGEST_GAP) return { ...before, last: [celsius], slope: 0, odd: null, still: 0 };
  const jumped = Math.abs(celsius - previous) > JUMP;
  if (jumped && (before.odd === null || Math.abs(celsius - before.odd) > JUMP))
    return { ...before, odd: celsius, still: before.still + work };
  if (jumped) return { ...before, last: [celsius], slope: 0, odd: null, still: 0 };
  const slope = before.slope + ((celsius - previous) / dt - before.slope) * (dt / (SLOPE_TIME + dt));
  const last = [celsius, ...before.last.slice(0, 2)];
  if (celsius === previous) return { ...before, last, slope, odd: null, still: before.still + work };
  const usual = (before.usual ?? before.still) + SHARE * (before.still - (before.usual ?? before.still));
  return { ...before, last, slope, odd: null, still: 0, usual };
}

/** How far a sensor may be off that does not move. */
function doubtOf({ still, usual }: ZoneTrack): number {
  if (usual === null) return 0;
  return Math.min(MOST_DRIFT, DRIFT * Math.max(0, still - STILL - USED_TO * usual));
}

/** How far behind the nearest zone this one is: both extremes are forgotten slowly. */
function ranked(track: ZoneTrack, behind: number, dt: number): ZoneTrack {
  const share = Math.min(1, dt / MEMORY);
  return {
    ...track,
    closest: Math.min(behind, track.closest + share * (behind - track.closest)),
    behind: Math.max(behind, track.behind + share * (behind - track.behind)),
  };
}
