import { PATCH, SAMPLE_RATE, type Truth } from "../../../../service/contract/media.ts";
import { type Picture, render } from "../../camera/camera.ts";
import type { Landmarks } from "../../camera/paint.ts";
import { KNOWN_WALLS, NEW_WALLS, type Point, placeOf } from "../../camera/place.ts";
import { Random } from "../../random.ts";
import { soundSample } from "../../sound/sound-sample.ts";
import type { VoiceBank } from "../../sound/voices.ts";
import {
  BELTS,
  BLINK,
  CAMERA_STATES,
  jointTruth,
  LIGHTS,
  MOST_PEOPLE,
  type Person,
  picturesTruth,
  pictureTruth,
  type Scene,
  shownLight,
  soundTruth,
  THINGS,
} from "../../world.ts";

export const MEDIA = ["image", "frames", "sound", "both"] as const;
export type Media = (typeof MEDIA)[number];

export interface Grid {
  readonly columns: number;
  readonly rows: number;
}

export interface SampleOptions {
  readonly seed: number;
  /** Number of the batch: with seed and split it decides everything. */
  readonly index: number;
  readonly split: "train" | "held-out";
  readonly media: Media;
  readonly count: number;
  readonly grid: Grid;
  /** Samples of sound at 16 kHz, of each clip. */
  readonly samples: number;
  /** 1: the whole world; nearer 0: places look alike and little disturbs. */
  readonly difficulty: number;
  /** Voices that speak. */
  readonly voices: "known" | "new";
}

/** Samples with what a perfect viewer and listener would say of them, and where the answers come from. */
export interface Batch {
  /** One or two pictures a sample; none where it is only heard. */
  readonly pictures: Picture[][];
  readonly sounds: Int16Array[];
  readonly truths: Truth[];
  /** For each picture, four bytes a patch: see patchTargets. */
  readonly patchTargets: Uint8Array[][];
  /** For each sound, a byte for every 40 ms: see sound-sample.ts. */
  readonly frameTargets: Uint8Array[];
}

/** Tells the training not to learn from a target. */
const UNKNOWN = 255;

/** The same options give the same samples; no two splits share a place, a background or a voice recipe. */
export function sampleBatch(options: SampleOptions, bank: VoiceBank): Batch {
  const { seed, index, split, media, count } = options;
  const batch: Batch = { pictures: [], sounds: [], truths: [], patchTargets: [], frameTargets: [] };
  for (let i = 0; i < count; i += 1) {
    const random = new Random(seed, split, media, index, i);
    const seen = media === "sound" ? undefined : see(random, options);
    const heard = media === "sound" || media === "both" ? listen(random, options, bank) : undefined;
    if (seen) {
      batch.pictures.push(seen.pictures);
      batch.patchTargets.push(seen.targets);
    }
    if (heard) {
      batch.sounds.push(heard.samples);
      batch.frameTargets.push(heard.targets);
    }
    const truth = heard && seen ? jointTruth(seen.truth, heard.truth) : (seen ?? heard)?.truth;
    batch.truths.push(truth ?? {});
  }
  return batch;
}

/** Samples of sound in a clip of a batch: 0.6 to 2.4 s, whole model frames but for the last. */
export const clipLength = (random: Random): number =>
  Math.round(random.between(0.6, 2.4) * SAMPLE_RATE) - random.whole(0, 320);

function listen(random: Random, { samples, split, difficulty, voices }: SampleOptions, bank: VoiceBank) {
  const sample = soundSample(random, samples, bank, { split, difficulty, voices });
  return { ...sample, truth: soundTruth(sample.heard) };
}

function see(random: Random, { split, media, grid, difficulty }: SampleOptions) {
  const size = { width: grid.columns * PATCH, height: grid.rows * PATCH };
  const walls = split === "train" ? KNOWN_WALLS : random.chance(0.5) ? KNOWN_WALLS : NEW_WALLS;
  const place = placeOf(random, size, { walls, variety: difficulty });
  const twice = media === "frames";
  const scene = sceneOf(random, size.width / size.height, twice);
  const daylight = random.chance(0.3 * difficulty) ? random.between(0, 0.4) : random.between(0.7, 1);
  // A blinking lamp is seen lit first as often as last.
  const first = Math.floor(random.next() * 1000) * (BLINK / 2);
  const fault = random.whole(0, 2 ** 31);
  const shots = (twice ? [first, first + BLINK / 2] : [first]).map((at) =>
    render({
      place,
      scene,
      at,
      daylight,
      fault: new Random(fault),
      grain: new Random(random.whole(0, 2 ** 31)),
    }),
  );
  const times = twice ? [first, first + BLINK / 2] : [first];
  return {
    pictures: shots.map(({ picture }) => picture),
    targets: shots.map(({ landmarks }, i) => patchTargets(scene, times[i] ?? first, landmarks, grid)),
    truth: twice ? picturesTruth(scene) : pictureTruth(scene, first),
  };
}

function sceneOf(random: Random, aspect: number, twice: boolean): Scene {
  const light = random.pick(LIGHTS);
  const furniture = random.next();
  const ok = random.chance(0.86);
  return {
    people: peopleOf(random, aspect),
    light,
    // One picture of a blinking lamp is that of a steady one, or of none.
    blinking: twice && light !== "off" && random.chance(0.5),
    display: random.whole(0, 99),
    ...(furniture < 0.33 && { belt: random.pick(BELTS) }),
    ...(furniture > 0.67 && { things: THINGS.filter(() => random.chance(0.5)) }),
    camera: ok ? "ok" : (CAMERA_STATES[random.whole(1, CAMERA_STATES.length - 1)] ?? "ok"),
  };
}

/** Up to three people, apart by so much that nobody hides another's head or body. */
function peopleOf(random: Random, aspect: number): Person[] {
  const count = random.whole(0, MOST_PEOPLE);
  const apart = 0.2 / aspect;
  const people: Person[] = [];
  let lying = 0;
  for (let i = 0; i < count; i += 1) {
    const pose = lying === 0 && random.chance(0.13) ? "lying" : "standing";
    if (pose === "lying") lying += 1;
    const margin = (pose === "lying" ? 0.28 : 0.1) / aspect;
    for (let tries = 0; tries < 200; tries += 1) {
      const x = random.between(margin, 1 - margin);
      const free = people.every((other) => other.pose !== pose || Math.abs(other.x - x) >= apart);
      if (!free) continue;
      people.push({ looks: random.whole(0, 2 ** 31), x, pose });
      break;
    }
  }
  return people;
}

/**
 * For every patch four bytes: the light shown by the lamp whose middle lies there (0 none, 1 off, 2 green,
 * 3 amber, 4 red), the digit of the tens and of the units there (0 none, else 1 + digit), and the number
 * of heads; all UNKNOWN where the camera shows none of it.
 */
function patchTargets(scene: Scene, at: number, landmarks: Landmarks, { columns, rows }: Grid): Uint8Array {
  const targets = new Uint8Array(columns * rows * 4);
  if (scene.camera !== "ok") return targets.fill(UNKNOWN);
  const add = ([x, y]: Point, which: number, value: number) => {
    const [column, row] = [Math.floor(x / PATCH), Math.floor(y / PATCH)];
    if (column < 0 || row < 0 || column >= columns || row >= rows) return;
    const place = (row * columns + column) * 4 + which;
    targets[place] = which === 3 ? (targets[place] ?? 0) + value : value;
  };
  add(landmarks.lamp, 0, 1 + LIGHTS.indexOf(shownLight(scene, at)));
  add(landmarks.tens, 1, 1 + Math.floor(scene.display / 10));
  add(landmarks.units, 2, 1 + (scene.display % 10));
  for (const head of landmarks.heads) add(head, 3, 1);
  return targets;
}
