import Type, { type Static } from "typebox";
import { GridText } from "./grid.ts";
import { Duration, Id } from "./units.ts";

const closed = { additionalProperties: false };

/** One weights file: where it lies under the ladder's folder, and what it must be. */
export const ModelFile = Type.Object(
  {
    file: Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]*\\.gguf$" }),
    bytes: Type.Integer({ minimum: 1 }),
    sha256: Type.String({ pattern: "^[0-9a-f]{64}$" }),
    url: Type.Optional(
      Type.String({ description: "Where the file comes from; Perch itself never fetches it unasked." }),
    ),
  },
  closed,
);
export type ModelFile = Static<typeof ModelFile>;

/** Size of the pictures that the model takes: fixed grids, or a budget that any aspect may fill. */
export const ImageShape = Type.Union(
  [
    Type.Object(
      {
        kind: Type.Literal("grid"),
        grids: Type.Array(GridText({ description: "Columns and rows of patches, as 7x4." }), {
          minItems: 1,
          maxItems: 8,
          uniqueItems: true,
          description:
            "The sizes that the model was trained on; a picture takes the one of the nearest aspect.",
        }),
      },
      closed,
    ),
    Type.Object(
      { kind: Type.Literal("budget"), tokens: Type.Integer({ minimum: 16, maximum: 1120 }) },
      closed,
    ),
  ],
  { discriminator: { propertyName: "kind" } },
);
export type ImageShape = Static<typeof ImageShape>;

export const Level = Type.Object(
  {
    id: Id("Name of the rung."),
    text: ModelFile,
    mmproj: ModelFile,
    image: ImageShape,
    context: Type.Integer({ minimum: 256, description: "Tokens a slot holds." }),
    slots: Type.Integer({ minimum: 1, maximum: 16, description: "Requests answered side by side." }),
    threads: Type.Integer({
      minimum: 0,
      maximum: 256,
      description: "Threads; 0: as many as there are cores.",
    }),
    gpuLayers: Type.Integer({ minimum: -1, description: "Layers on the GPU; -1: all." }),
    kv: Type.Enum(["f16", "q8_0"], { description: "Type of the KV cache." }),
    interval: Type.Optional(
      Duration({
        description:
          "Least time between two pictures of a watch at this level, for a level that answers slowly; sounds are all asked about.",
      }),
    ),
  },
  closed,
);
export type Level = Static<typeof Level>;

export const Ladder = Type.Object(
  {
    id: Id("Name of the ladder, for engine.ladder."),
    title: Type.String(),
    folder: Type.String({
      description:
        "Folder of the files: relative to models.yaml, or data:NAME for one under the data folder.",
    }),
    order: Type.Enum(["question-first", "media-first"], {
      description:
        "question-first lets the prefix cache keep the question; media-first is how a model trained that way must be asked.",
    }),
    default: Type.Optional(
      Id("Level that runs where engine.level names none. Without it the first; better ones cost more."),
    ),
    levels: Type.Array(Level, { minItems: 1, maxItems: 16, description: "Rungs, best first." }),
  },
  closed,
);
export type Ladder = Static<typeof Ladder>;

export const Models = Type.Object({ ladders: Type.Array(Ladder, { minItems: 1 }) }, closed);
export type Models = Static<typeof Models>;
