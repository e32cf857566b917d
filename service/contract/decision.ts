import Type, { type Static } from "typebox";

const closed = { additionalProperties: false };

/** A rung of the ladder as the planner sees it on this box. */
export const Rung = Type.Object(
  {
    level: Type.String(),
    /** Best first: 0 is the first of the ladder. */
    rank: Type.Integer({ minimum: 0 }),
    fits: Type.Boolean(),
    reason: Type.Union([Type.String(), Type.Null()], {
      description: "Why it does not fit or is out; null where it fits.",
    }),
    needs: Type.Array(Type.Object({ memory: Type.String(), bytes: Type.Integer({ minimum: 0 }) }, closed), {
      description: "What it takes of each pool of memory when it runs.",
    }),
    speed: Type.Number({
      minimum: 0,
      description: "Estimated or measured answers a second at full pace, relative to rank 0.",
    }),
    energy: Type.Number({ minimum: 0, description: "Joules an answer takes, relative to rank 0." }),
  },
  closed,
);
export type Rung = Static<typeof Rung>;

export const GOVERNOR_MODES = ["auto", "frozen", "manual"] as const;

/**
 * What an administrator asks of the governor for a while. Heat and memory are still watched: a pace is the
 * highest one, and a level that memory does not allow falls.
 */
export const Manual = Type.Object(
  {
    mode: Type.Enum(["frozen", "manual"], {
      description: "frozen: the level stays what it is; manual: it is what stands here.",
    }),
    level: Type.Optional(
      Type.Union([Type.String(), Type.Null()], { description: "Null: no model runs. Missing: as it is." }),
    ),
    pace: Type.Optional(Type.Number({ minimum: 0, maximum: 1, description: "Highest pace." })),
    until: Type.Union([Type.Number(), Type.Null()], {
      description: "Epoch ms at which the governor takes over again; null: not by itself.",
    }),
  },
  closed,
);
export type Manual = Static<typeof Manual>;

/** Why the governor decided what it did; stands beside a sentence for people. */
export const REASONS = [
  "start",
  "steady",
  "heat",
  "cooler",
  "memory",
  "memory_free",
  "pressure",
  "throttling",
  "critical",
  "no_sensors",
  "level_failed",
  "manual",
  "elsewhere",
] as const;
export type Reason = (typeof REASONS)[number];

/** What the governor wants: which rung runs, and what share of the time it may work. */
export const Decision = Type.Object(
  {
    level: Type.Union([Type.String(), Type.Null()], {
      description: "Null: nothing may run now; the gates go on watching.",
    }),
    pace: Type.Number({ minimum: 0, maximum: 1, description: "Share of the time that the model may work." }),
    reason: Type.Enum([...REASONS]),
    text: Type.String({ description: "The reason for a person, with figures." }),
    next: Type.Union([Type.String(), Type.Null()], { description: "When it will step up; null at the top." }),
  },
  closed,
);
export type Decision = Static<typeof Decision>;

/** A decision as the record keeps it. */
export interface DecisionRow extends Decision {
  /** Epoch ms. */
  readonly at: number;
  /** Hottest zone, degrees Celsius; null where nothing measures it. */
  readonly hottest: number | null;
  /** The temperatures were a simulated box's. */
  readonly simulated: boolean;
  /** What each pool of memory had free, bytes. */
  readonly free: Readonly<Record<string, number>>;
}

/** What a level took when it was loaded last. */
export interface LoadTaken {
  readonly ladder: string;
  readonly level: string;
  /** sha256 of the text model's file. */
  readonly model: string;
  readonly context: number;
  readonly slots: number;
  readonly kv: string;
  readonly gpuLayers: number;
  readonly needs: readonly { readonly memory: string; readonly bytes: number }[];
  /** To the first answer, ms. */
  readonly ms: number;
  /** Epoch ms. */
  readonly at: number;
}
