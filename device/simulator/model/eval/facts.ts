import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type GgufFileInfo, readGgufFileInfo } from "node-llama-cpp";
import Type, { type Static } from "typebox";
import Value from "typebox/value";
import type { Candidate } from "./candidates.ts";

/** What the trainer says of a training, in training.json. */
const Training = Type.Partial(
  Type.Object({
    steps: Type.Number(),
    samples: Type.Number(),
    minutes: Type.Number(),
    seed: Type.Number(),
    parameters: Type.Number(),
    machine: Type.String(),
  }),
);
export type Training = Static<typeof Training>;

export interface Facts {
  readonly parameters: number;
  /** What it is made of, a name and a value each. */
  readonly architecture: readonly (readonly [string, string])[];
  readonly training: Training;
}

/** From the headers of a level's files, and training.json beside them. */
export async function factsOf({ store, ladder, level }: Candidate): Promise<Facts> {
  const folder = store.folder(ladder);
  const [text, mmproj] = await Promise.all([
    headerOf(join(folder, level.text.file)),
    headerOf(join(folder, level.mmproj.file)),
  ]);
  const own: Record<string, unknown> = { ...nested(text.metadata, text.metadata.general.architecture) };
  const attention = nested(own, "attention");
  const vision = nested(nested(mmproj.metadata, "clip"), "vision");
  const audio = nested(nested(mmproj.metadata, "clip"), "audio");
  const patch = Number(vision.patch_size) * Number(nested(vision, "projector").scale_factor);
  return {
    parameters: elements(text) + elements(mmproj),
    architecture: [
      ["GGUF architecture", `\`${text.metadata.general.architecture}\``],
      ["width", String(own.embedding_length)],
      ["layers", `${own.block_count}, ${layersText(attention)}`],
      ["attention", `${attention.head_count} heads of ${attention.key_length}`],
      ["feed-forward", String(own.feed_forward_length)],
      ["vocabulary", vocabularyOf(text).toLocaleString("en")],
      ["pictures", `\`${vision.projector_type}\`, patches of ${patch} x ${patch} pixels, no encoder`],
      [
        "sound",
        `\`${audio.projector_type}\`, frames of ${audio.embedding_length} samples at 16 kHz, no encoder`,
      ],
    ],
    training: trainingOf(folder),
  };
}

const headerOf = (path: string): Promise<GgufFileInfo> => readGgufFileInfo(path, { logWarnings: false });

function layersText({
  sliding_window: window,
  sliding_window_pattern: pattern,
}: Record<string, unknown>): string {
  if (!Array.isArray(pattern)) return "all with full attention";
  const sliding = pattern.filter((slides) => slides === true).length;
  return `of which ${sliding} with a sliding window of ${window}`;
}

function vocabularyOf({ tensorInfo = [] }: GgufFileInfo): number {
  return Number(tensorInfo.find(({ name }) => name === "token_embd.weight")?.dimensions[1] ?? 0);
}

const elements = ({ tensorInfo = [] }: GgufFileInfo): number =>
  tensorInfo.reduce(
    (sum, { dimensions }) => sum + dimensions.reduce((all: number, one) => all * Number(one), 1),
    0,
  );

function trainingOf(folder: string): Training {
  const place = join(folder, "training.json");
  const found: unknown = existsSync(place) ? JSON.parse(readFileSync(place, "utf8")) : {};
  if (!Value.Check(Training, found)) throw new Error(`${place} does not say what a training was`);
  return found;
}

function nested(value: unknown, name: string): Record<string, unknown> {
  const inner =
    typeof value === "object" && value !== null
      ? Object.entries(value).find(([key]) => key === name)
      : undefined;
  return Object.fromEntries(Object.entries(inner?.[1] ?? {}));
}
