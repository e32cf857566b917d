import type { SKRSContext2D } from "@napi-rs/canvas";
import { type Light, type Scene, shownLight } from "../world.ts";
import { type Colour, css, each, type Shade, shadeAt } from "./colour.ts";
import { paintBackground } from "./paint-background.ts";
import { lyingHead, paintPerson, standingHead } from "./paint-person.ts";
import { paintBelt, paintDesk } from "./paint-things.ts";
import type { Place, Point } from "./place.ts";

/** Where in the picture the things are that the model is asked about, pixels. */
export interface Landmarks {
  /** The lit lamp, or the middle one where none is lit. */
  readonly lamp: Point;
  readonly tens: Point;
  readonly units: Point;
  readonly heads: readonly Point[];
}

/** From the top down. */
const LAMPS: readonly { readonly light: Light; readonly colour: Colour }[] = [
  { light: "red", colour: [255, 35, 25] },
  { light: "amber", colour: [255, 180, 20] },
  { light: "green", colour: [40, 255, 70] },
];
/** The segments of each digit: a on top, then clockwise to f, g across the middle. */
const DIGITS = ["abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abfgcd"];
/** Distance of the two digits' left edges, and a digit's width, by its height. */
const DIGIT_STEP = 0.73;
const DIGIT_WIDTH = 0.52;

/** Draws the cell from back to front, as it is at `at`, epoch ms. */
export function paint(
  context: SKRSContext2D,
  place: Place,
  scene: Scene,
  at: number,
  daylight: number,
): Landmarks {
  const shade = shadeAt(daylight);
  paintBackground(context, place, shade);
  const lamp = paintLamp(context, place, shownLight(scene, at), shade);
  const { tens, units } = paintDisplay(context, place, scene.display, shade);
  const standing = scene.people.filter(({ pose }) => pose === "standing");
  const lying = scene.people.filter(({ pose }) => pose === "lying");
  for (const person of standing) paintPerson(context, place, person, shade);
  if (scene.belt) paintBelt(context, place, scene.belt, at, shade);
  if (scene.things) paintDesk(context, place, scene.things, shade);
  for (const person of lying) paintPerson(context, place, person, shade);
  const { post } = place;
  context.fillStyle = shade(post.colour);
  context.fillRect(post.x, -20, post.width, place.size.height + 40);
  const heads = [
    ...standing.map((person) => standingHead(place, person)),
    ...lying.map((person) => lyingHead(place, person)),
  ];
  return { lamp, tens, units, heads };
}

function paintLamp(
  context: SKRSContext2D,
  { lamp, floor, sensor }: Place,
  light: Light,
  shade: Shade,
): Point {
  const { x, y, width, height, round } = lamp;
  const middle = x + width / 2;
  context.fillStyle = shade([70, 70, 74]);
  context.fillRect(
    middle - width * 0.13,
    y + 3 * height,
    width * 0.26,
    floor.y - y - 3 * height + width * 0.3,
  );
  context.fillStyle = shade([60, 60, 62]);
  context.fillRect(x - width * 0.08, y - height * 0.2, width * 1.16, height * 0.2);
  let lit: Point = [middle, y + 1.5 * height];
  for (const [i, { light: own, colour }] of LAMPS.entries()) {
    const top = y + i * height;
    const centre = top + height / 2;
    const shines = own === light;
    const dark = each(colour, (value) => value * 0.33 + 25);
    if (shines) {
      lit = [middle, centre];
      const glow = context.createRadialGradient(middle, centre, width * 0.3, middle, centre, width * 1.15);
      glow.addColorStop(0, css(colour, 0.75 * sensor.lampPower));
      glow.addColorStop(1, css(colour, 0));
      context.fillStyle = glow;
      context.fillRect(middle - width * 1.2, centre - width * 1.2, width * 2.4, width * 2.4);
    }
    const power = sensor.lampPower;
    context.fillStyle = shines
      ? css(each(colour, (value, channel) => value * power + (dark[channel] ?? 0) * (1 - power)))
      : shade(dark);
    context.beginPath();
    if (round) context.ellipse(middle, centre, width / 2, height / 2 - 1, 0, 0, 2 * Math.PI);
    else context.rect(x, top, width, height * 0.92);
    context.fill();
  }
  return lit;
}

function paintDisplay(context: SKRSContext2D, { display }: Place, number: number, shade: Shade) {
  const { x, y, height, colour, panel } = display;
  const edge = height * 0.2;
  const wide = height * (DIGIT_STEP + DIGIT_WIDTH);
  context.fillStyle = shade([95, 95, 95]);
  context.fillRect(x - edge, y - edge, wide + 2 * edge, height + 2 * edge);
  const rim = height * 0.045;
  context.fillStyle = shade(panel);
  context.fillRect(x - edge + rim, y - edge + rim, wide + 2 * (edge - rim), height + 2 * (edge - rim));
  const digits = [Math.floor(number / 10), number % 10];
  const middles = digits.map((digit, place): Point => {
    const left = x + place * height * DIGIT_STEP;
    paintDigit(context, display, left, digit, css(colour), css(colour, display.ghost));
    return [left + (height * DIGIT_WIDTH) / 2, y + height / 2];
  });
  const [tens = [0, 0], units = [0, 0]] = middles;
  return { tens, units } as const;
}

function paintDigit(
  context: SKRSContext2D,
  { y, height, stroke: share, slant }: Place["display"],
  x: number,
  digit: number,
  on: string,
  off: string,
): void {
  const stroke = height * share;
  const width = height * DIGIT_WIDTH;
  const middle = height / 2;
  const segments: Record<string, readonly [number, number, number, number]> = {
    a: [0, 0, width, stroke],
    b: [width - stroke, 0, stroke, middle],
    c: [width - stroke, middle, stroke, middle],
    d: [0, height - stroke, width, stroke],
    e: [0, middle, stroke, middle],
    f: [0, 0, stroke, middle],
    g: [0, middle - stroke / 2, width, stroke],
  };
  const lit = DIGITS[digit] ?? "";
  context.save();
  // Leans to the right around the digit's middle.
  context.transform(1, 0, -slant, 1, x + slant * middle, y);
  for (const shown of [false, true]) {
    context.fillStyle = shown ? on : off;
    for (const [name, box] of Object.entries(segments))
      if (lit.includes(name) === shown) context.fillRect(...box);
  }
  context.restore();
}
