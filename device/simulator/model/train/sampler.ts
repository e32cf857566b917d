/**
 * Streams the small model's training samples, rendered by the simulated cell itself, on standard output:
 *   sampler.ts --seed 1 --split train --mix image:3,frames:1,sound:3,both:2 --size 64
 *              --from 0 --every 1 --ramp 2000 --bank build/voices
 * Batches `from`, `from + every`, ... without end. Each is
 *   4 bytes   length of the header, little endian
 *   header    JSON: index, media, count, pictures (of a sample), columns, rows, samples (of a sound), truths
 *   pictures  count x pictures x height x width x 3 bytes; then count x pictures x patches x 4 targets
 *   sounds    count x samples signed 16 bit, little endian; then count x frames targets
 * (targets: see sample.ts and sound-sample.ts). What a batch holds is decided by seed, split and index.
 */
import { once } from "node:events";
import { parseArgs } from "node:util";
import { PATCH } from "../../../../service/contract/media.ts";
import { Random } from "../../random.ts";
import { VoiceBank } from "../../sound/voices.ts";
import { type Batch, clipLength, type Grid, type Media, sampleBatch } from "./sample.ts";

const GRIDS: readonly [Grid, Grid] = [
  { columns: 5, rows: 5 },
  { columns: 7, rows: 4 },
];
/** Difficulty of the first batch; it grows to 1 over `ramp` batches. */
const EASIEST = 0.15;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    split: { type: "string", default: "train" },
    mix: { type: "string", default: "image:3,frames:1,sound:3,both:2" },
    size: { type: "string", default: "64" },
    from: { type: "string", default: "0" },
    every: { type: "string", default: "1" },
    ramp: { type: "string", default: "0" },
    voices: { type: "string", default: "known" },
    bank: { type: "string", default: "build/voices" },
  },
});
const seed = Number(values.seed);
const split = values.split === "held-out" ? "held-out" : "train";
const voices = values.voices === "new" ? "new" : "known";
const count = Number(values.size);
const ramp = Number(values.ramp);
const bank = VoiceBank.read(values.bank);
const deck = values.mix.split(",").flatMap((part) => {
  const [media, share] = part.split(":");
  return Array<Media>(Number(share)).fill(media as Media);
});

process.stdout.on("error", () => process.exit(0));
for (let index = Number(values.from); ; index += Number(values.every)) {
  const random = new Random(seed, split, "batch", index);
  const media = deck[random.whole(0, deck.length - 1)] ?? "image";
  const grid = random.pick(GRIDS);
  const samples = clipLength(random);
  const difficulty = ramp > 0 ? Math.min(1, EASIEST + index / ramp) : 1;
  const options = { seed, index, split, media, count, grid, samples, difficulty, voices } as const;
  const batch = sampleBatch(options, bank);
  if (!process.stdout.write(encode(batch, { index, media, grid, samples })))
    await once(process.stdout, "drain");
}

interface Header {
  readonly index: number;
  readonly media: Media;
  readonly grid: Grid;
  readonly samples: number;
}

function encode(batch: Batch, { index, media, grid, samples }: Header): Buffer {
  const header = Buffer.from(
    JSON.stringify({
      index,
      media,
      count: batch.truths.length,
      pictures: batch.pictures[0]?.length ?? 0,
      ...grid,
      samples: batch.sounds.length > 0 ? samples : 0,
      truths: batch.truths,
    }),
  );
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length);
  const pictures = batch.pictures.flat();
  const pixels = Buffer.alloc(pictures.length * grid.columns * grid.rows * PATCH * PATCH * 3);
  let to = 0;
  for (const { rgba } of pictures)
    for (let from = 0; from < rgba.length; from += 4) {
      pixels[to] = rgba[from] ?? 0;
      pixels[to + 1] = rgba[from + 1] ?? 0;
      pixels[to + 2] = rgba[from + 2] ?? 0;
      to += 3;
    }
  return Buffer.concat([
    length,
    header,
    pixels,
    ...batch.patchTargets.flat(),
    ...batch.sounds.map((sound) => Buffer.from(sound.buffer, sound.byteOffset, sound.byteLength)),
    ...batch.frameTargets,
  ]);
}
