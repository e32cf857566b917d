/** What the model was never meant for: its answers mean nothing, but they have to stay answers. */

import type { AnswerSchema } from "../../../../service/contract/answer.ts";
import type { Grid } from "../../../../service/contract/grid.ts";
import { PATCH, SAMPLE_RATE } from "../../../../service/contract/media.ts";
import { wavOf } from "../../../../service/inference/media-check.ts";
import { encodeJpeg, type Picture } from "../../camera/camera.ts";
import { Random } from "../../random.ts";
import type { Item } from "./samples.ts";
import { schemaOf, taskOf } from "./tasks.ts";
import type { Trial } from "./trial.ts";

const SCHEMAS: readonly { readonly question: string; readonly schema: AnswerSchema }[] = [
  {
    question: "What is the weather outside, and how warm is it?",
    schema: {
      weather: { type: "enum", values: ["sunny", "cloudy", "rain", "snow"] },
      degrees: { type: "number", minimum: -40, maximum: 60 },
    },
  },
  {
    question: "Is there a fire extinguisher on the wall?",
    schema: { extinguisher: { type: "boolean" }, distance: { type: "integer", minimum: 0, maximum: 1000 } },
  },
  {
    question: "Describe the vehicle.",
    schema: {
      brand: { type: "string", maxLength: 20 },
      wheels: { type: "integer" },
      colour: { type: "string", maxLength: 12 },
      remarks: { type: "string", maxLength: 200 },
    },
  },
  {
    question: "Zähle die Flaschen.",
    schema: {
      anzahl: { type: "integer", minimum: -5 },
      voll: { type: "boolean" },
      leer: { type: "boolean" },
    },
  },
];

/** Invented fields about pictures of the cell. */
export const foreignSchemas = (items: readonly Item[]): Trial[] =>
  items.map((item, rank) => ({
    id: `foreign schema ${rank}`,
    group: "foreign schema",
    rank,
    item,
    ...(SCHEMAS[rank % SCHEMAS.length] ?? { question: "", schema: {} }),
    counted: {},
  }));

/** The usual questions about pictures and sounds from nowhere. */
export function foreignMedia(count: number, grid: Grid): Trial[] {
  const [image, sound] = [taskOf("image"), taskOf("sound")];
  return Array.from({ length: count }, (_, rank) => {
    const random = new Random("foreign", rank);
    const seen = rank % 2 === 0;
    const task = seen ? image : sound;
    const item: Item = seen
      ? { images: [encodeJpeg(foreignPicture(grid, random))], truth: {} }
      : { images: [], audio: wavOf(music(random)), truth: {} };
    return {
      id: `foreign media ${rank}`,
      group: seen ? "foreign picture" : "foreign sound",
      rank: rank >> 1,
      item,
      question: task.seen[0] ?? "",
      schema: schemaOf(task),
      counted: {},
    };
  });
}

/** Random pixels, a gradient, one colour, or a chequered board. */
function foreignPicture({ columns, rows }: Grid, random: Random): Picture {
  const [width, height] = [columns * PATCH, rows * PATCH];
  const rgba = new Uint8ClampedArray(width * height * 4);
  const [one, other] = [colourOf(random), colourOf(random)];
  const kind = random.pick<"pixels" | "gradient" | "plain" | "chequered">([
    "pixels",
    "gradient",
    "plain",
    "chequered",
  ]);
  const square = random.whole(8, 60);
  for (let i = 0; i < width * height; i += 1) {
    const [x, y] = [i % width, Math.floor(i / width)];
    const odd = (Math.floor(x / square) + Math.floor(y / square)) % 2;
    const mix = { pixels: 0, gradient: x / width, plain: 0, chequered: odd }[kind];
    for (let c = 0; c < 3; c += 1)
      rgba[i * 4 + c] =
        kind === "pixels" ? random.whole(0, 255) : (one[c] ?? 0) * (1 - mix) + (other[c] ?? 0) * mix;
    rgba[i * 4 + 3] = 255;
  }
  return { width, height, rgba };
}

const colourOf = (random: Random): number[] => Array.from({ length: 3 }, () => random.whole(0, 255));

/** One to three seconds of notes with overtones over a bass. */
function music(random: Random): Int16Array {
  const length = Math.round(random.between(1, 3) * SAMPLE_RATE);
  const beat = Math.round(random.between(0.15, 0.4) * SAMPLE_RATE);
  const root = random.between(110, 220);
  const notes = Array.from(
    { length: Math.ceil(length / beat) },
    () => root * 2 ** (random.whole(0, 24) / 12),
  );
  const voice = (frequency: number, at: number) =>
    [1, 0.5, 0.25, 0.12].reduce(
      (sum, gain, i) => sum + gain * Math.sin((2 * Math.PI * frequency * (i + 1) * at) / SAMPLE_RATE),
      0,
    );
  return Int16Array.from({ length }, (_, at) => {
    const decay = Math.exp((-3 * (at % beat)) / beat);
    const note = notes[Math.floor(at / beat)] ?? root;
    return 5000 * decay * voice(note, at) + 2500 * voice(root / 2, at);
  });
}
