/** People who walk into a cell, stand there, fall, rise and leave: where each of them is at a moment. */
import type { Random } from "../random.ts";
import type { Person } from "../world.ts";

/** Ms of a script, from <= t < to. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export type Side = "left" | "right";

/** On foot between a side, beyond the picture's edge, and the spot. */
export interface Walk extends Span {
  readonly side: Side;
}

export interface Visit {
  readonly looks: number;
  /** Where somebody stands: middle of the body across the picture, 0 to 1. */
  readonly spot: number;
  /** Undefined where somebody is there from the beginning. */
  readonly comes?: Walk;
  /** Undefined where somebody stays. */
  readonly goes?: Walk;
  readonly lies: readonly Span[];
}

/** A visit while it is written. */
export type VisitDraft = { -readonly [Key in keyof Visit]: Visit[Key] };

/** Beyond an edge, where no picture that is at least as wide as high shows a bit of a body. */
const OUTSIDE: Record<Side, number> = { left: -0.15, right: 1.15 };
/** Spots nearer to an edge would cut bodies; who lies is longer than who stands is wide. */
export const SPOTS = { least: 0.12, most: 0.88 } as const;
const LYING = { least: 0.3, most: 0.7 } as const;
/** Nearer to each other they would hide each other. */
const APART = 0.2;

const during = ({ from, to }: Span, at: number) => at >= from && at < to;

/** From the first step in to the last step out. */
export const isHere = ({ comes, goes }: Visit, at: number): boolean =>
  (comes === undefined || at >= comes.from) && (goes === undefined || at < goes.to);

export const isWalking = ({ comes, goes }: Visit, at: number): boolean =>
  (comes !== undefined && during(comes, at)) || (goes !== undefined && during(goes, at));

export const isLying = ({ lies }: Visit, at: number): boolean => lies.some((span) => during(span, at));

/** Somebody as there is to be seen; undefined while away. */
export function personAt(visit: Visit, at: number): Person | undefined {
  if (!isHere(visit, at)) return undefined;
  const { looks, spot, comes, goes } = visit;
  if (isLying(visit, at)) {
    const x = Math.min(LYING.most, Math.max(LYING.least, spot));
    return { looks, x, pose: "lying" };
  }
  const outside = ({ side }: Walk, share: number) => spot + (OUTSIDE[side] - spot) * share;
  const x =
    comes && during(comes, at)
      ? outside(comes, (comes.to - at) / (comes.to - comes.from))
      : goes && during(goes, at)
        ? outside(goes, (at - goes.from) / (goes.to - goes.from))
        : spot;
  return { looks, x, pose: "standing" };
}

/** Everybody there is to be seen. */
export const peopleAt = (visits: readonly Visit[], at: number): Person[] =>
  visits.map((visit) => personAt(visit, at)).filter((person) => person !== undefined);

/** A spot apart from those that are taken, at most two. */
export function freeSpot(random: Random, taken: readonly number[]): number {
  const distance = (spot: number) => Math.min(...taken.map((other) => Math.abs(other - spot)), 1);
  const offset = random.around(0.02);
  const first = random.whole(0, 3);
  for (let i = 0; i < 4; i += 1) {
    const lane = 0.14 + 0.24 * ((first + i) % 4) + offset;
    if (distance(lane) >= APART) return lane;
  }
  // Only where somebody chose the others' spots: the middle of the widest gap.
  const all = Array.from({ length: 77 }, (_, i) => SPOTS.least + i / 100);
  return all.reduce((best, spot) => (distance(spot) > distance(best) ? spot : best));
}

/** A side from which one comes to a spot, or leaves it, past nobody, where there is one. */
export function freeSide(random: Random, spot: number, others: readonly number[]): Side {
  const left = others.some((other) => other < spot);
  const right = others.some((other) => other > spot);
  if (left !== right) return left ? "right" : "left";
  return random.pick(["left", "right"]);
}
