import Type, { type Static } from "typebox";
import { Decision, GOVERNOR_MODES, Rung } from "./decision.ts";
import { Readings } from "./readings.ts";
import { Duration } from "./units.ts";

const closed = { additionalProperties: false };
const Time = (description: string) =>
  Type.String({ format: "date-time", description: `${description}, ISO 8601 in UTC.` });
const OrNull = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T, description: string) =>
  Type.Union([schema, Type.Null()], { description });

/** What the box runs and how fast, why, and what it measured: the retained message and what HTTP shows. */
export const GovernorState = Type.Object(
  {
    at: Time("When this was decided or measured"),
    mode: Type.Enum([...GOVERNOR_MODES], {
      description: "auto; frozen or manual while an administrator's wish holds.",
    }),
    until: OrNull(Time("When the administrator's wish ends"), "Null: not by itself, or there is none."),
    level: Decision.properties.level,
    running: OrNull(Type.String(), "Level whose model answers now; null while none does or one is loaded."),
    pace: Decision.properties.pace,
    reason: Decision.properties.reason,
    text: Decision.properties.text,
    next: Decision.properties.next,
    refused: OrNull(
      Type.Object({ at: Time("When"), why: Type.String() }, closed),
      "The last command that could not be obeyed; null once one was.",
    ),
    readings: Type.Omit(Readings, ["at"]),
  },
  { ...closed, description: "Which level runs, how much of the time, why, and what the box measures." },
);
export type GovernorState = Static<typeof GovernorState>;

/** What HTTP shows: the state and the ladder on this box. */
export const GovernorView = Type.Object(
  { ...GovernorState.properties, ladder: Type.String(), rungs: Type.Array(Rung) },
  closed,
);
export type GovernorView = Static<typeof GovernorView>;

/** Longest time that an administrator's wish may hold, ms. */
export const LONGEST_WISH = 30 * 86_400_000;

/** What an administrator may ask by command line, HTTP and MQTT. */
export const GovernorCommand = Type.Object(
  {
    mode: Type.Enum([...GOVERNOR_MODES], {
      description: "auto: the governor decides. frozen: the level stays. manual: what stands here holds.",
    }),
    level: Type.Optional(
      Type.Union([Type.String(), Type.Null()], { description: "With manual. Null: no model runs." }),
    ),
    pace: Type.Optional(
      Type.Number({ minimum: 0, maximum: 1, description: "With manual: the highest share of the time." }),
    ),
    for: Type.Optional(
      Duration({ description: 'How long it holds: "30m", "8h", at most "30d". Without it one hour.' }),
    ),
  },
  { ...closed, description: "What an administrator asks of the governor for a while." },
);
export type GovernorCommand = Static<typeof GovernorCommand>;
