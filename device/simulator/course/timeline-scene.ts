/** What happens before the camera in a minute of the timeline. */
import type { Random } from "../random.ts";
import { BELTS, CAMERA_STATES, LIGHTS, MOST_PEOPLE, type Scene, THINGS, type Thing } from "../world.ts";
import { freeSide, freeSpot, isLying, type Side, type Span, type Visit, type VisitDraft } from "./visits.ts";

export type Shown = Omit<Scene, "people">;

/** A while in which all but people stays as it is. */
export interface CellState extends Span {
  readonly shows: Shown;
}

/** Ms from one change to the next. */
const SHORTEST = 2000;
const LONGEST = 4000;
/** Ms on foot between edge and spot, and at least that long at rest before the next change. */
const WALK = { least: 1500, most: 2500 } as const;
const REST = 500;
/** Share of the changes that are a fault of the camera; it lasts until the next. */
const FAULTY = 0.055;
/** Share of the comings among comings and goings while one is there; the more are there, the fewer come. */
const COMING = 0.25;

/** What stands before the people of a place. */
export const FURNITURE = ["belt", "desk", "none"] as const;
export type Furniture = (typeof FURNITURE)[number];

/** Goes on from a random beginning by one change after the other. */
export function stretchStates(
  random: Random,
  { from: begin, to: end }: Span,
  furniture: Furniture,
): { states: CellState[]; visits: Visit[] } {
  const states: CellState[] = [];
  const guests = firstGuests(random);
  let shows = firstShown(random, furniture);
  for (let from = begin; from < end; ) {
    const to = from + segmentLength(random, end - from);
    if (from > begin) shows = changed(random, shows, guests, { from, to });
    states.push({ from, to, shows });
    from = to;
  }
  return { states, visits: guests };
}

/** Ms; never leaves a rest that would be too short for a segment of its own. */
function segmentLength(random: Random, rest: number): number {
  const wished = random.whole(SHORTEST, LONGEST);
  if (rest - wished >= SHORTEST) return wished;
  return rest <= LONGEST ? rest : Math.floor(rest / 2);
}

function firstGuests(random: Random): VisitDraft[] {
  const guests: VisitDraft[] = [];
  const count = random.pick([0, 0, 0, 1, 1, 2, 3]);
  while (guests.length < count) guests.push(guestOf(random, guests));
  return guests;
}

function guestOf(random: Random, others: readonly Visit[]): VisitDraft {
  const spot = freeSpot(
    random,
    others.map((other) => other.spot),
  );
  return { looks: random.whole(0, 2 ** 31), spot, lies: [] };
}

function firstShown(random: Random, furniture: Furniture): Shown {
  const light = random.pick(LIGHTS);
  return {
    light,
    blinking: light !== "off" && random.chance(0.15),
    display: random.whole(0, 99),
    ...(furniture === "belt" && { belt: random.pick(BELTS) }),
    ...(furniture === "desk" && { things: THINGS.filter(() => random.chance(0.5)) }),
    camera: "ok",
  };
}

/** One thing changes; people change in `guests`. */
function changed(random: Random, shows: Shown, guests: VisitDraft[], span: Span): Shown {
  if (shows.camera !== "ok") return { ...shows, camera: "ok" };
  if (random.chance(FAULTY)) {
    const [, ...faults] = CAMERA_STATES;
    return { ...shows, camera: random.pick(faults) };
  }
  switch (random.pick(["people", "people", "people", "light", "light", "count", "count", "jump", "work"])) {
    case "people":
      changePeople(random, guests, span);
      return shows;
    case "light":
      return { ...shows, ...otherLight(random, shows) };
    case "work":
      if (shows.belt) return { ...shows, belt: otherThan(random, BELTS, shows.belt) };
      if (shows.things) return { ...shows, things: otherThings(random, shows.things) };
      return { ...shows, display: jump(random, shows.display) };
    case "jump":
      return { ...shows, display: jump(random, shows.display) };
    default:
      return { ...shows, display: (shows.display + 1) % 100 };
  }
}

/** Somebody comes or goes, falls or rises. */
function changePeople(random: Random, guests: VisitDraft[], { from, to }: Span): void {
  const here = guests.filter(({ goes }) => goes === undefined);
  const lying = here.find((guest) => isLying(guest, from));
  const standing = here.filter((guest) => guest !== lying);
  const walk = { from, to: from + random.whole(WALK.least, Math.min(WALK.most, to - from - REST)) };
  const one = random.anyOf(standing);
  if (lying && random.chance(0.5)) {
    lying.lies = lying.lies.map((span) => ({ from: span.from, to: Math.min(span.to, from) }));
  } else if (!one || (here.length < MOST_PEOPLE && random.chance(COMING / here.length))) {
    const guest = guestOf(random, here);
    guests.push({ ...guest, comes: { ...walk, side: sideOf(random, guest, here) } });
  } else if (!lying && random.chance(0.2)) {
    one.lies = [...one.lies, { from, to: Number.POSITIVE_INFINITY }];
  } else {
    one.goes = { ...walk, side: sideOf(random, one, here) };
  }
}

function sideOf(random: Random, guest: Visit, here: readonly Visit[]): Side {
  const others = here.filter((other) => other !== guest);
  return freeSide(
    random,
    guest.spot,
    others.map(({ spot }) => spot),
  );
}

function otherLight(random: Random, { light, blinking }: Shown): Pick<Shown, "light" | "blinking"> {
  if (light !== "off" && random.chance(0.25)) return { light, blinking: !blinking };
  const next = otherThan(random, LIGHTS, light);
  return { light: next, blinking: next !== "off" && random.chance(0.2) };
}

function otherThings(random: Random, things: readonly Thing[]): Thing[] {
  const changing = random.pick(THINGS);
  return THINGS.filter((thing) => (thing === changing) !== things.includes(thing));
}

const jump = (random: Random, display: number) => (display + random.whole(2, 98)) % 100;

function otherThan<T>(random: Random, all: readonly T[], one: T): T {
  const step = random.whole(1, all.length - 1);
  return all[(all.indexOf(one) + step) % all.length] ?? one;
}
