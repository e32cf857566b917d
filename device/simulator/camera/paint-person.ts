import type { SKRSContext2D } from "@napi-rs/canvas";
import { Random } from "../random.ts";
import type { Person } from "../world.ts";
import type { Colour, Shade } from "./colour.ts";
import type { Place, Point } from "./place.ts";

const SKINS: readonly [Colour, ...Colour[]] = [
  [224, 180, 150],
  [190, 140, 105],
  [150, 100, 70],
  [90, 60, 45],
];
const HAIRS: readonly [Colour, ...Colour[]] = [
  [30, 20, 15],
  [90, 60, 30],
  [200, 200, 200],
  [170, 130, 60],
];
/** Radius of a head, and what hangs below its middle, pixels at scale 1. */
const HEAD = 13;
const NECK = 12;
const HIP = 62;
const FEET = 122;
/** How far above the lower edge somebody lies, as a share of the height. */
const LIES_AT = 0.07;

interface Looks {
  readonly skin: Colour;
  readonly hair: Colour;
  readonly clothes: Colour;
  readonly trousers: Colour;
  readonly scale: number;
  /** Pixels that the head is off the place's usual height, of a picture 240 pixels high. */
  readonly up: number;
  readonly arms: boolean;
  /** Lies with the head to the left. */
  readonly left: boolean;
}

function looksOf({ looks }: Person): Looks {
  const random = new Random("looks", looks);
  const bright: Colour = [random.whole(15, 235), random.whole(15, 235), random.whole(15, 235)];
  const dull = random.whole(25, 70);
  return {
    skin: random.pick(SKINS),
    hair: random.pick(HAIRS),
    clothes: random.chance(0.75) ? bright : [235, 235, 240],
    trousers: [dull, dull, dull + 12],
    scale: random.between(0.88, 1.1),
    up: random.around(6),
    arms: random.chance(0.5),
    left: random.chance(0.5),
  };
}

export function standingHead({ size, head }: Place, person: Person): Point {
  return [person.x * size.width, head + (looksOf(person).up * size.height) / 240];
}

export function lyingHead({ size, scale }: Place, person: Person): Point {
  const { left, scale: own } = looksOf(person);
  const half = ((FEET - HEAD) / 2) * scale * own * (left ? -1 : 1);
  return [person.x * size.width + half, size.height * (1 - LIES_AT)];
}

export function paintPerson(context: SKRSContext2D, place: Place, person: Person, shade: Shade): void {
  const looks = looksOf(person);
  const lies = person.pose === "lying";
  const [x, y] = (lies ? lyingHead : standingHead)(place, person);
  context.save();
  context.translate(x, y);
  if (lies) context.rotate(looks.left ? -Math.PI / 2 : Math.PI / 2);
  const scale = place.scale * looks.scale;
  context.scale(scale, scale);
  paintUpright(context, looks, shade);
  context.restore();
}

/** With the middle of the head at the origin. */
function paintUpright(context: SKRSContext2D, looks: Looks, shade: Shade): void {
  context.fillStyle = shade(looks.trousers);
  context.fillRect(-16, HIP - 4, 13, FEET - HIP);
  context.fillRect(3, HIP - 4, 13, FEET - HIP);
  context.fillStyle = shade(looks.clothes);
  context.beginPath();
  context.roundRect(-21, NECK, 42, HIP - NECK, 9);
  context.fill();
  if (looks.arms) {
    context.fillRect(-27, NECK + 8, 8, 36);
    context.fillRect(19, NECK + 8, 8, 36);
  }
  context.fillStyle = shade(looks.skin);
  context.beginPath();
  context.arc(0, 0, HEAD, 0, 2 * Math.PI);
  context.fill();
  context.fillStyle = shade(looks.hair);
  context.beginPath();
  context.arc(0, 0, HEAD, Math.PI, 2 * Math.PI);
  context.fill();
}
