import Type, { type Static } from "typebox";
import { Watch } from "./config-watches.ts";
import { Provenance } from "./observation.ts";
import { Id } from "./units.ts";

const closed = { additionalProperties: false };

/** A watch as it is written: durations as text. */
const WrittenWatch = Type.Unsafe<object>(Watch);

/** A watch, with where it comes from. */
export const WatchView = Type.Object(
  {
    id: Type.String(),
    origin: Type.Enum(["file", "changed", "added"], {
      description:
        "file: as in the configuration file. changed: in the file, and changed since. added: not in the file.",
    }),
    running: Type.Boolean({ description: "Whether it asks." }),
    reason: Type.Optional(Type.String({ description: "Why it does not." })),
    etag: Type.String({ description: "Of this very state, for If-Match." }),
    watch: WrittenWatch,
  },
  closed,
);
export type WatchView = Static<typeof WatchView>;

export const WatchList = Type.Object(
  {
    watches: Type.Array(WatchView),
    removed: Type.Array(Type.String(), {
      description: "Ids of watches of the configuration file that were removed; they can be restored.",
    }),
    leftOut: Type.Array(Type.Object({ id: Type.String(), reason: Type.String() }, closed), {
      description: "Changed watches that do not fit the configuration any more, and are not in force.",
    }),
  },
  closed,
);
export type WatchList = Static<typeof WatchList>;

export const WatchName = Type.Object({ id: Type.String({ maxLength: 63, description: "Id of the watch." }) });

const { id: _id, ...rest } = Watch.properties;
const { examples } = Watch as { examples?: readonly object[] };
const name = Type.Optional(Id("The same as in the address, if it is there."));

/** A watch whose id stands in the address. */
export const NamedWatch = Type.Object({ id: name, ...rest }, { ...closed, examples });
export type NamedWatch = Static<typeof NamedWatch>;

export const WatchSwitch = Type.Object(
  { enabled: Type.Boolean({ description: "On or off, from now on and over restarts." }) },
  closed,
);

export const IfMatch = Type.Object({
  "if-match": Type.Optional(
    Type.String({
      maxLength: 200,
      description: "The etag that was read: refused with 412 where somebody else changed it since.",
    }),
  ),
});

/** A watch that is tried: one of those that are there, or one that may become one. */
const Tried = Type.Object(
  { id: Type.Optional(Id("Name of the watch; any, or none.")), ...rest },
  { ...closed, description: "A watch that is not there (yet), as POST /api/watches takes it." },
);
const Base64 = (description: string) =>
  Type.String({ minLength: 1, maxLength: 27_000_000, description: `${description}, base64 or a data: URL.` });

export const Trial = Type.Object(
  {
    id: Type.Optional(Id("A watch that is there.")),
    watch: Type.Optional(Tried),
    snapshot: Type.Optional(
      Type.Boolean({
        description:
          "Ask about what the feeds show now: the newest picture, or several from now on; the next seconds of a microphone.",
      }),
    ),
    seconds: Type.Number({
      minimum: 0.5,
      maximum: 15,
      default: 4,
      description: "With snapshot: how long to listen to a microphone.",
    }),
    images: Type.Optional(
      Type.Array(Base64("JPEG, PNG or WebP"), {
        minItems: 1,
        maxItems: 4,
        description: "As many pictures as the watch asks about, oldest first.",
      }),
    ),
    audio: Type.Optional(Base64("WAV, MP3, Ogg, FLAC or M4A, 30 s at most")),
  },
  { ...closed, examples: [{ id: "visitor", snapshot: true }] },
);
export type Trial = Static<typeof Trial>;

const Milliseconds = Type.Number({ minimum: 0, description: "Ms." });

export const TrialResult = Type.Object(
  {
    watch: Type.String(),
    answer: Type.Record(Type.String(), Type.Union([Type.Boolean(), Type.Number(), Type.String()])),
    rules: Type.Array(
      Type.Object(
        {
          id: Type.String(),
          title: Type.Optional(Type.String()),
          severity: Type.String(),
          holds: Type.Boolean({
            description: "Whether its condition holds; an event would start once it has for `for`.",
          }),
        },
        closed,
      ),
    ),
    took: Type.Object(
      {
        media: Milliseconds,
        queue: Milliseconds,
        prompt: Milliseconds,
        decode: Milliseconds,
        total: Milliseconds,
      },
      closed,
    ),
    provenance: Provenance,
  },
  { ...closed, description: "What the model answered. Nothing of it is recorded or published." },
);
export type TrialResult = Static<typeof TrialResult>;
