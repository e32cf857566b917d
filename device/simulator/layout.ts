import type { Random } from "./random.ts";
import { type Box, type Colour, Raster } from "./raster.ts";
import type { Light, SceneTruth } from "./timeline.ts";

/** Where everything in the cell stands and which colours it has; lengths in pixels. */
export interface Layout {
  readonly wall: Colour;
  readonly floor: { readonly y: number; readonly colour: Colour };
  readonly clutter: readonly Clutter[];
  readonly lamp: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
  readonly display: {
    readonly x: number;
    readonly y: number;
    readonly height: number;
    readonly stroke: number;
    readonly colour: Colour;
  };
  readonly machine: { readonly x: number; readonly y: number };
}

interface Clutter {
  readonly shape: "rectangle" | "ellipse";
  readonly box: Box;
  readonly colour: Colour;
}

const DISPLAY_COLOURS: readonly [Colour, ...Colour[]] = [
  [255, 60, 40],
  [90, 255, 120],
  [120, 200, 255],
  [255, 230, 120],
  [245, 245, 245],
];
const SKINS: readonly [Colour, ...Colour[]] = [
  [224, 180, 150],
  [150, 100, 70],
  [90, 60, 45],
  [40, 40, 45],
];
const HAIRS: readonly [Colour, ...Colour[]] = [
  [30, 20, 15],
  [90, 60, 30],
  [200, 200, 200],
  [20, 20, 20],
];
const TROUSERS: Colour = [45, 45, 60];
/** From the top down. */
const LAMPS: readonly { readonly light: Light; readonly colour: Colour }[] = [
  { light: "red", colour: [255, 35, 25] },
  { light: "amber", colour: [255, 180, 20] },
  { light: "green", colour: [40, 255, 70] },
];
/** The strokes of each digit: a on top, then clockwise to f, g across the middle. */
const DIGITS = [
  "abcdef",
  "bc",
  "abged",
  "abgcd",
  "fgbc",
  "afgcd",
  "afgedc",
  "abc",
  "abcdefg",
  "abfgcd",
] as const;

/**
 * A cell as the small model's training data had them: every range below is that of its renderer, because
 * the model knows nothing else.
 */
export function layoutOf(random: Random, size: number): Layout {
  const tint: Colour = [random.whole(90, 210), random.whole(90, 210), random.whole(90, 210)];
  const grey = Math.floor((tint[0] + tint[1] + tint[2]) / 3);
  const wall = each(tint, (value) => value * 0.4 + grey * 0.6);
  const displayHeight = 44 + random.around(6);
  return {
    wall,
    floor: {
      y: Math.trunc(175 + random.around(20)),
      colour: each(wall, (value) => value * random.between(0.5, 0.8)),
    },
    clutter: Array.from({ length: random.whole(0, 5) }, () => clutterOf(random, wall, size)),
    lamp: {
      x: 28 + random.around(14),
      y: 30 + random.around(14),
      width: 22 + random.around(3),
      height: 24 + random.around(3),
    },
    display: {
      x: 126 + random.around(16),
      y: 26 + random.around(14),
      height: displayHeight,
      stroke: displayHeight * random.between(0.11, 0.16),
      colour: random.pick(DISPLAY_COLOURS),
    },
    machine: { x: 172 + random.around(18), y: 150 + random.around(8) },
  };
}

function clutterOf(random: Random, wall: Colour, size: number): Clutter {
  const x = random.whole(0, size);
  const y = random.whole(0, size);
  return {
    box: [x, y, x + random.whole(6, 50), y + random.whole(6, 50)],
    colour: each(wall, (value) => value * random.between(0.6, 1.25)),
    shape: random.chance(0.6) ? "rectangle" : "ellipse",
  };
}

/** Draws the cell from back to front. `visitor` decides how the person looks, if one is there. */
export function paint(layout: Layout, truth: SceneTruth, visitor: Random, size: number): Raster {
  const raster = new Raster(size);
  const { wall, floor, machine } = layout;
  raster.rectangle([0, 0, size, size], wall);
  raster.rectangle([0, floor.y, size, size], floor.colour);
  for (const { shape, box, colour } of layout.clutter) raster[shape](box, colour);
  paintLamp(raster, layout, truth.light);
  paintDisplay(raster, layout, truth.display);
  raster.rectangle(
    [machine.x, machine.y, machine.x + 60, floor.y + 30],
    each(wall, (value) => value * 0.7),
  );
  if (truth.person) paintPerson(raster, visitor);
  return raster;
}

function paintLamp(raster: Raster, { lamp, wall, floor }: Layout, light: Light): void {
  const { x, y, width, height } = lamp;
  const middle = x + width / 2;
  raster.rectangle([middle - 3, y + 3 * height, middle + 3, floor.y + 8], [70, 70, 74]);
  raster.rectangle([x - 2, y - 5, x + width + 2, y], [60, 60, 62]);
  for (const [i, { light: own, colour }] of LAMPS.entries()) {
    const top = y + i * height;
    const lit = own === light;
    if (lit) {
      const glow = each(wall, (value, channel) => 0.55 * value + 0.45 * (colour[channel] ?? 0));
      raster.ellipse([x - 7, top - 4, x + width + 7, top + height + 4], glow);
    }
    const shown = lit ? colour : each(colour, (value) => value * 0.33 + 25);
    raster.rectangle([x, top, x + width, top + height - 2], shown);
  }
}

function paintDisplay(raster: Raster, { display }: Layout, number: number): void {
  const { x, y, height } = display;
  const width = height / 2;
  const edge = 9;
  const right = x + 2 * width + 10 + edge;
  const bottom = y + height + edge;
  raster.rectangle([x - edge, y - edge, right, bottom], [95, 95, 95]);
  raster.rectangle(
    [Math.trunc(x - edge) + 2, Math.trunc(y - edge) + 2, Math.trunc(right) - 2, Math.trunc(bottom) - 2],
    [18, 20, 24],
  );
  paintDigit(raster, display, x, Math.floor(number / 10));
  paintDigit(raster, display, x + width + 10, number % 10);
}

function paintDigit(
  raster: Raster,
  { y, height, stroke, colour }: Layout["display"],
  x: number,
  digit: number,
) {
  const right = x + height / 2;
  const middle = y + height / 2;
  const bottom = y + height;
  const strokes: Record<string, Box> = {
    a: [x, y, right, y + stroke],
    b: [right - stroke, y, right, middle],
    c: [right - stroke, middle, right, bottom],
    d: [x, bottom - stroke, right, bottom],
    e: [x, middle, x + stroke, bottom],
    f: [x, y, x + stroke, middle],
    g: [x, middle - stroke / 2, right, middle + stroke / 2],
  };
  const lit = DIGITS[digit] ?? "";
  for (const [name, box] of Object.entries(strokes)) if (lit.includes(name)) raster.rectangle(box, colour);
}

function paintPerson(raster: Raster, random: Random): void {
  const x = 112 + random.around(38);
  const y = 118 + random.around(12);
  const scale = random.between(0.8, 1.15);
  const skin = random.pick(SKINS);
  const hair = random.pick(HAIRS);
  const bright: Colour = [random.whole(15, 235), random.whole(15, 235), random.whole(15, 235)];
  const clothes: Colour = random.chance(0.7) ? bright : [35, 35, 40];
  const head = 13 * scale;
  const chin = y + head;
  const hip = chin + 50 * scale;
  const feet = chin + 110 * scale;
  raster.roundedRectangle([x - 22 * scale, chin, x + 22 * scale, chin + 58 * scale], 10, clothes);
  raster.rectangle([x - 17 * scale, hip, x - 4 * scale, feet], TROUSERS);
  raster.rectangle([x + 4 * scale, hip, x + 17 * scale, feet], TROUSERS);
  raster.ellipse([x - head, y - head, x + head, y + head], skin);
  raster.upperHalf([x - head, y - head, x + head, y + head], hair);
}

function each(colour: Colour, change: (value: number, channel: number) => number): Colour {
  const [red, green, blue] = colour;
  return [
    Math.min(255, Math.trunc(change(red, 0))),
    Math.min(255, Math.trunc(change(green, 1))),
    Math.min(255, Math.trunc(change(blue, 2))),
  ];
}
