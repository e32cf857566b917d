import Type, { type Static } from "typebox";
import { Rung } from "./decision.ts";
import { Readings } from "./readings.ts";

const closed = { additionalProperties: false };
const Bytes = (description: string) => Type.Integer({ minimum: 0, description: `${description}, bytes.` });
const Time = (description: string) =>
  Type.String({ format: "date-time", description: `${description}, ISO 8601 in UTC with ms.` });

/** A ladder of models.yaml and what of it is on this box. */
export const LadderView = Type.Object(
  {
    id: Type.String(),
    title: Type.String(),
    inUse: Type.Boolean({ description: "It is the configuration's." }),
    folder: Type.String({ description: "Where its files lie, or are to lie." }),
    levels: Type.Array(
      Type.Object(
        {
          id: Type.String(),
          default: Type.Boolean(),
          complete: Type.Boolean({ description: "All of its files are here." }),
        },
        closed,
      ),
      { description: "Best first." },
    ),
    files: Type.Array(
      Type.Object(
        {
          file: Type.String(),
          role: Type.Enum(["text", "mmproj"]),
          levels: Type.Array(Type.String(), { description: "Levels that use it." }),
          bytes: Bytes("What it must have"),
          found: Type.Union([Bytes("What it has"), Type.Null()], { description: "Null: it is not here." }),
          partial: Type.Union([Bytes("What has come of it"), Type.Null()], {
            description: "Null: it is not on its way.",
          }),
          verified: Type.Boolean({
            description: "Its sha256 was found to be right, and it has not changed since.",
          }),
          fetchable: Type.Boolean({ description: "models.yaml names where it comes from." }),
        },
        closed,
      ),
    ),
  },
  closed,
);
export type LadderView = Static<typeof LadderView>;

export const ModelsView = Type.Object(
  {
    running: Type.Object(
      {
        ladder: Type.String({ description: "remote: only servers elsewhere answer." }),
        level: Type.Union([Type.String(), Type.Null()], { description: "Null: none runs." }),
        reason: Type.Optional(Type.String({ description: "Why none runs." })),
      },
      closed,
    ),
    rungs: Type.Array(Rung, {
      description: "The levels that may run, as the planner sees them on this box.",
    }),
    ladders: Type.Array(LadderView),
  },
  closed,
);
export type ModelsView = Static<typeof ModelsView>;

const PartHealth = Type.Object(
  {
    state: Type.Enum(["starting", "ok", "degraded", "stopped"]),
    reason: Type.Optional(Type.String({ description: "What is wrong and what to do." })),
    detail: Type.Optional(
      Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()])),
    ),
  },
  closed,
);

export const SystemView = Type.Object(
  {
    node: Type.String({ description: "Name of this box in topics." }),
    version: Type.String(),
    config: Type.Union([Type.String(), Type.Null()], { description: "Path of the configuration file." }),
    runtime: Type.String({ description: "Node.js and the machine: v20.20.2 linux arm64." }),
    clock: Type.Object(
      {
        now: Time("The box's time"),
        timezone: Type.String(),
        started: Time("When the service started"),
        uptime: Type.Integer({ minimum: 0, description: "Seconds that the service runs." }),
        booted: Type.Integer({ minimum: 0, description: "Seconds that the box runs." }),
      },
      closed,
    ),
    parts: Type.Record(Type.String(), PartHealth, { description: "What each part of the service does." }),
    readings: Readings,
    processors: Type.Integer({ minimum: 1 }),
    load: Type.Array(Type.Number(), { description: "Of the last 1, 5 and 15 minutes." }),
    memory: Type.Object(
      { total: Bytes("Of the box"), free: Bytes("Of the box"), own: Bytes("Of the service itself") },
      closed,
    ),
    disk: Type.Union(
      [
        Type.Object(
          {
            folder: Type.String({ description: "The data folder." }),
            total: Bytes("Of its file system"),
            free: Bytes("That the service may use"),
            database: Bytes("Of the record with what belongs to it"),
          },
          closed,
        ),
        Type.Null(),
      ],
      { description: "Null: the data folder cannot be looked at." },
    ),
    record: Type.Union(
      [
        Type.Object(
          {
            observations: Type.Integer(),
            events: Type.Integer(),
            openEvents: Type.Integer(),
            outbox: Type.Integer({ description: "Messages that wait for the broker." }),
          },
          closed,
        ),
        Type.Null(),
      ],
      { description: "Rows; at most some seconds old. Null: the record is not open." },
    ),
    broker: Type.Union([Type.String(), Type.Null()], { description: "Where messages go." }),
  },
  closed,
);
export type SystemView = Static<typeof SystemView>;

export const ConfigView = Type.Object(
  {
    file: Type.Union([Type.String(), Type.Null()], { description: "Path of the configuration file." }),
    config: Type.Unsafe<object>(
      Type.Object(
        {},
        {
          description:
            "What stands in the file, with defaults filled in; references as they are written, secrets hidden.",
        },
      ),
    ),
    changes: Type.Object(
      {
        feeds: Type.Array(Type.String()),
        watches: Type.Object(
          {
            changed: Type.Array(Type.String()),
            added: Type.Array(Type.String()),
            removed: Type.Array(Type.String()),
          },
          closed,
        ),
      },
      { ...closed, description: "Ids of what was changed by HTTP and is laid over it." },
    ),
  },
  closed,
);
export type ConfigView = Static<typeof ConfigView>;
