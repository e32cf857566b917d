import { type Canvas, createCanvas, ImageData, type SKRSContext2D } from "@napi-rs/canvas";
import { LUMA_HEIGHT, LUMA_WIDTH } from "../../../service/contract/media.ts";
import { Random } from "../random.ts";
import type { Script } from "../script.ts";
import type { CameraState, Scene } from "../world.ts";
import { type Colour, css, each } from "./colour.ts";
import { type Landmarks, paint } from "./paint.ts";
import {
  KNOWN_WALLS,
  NEW_WALLS,
  type PictureSize,
  type Place,
  type Point,
  placeOf,
  type Sensor,
} from "./place.ts";

export interface Picture extends PictureSize {
  /** Row by row; red, green, blue and 255. */
  readonly rgba: Uint8ClampedArray;
}

const JPEG_QUALITY = 88;
const GRAIN_SIZE = 509 * 1021;
const GRAIN = grainField();

/** What the camera of a cell sees. The same script, size and moment give the same bytes. */
export class CellCamera {
  private readonly places = new Map<number, Place>();

  constructor(
    private readonly script: Script,
    private readonly size: PictureSize,
  ) {}

  /** The picture at a moment of the script, ms. */
  picture(at: number): Picture {
    const { seed } = this.script;
    const { place: number, daylight } = this.script.settingAt(at);
    return render({
      place: this.place(number),
      scene: this.script.sceneAt(at),
      at,
      daylight,
      fault: new Random(seed, "fault", number),
      grain: new Random(seed, "grain", at),
    }).picture;
  }

  private place(number: number): Place {
    let place = this.places.get(number);
    if (!place) {
      const walls = [...KNOWN_WALLS, ...NEW_WALLS] as const;
      place = placeOf(new Random(this.script.seed, "place", number), this.size, { walls, variety: 1 });
      if (this.places.size > 8) this.places.clear();
      this.places.set(number, place);
    }
    return place;
  }
}

interface View {
  readonly place: Place;
  readonly scene: Scene;
  /** Ms. */
  readonly at: number;
  /** 0 at night to 1 at noon. */
  readonly daylight: number;
  /** Decides how a camera is moved, covered or blurred; the same while it lasts. */
  readonly fault: Random;
  /** Decides the sensor's noise; another one for each picture. */
  readonly grain: Random;
}

/** Renders one picture, and says where in it the things are that the model is asked about. */
export function render({ place, scene, at, daylight, fault, grain }: View): {
  picture: Picture;
  landmarks: Landmarks;
} {
  const { width, height } = place.size;
  const [first, second] = canvases(place.size);
  let context = first.getContext("2d");
  const turn = scene.camera === "moved" ? knocked(fault, place.size) : hanging(place);
  context.save();
  turn.apply(context);
  const seen = paint(context, place, scene, at, daylight);
  context.restore();
  const blur = blurOf(scene.camera, place.sensor, fault) * (height / 240);
  if (blur > 0.05) {
    context = second.getContext("2d");
    context.filter = `blur(${blur.toFixed(2)}px)`;
    context.drawImage(first, 0, 0);
    context.filter = "none";
  }
  if (scene.camera === "covered") cover(context, place.size, fault);
  const { data } = context.getImageData(0, 0, width, height);
  expose(data, scene.camera === "dark" ? darkened(place.sensor, fault) : place.sensor, grain);
  const landmarks = {
    lamp: turn.point(seen.lamp),
    tens: turn.point(seen.tens),
    units: turn.point(seen.units),
    heads: seen.heads.map(turn.point),
  };
  return { picture: { width, height, rgba: data }, landmarks };
}

/** A rotation about the middle, then a scale and a shift. */
class Turn {
  constructor(
    private readonly size: PictureSize,
    private readonly angle: number,
    private readonly scale: number,
    private readonly shift: Point,
  ) {}

  apply(context: SKRSContext2D): void {
    const { width, height } = this.size;
    context.translate(width / 2 + this.shift[0], height / 2 + this.shift[1]);
    context.rotate(this.angle);
    context.scale(this.scale, this.scale);
    context.translate(-width / 2, -height / 2);
  }

  readonly point = ([x, y]: Point): Point => {
    const { width, height } = this.size;
    const [across, down] = [(x - width / 2) * this.scale, (y - height / 2) * this.scale];
    const [cos, sin] = [Math.cos(this.angle), Math.sin(this.angle)];
    return [
      width / 2 + this.shift[0] + across * cos - down * sin,
      height / 2 + this.shift[1] + across * sin + down * cos,
    ];
  };
}

const DEGREE = Math.PI / 180;

const hanging = ({ size, sensor }: Place) =>
  new Turn(size, sensor.tilt * DEGREE, 1 + Math.abs(sensor.tilt) / 100, [0, 0]);

/** Knocked askew: turned by so much that nobody would hang a camera like that. */
function knocked(random: Random, size: PictureSize): Turn {
  const angle = random.between(13, 42) * (random.chance(0.5) ? 1 : -1);
  const shift: Point = [random.around(0.2 * size.width), random.around(0.2 * size.height)];
  return new Turn(size, angle * DEGREE, random.between(0.95, 1.3), shift);
}

const blurOf = (camera: CameraState, sensor: Sensor, fault: Random): number =>
  camera === "blurred" ? fault.between(5, 11) : sensor.softness;

/** Hardly any light left, and the noise that a sensor makes when it amplifies what there is. */
const darkened = (sensor: Sensor, fault: Random): Sensor => ({
  ...sensor,
  gain: fault.between(0.01, 0.06),
  offset: fault.between(-2, 6),
  grain: Math.max(sensor.grain, fault.between(2.5, 9)),
});

const COVERS: readonly [Colour, ...Colour[]] = [
  [224, 180, 150],
  [110, 75, 55],
  [200, 200, 195],
  [120, 120, 125],
  [190, 160, 90],
  [70, 90, 130],
  [130, 60, 60],
];

/** A hand, a cloth or tape before the lens; at an edge a little may be seen beside it. */
function cover(context: SKRSContext2D, { width, height }: PictureSize, random: Random): void {
  const base = each(random.pick(COVERS), (value) => value * random.between(0.75, 1.15));
  const angle = random.between(0, 2 * Math.PI);
  const reach = Math.hypot(width, height) / 2;
  const free = random.chance(0.5) ? random.between(0.05, 0.3) : 0;
  context.save();
  context.translate(width / 2, height / 2);
  context.rotate(angle);
  const fade = context.createLinearGradient(-reach, 0, reach, 0);
  fade.addColorStop(0, css(each(base, (value) => value * random.between(0.6, 1))));
  fade.addColorStop(0.5, css(base));
  fade.addColorStop(1, css(each(base, (value) => value * random.between(0.6, 1.15))));
  context.fillStyle = fade;
  context.filter = `blur(${(height * random.between(0.005, 0.03)).toFixed(1)}px)`;
  context.fillRect(-2 * reach, -2 * reach, 2 * reach + reach * (1 - free), 4 * reach);
  const folds = random.whole(0, 6);
  for (let i = 0; i < folds; i += 1) {
    const along = random.around(reach * (1 - free));
    context.fillStyle = css(
      each(base, (value) => value * random.between(0.7, 1.15)),
      0.6,
    );
    context.fillRect(along, -2 * reach, random.between(0.03, 0.2) * height, 4 * reach);
  }
  context.filter = "none";
  context.restore();
}

/** The sensor's gain, offset and grain, in place. */
function expose(rgba: Uint8ClampedArray, { gain, offset, grain }: Sensor, random: Random): void {
  let at = random.whole(0, GRAIN_SIZE - 1);
  const rough = grain / 32;
  for (let i = 0; i < rgba.length; i += 4) {
    if (at + 3 >= GRAIN_SIZE) at = 0;
    rgba[i] = (rgba[i] ?? 0) * gain + offset + (GRAIN[at] ?? 0) * rough;
    rgba[i + 1] = (rgba[i + 1] ?? 0) * gain + offset + (GRAIN[at + 1] ?? 0) * rough;
    rgba[i + 2] = (rgba[i + 2] ?? 0) * gain + offset + (GRAIN[at + 2] ?? 0) * rough;
    at += 3;
  }
}

/** Normal noise of deviation 32, of which every picture takes another piece. */
function grainField(): Int8Array {
  const random = new Random("grain");
  return Int8Array.from({ length: GRAIN_SIZE }, () => Math.max(-127, Math.min(127, random.normal() * 32)));
}

const made = new Map<string, readonly [Canvas, Canvas]>();

function canvases(size: PictureSize): readonly [Canvas, Canvas] {
  const name = `${size.width}x${size.height}`;
  let pair = made.get(name);
  if (!pair) {
    pair = [createCanvas(size.width, size.height), createCanvas(size.width, size.height)];
    made.set(name, pair);
  }
  return pair;
}

/** A picture as a JPEG; `quality` 1 to 100. */
export function encodeJpeg({ width, height, rgba }: Picture, quality = JPEG_QUALITY): Buffer {
  const [canvas] = canvases({ width, height });
  canvas.getContext("2d").putImageData(new ImageData(rgba, width, height), 0, 0);
  return canvas.encodeSync("jpeg", quality);
}

/** The gate's small picture: the mean luma (BT.601) of the pixels that fall on each cell. */
export function lumaOf(picture: Picture): Uint8Array {
  const luma = new Uint8Array(LUMA_WIDTH * LUMA_HEIGHT);
  const edge = (cell: number, cells: number, pixels: number) => Math.floor((cell * pixels) / cells);
  for (let row = 0; row < LUMA_HEIGHT; row += 1)
    for (let column = 0; column < LUMA_WIDTH; column += 1)
      luma[row * LUMA_WIDTH + column] = meanLuma(
        picture,
        edge(column, LUMA_WIDTH, picture.width),
        edge(column + 1, LUMA_WIDTH, picture.width),
        edge(row, LUMA_HEIGHT, picture.height),
        edge(row + 1, LUMA_HEIGHT, picture.height),
      );
  return luma;
}

function meanLuma(
  { width, rgba }: Picture,
  left: number,
  right: number,
  top: number,
  bottom: number,
): number {
  let sum = 0;
  for (let y = top; y < bottom; y += 1)
    for (let x = left; x < right; x += 1) {
      const at = (y * width + x) * 4;
      sum += 0.299 * (rgba[at] ?? 0) + 0.587 * (rgba[at + 1] ?? 0) + 0.114 * (rgba[at + 2] ?? 0);
    }
  return sum / ((right - left) * (bottom - top));
}
