import type { Random } from "../random.ts";
import { type Colour, each } from "./colour.ts";

/** Pixels, from the upper left. */
export type Point = readonly [x: number, y: number];

/** Pixels. */
export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/** Backgrounds that the small model was trained with, and those that only its evaluation shows it. */
export const KNOWN_WALLS = ["plain", "gradient", "tiles", "panels", "window", "shelves"] as const;
export const NEW_WALLS = ["bricks", "posters"] as const;
export type Wall = (typeof KNOWN_WALLS)[number] | (typeof NEW_WALLS)[number];

/** Where everything in a cell stands and how it looks; lengths in pixels. */
export interface Place {
  readonly size: PictureSize;
  readonly wall: {
    readonly style: Wall;
    readonly colour: Colour;
    readonly other: Colour;
    readonly step: number;
  };
  readonly floor: { readonly y: number; readonly colour: Colour };
  readonly clutter: readonly Clutter[];
  /** Upper left of the topmost lamp, and the size of each of the three. */
  readonly lamp: Box & { readonly round: boolean };
  /** Upper left of the tens digit; `height` of a digit. */
  readonly display: {
    readonly x: number;
    readonly y: number;
    readonly height: number;
    /** Share of the height. */
    readonly stroke: number;
    readonly slant: number;
    /** How much of an unlit segment can be seen, 0 to 1. */
    readonly ghost: number;
    readonly colour: Colour;
    readonly panel: Colour;
  };
  /** Top edge and ends of the desk, and of the belt, where a scene has one. */
  readonly desk: Surface;
  readonly belt: Surface;
  /** A post that stands before everything, 0 pixels wide where there is none. */
  readonly post: { readonly x: number; readonly width: number; readonly colour: Colour };
  /** Middle of a standing person's head, pixels from above, and the scale of people. */
  readonly head: number;
  readonly scale: number;
  readonly sensor: Sensor;
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

interface Surface {
  readonly left: number;
  readonly right: number;
  readonly y: number;
  readonly colour: Colour;
}

interface Clutter {
  readonly shape: "rectangle" | "ellipse";
  readonly box: Box;
  readonly colour: Colour;
}

/** How the camera renders what it sees. */
export interface Sensor {
  /** value * gain + offset, of 255. */
  readonly gain: number;
  readonly offset: number;
  /** Deviation of the grain, of 255. */
  readonly grain: number;
  /** Blur of the lens, pixels of a picture 240 pixels high. */
  readonly softness: number;
  /** How crookedly it hangs, degrees. */
  readonly tilt: number;
  /** Share of its colour that a lit lamp shows: a failing one shows less. */
  readonly lampPower: number;
}

const DISPLAY_COLOURS: readonly [Colour, ...Colour[]] = [
  [255, 60, 40],
  [90, 255, 120],
  [120, 200, 255],
  [255, 230, 120],
  [245, 245, 245],
  [255, 150, 30],
];

interface Options {
  /** Whose backgrounds: those of the training, or others. */
  readonly walls: readonly [Wall, ...Wall[]];
  /** 1: everything may stand anywhere; near 0: all places look alike. */
  readonly variety: number;
}

/** A place. The same random numbers give the same one. */
export function placeOf(random: Random, size: PictureSize, { walls, variety }: Options): Place {
  const { width, height } = size;
  /** Height is the measure of all lengths, so that a wide picture shows more, not bigger things. */
  const share = (low: number, high: number) => height * spread(random, low, high, variety);
  const wall = wallColour(random);
  const { lamp, display } = apart(random, size, variety);
  const floor = share(0.68, 0.84);
  const deskWidth = height * random.between(0.36, 0.5);
  const deskLeft = random.between(0, width - deskWidth);
  const beltLeft = random.chance(0.5) ? -5 : width * random.between(0, 0.2);
  return {
    size,
    wall: {
      style: random.pick(walls),
      colour: wall,
      other: each(wall, (value) => value * random.between(0.75, 1.2)),
      step: share(0.08, 0.24),
    },
    floor: { y: floor, colour: each(wall, (value) => value * random.between(0.5, 0.85)) },
    clutter: Array.from({ length: Math.round(random.whole(0, 6) * variety) }, () =>
      clutterOf(random, wall, size),
    ),
    lamp: { ...lamp, round: random.chance(0.3) },
    display: {
      ...display,
      stroke: random.between(0.11, 0.17),
      slant: random.chance(0.4) ? random.between(0, 0.12) : 0,
      ghost: random.chance(0.5) ? random.between(0, 0.14) : 0,
      colour: random.pick(DISPLAY_COLOURS),
      panel: each([18, 20, 24], (value) => value + random.between(0, 22)),
    },
    desk: {
      left: deskLeft,
      right: deskLeft + deskWidth,
      y: share(0.75, 0.81),
      colour: each(wall, (value) => value * random.between(0.45, 0.7)),
    },
    belt: {
      left: beltLeft,
      right: random.chance(0.5) ? width + 5 : width * random.between(0.8, 1),
      y: share(0.81, 0.86),
      colour: each([60, 62, 66], (value) => value * random.between(0.6, 1.5)),
    },
    post: postOf(random, size, wall, variety),
    head: share(0.53, 0.6),
    scale: (height / 240) * spread(random, 0.85, 1.05, variety),
    sensor: {
      gain: random.between(1 - 0.35 * variety, 1 + 0.15 * variety),
      offset: random.around(15 * variety),
      grain: random.between(0, 13 * variety),
      softness: random.chance(0.6) ? random.between(0, 0.9 * variety) : 0,
      tilt: random.around(2 * variety),
      lampPower: random.chance(0.25) ? random.between(0.65, 1) : 1,
    },
  };
}

/** Lamp and display in the upper half, side by side in either order, neither touching the other. */
function apart(random: Random, { width, height }: PictureSize, variety: number) {
  const lamp = {
    width: height * random.between(0.085, 0.115),
    height: height * random.between(0.09, 0.118),
    y: height * spread(random, 0.05, 0.11, variety),
  };
  const digit = height * random.between(0.18, 0.24);
  const edge = digit * 0.2;
  const panel = { width: digit * 1.25 + 2 * edge, height: digit + 2 * edge };
  const display = { height: digit, y: edge + height * spread(random, 0.03, 0.16, variety) };
  const room = width - lamp.width - panel.width - 0.12 * height;
  const first = room * spread(random, 0.1, 0.7, variety);
  const between = 0.06 * height + (room - first) * spread(random, 0, 0.9, variety);
  const lampLeft = variety < 1 ? random.next() < 0.5 + 0.5 * (1 - variety) : random.chance(0.5);
  const left = 0.03 * height + first;
  return lampLeft
    ? {
        lamp: { ...lamp, x: left },
        display: { ...display, x: left + lamp.width + between + edge },
      }
    : {
        lamp: { ...lamp, x: left + panel.width + between },
        display: { ...display, x: left + edge },
      };
}

/** At the left or right edge, where it hides nobody's head. */
function postOf(
  random: Random,
  { width, height }: PictureSize,
  wall: Colour,
  variety: number,
): Place["post"] {
  const thick = random.chance(0.25 * variety) ? height * random.between(0.03, 0.06) : 0;
  const out = random.between(0, 0.02 * height);
  return {
    x: random.chance(0.5) ? -out : width - thick + out,
    width: thick,
    colour: each(wall, (value) => value * random.between(0.5, 1.2)),
  };
}

/** Between low and high, drawn towards their middle where variety is small. */
function spread(random: Random, low: number, high: number, variety: number): number {
  const middle = (low + high) / 2;
  return middle + random.around((high - low) / 2) * variety;
}

function wallColour(random: Random): Colour {
  const tint: Colour = [random.whole(80, 220), random.whole(80, 220), random.whole(80, 220)];
  const grey = (tint[0] + tint[1] + tint[2]) / 3;
  const share = random.between(0.2, 0.6);
  return each(tint, (value) => value * share + grey * (1 - share));
}

function clutterOf(random: Random, wall: Colour, { width, height }: PictureSize): Clutter {
  const side = () => height * random.between(0.03, 0.2);
  return {
    box: { x: random.between(-10, width), y: random.between(0, height), width: side(), height: side() },
    colour: each(wall, (value) => value * random.between(0.6, 1.25)),
    shape: random.chance(0.6) ? "rectangle" : "ellipse",
  };
}
