import Type, { type Static } from "typebox";
import { Severity } from "./config-watches.ts";

const closed = { additionalProperties: false };
const Time = (description: string) =>
  Type.String({ format: "date-time", description: `${description}, ISO 8601 in UTC with ms.` });
const Milliseconds = (description: string) => Type.Number({ minimum: 0, description: `${description}, ms.` });

/** What produced an answer, so that anyone can ask later how sure we were and what was running. */
export const Provenance = Type.Object(
  {
    ladder: Type.String({ description: "remote: a server elsewhere answered." }),
    level: Type.String({ description: "The server's id where one elsewhere answered." }),
    model: Type.String({
      description:
        "First 16 hex digits of the sha256 of the text model's file; of a server elsewhere what it calls its model.",
    }),
    server: Type.Optional(
      Type.String({ description: "Id of the server elsewhere that answered; missing where this box did." }),
    ),
    hottest: Type.Union([Type.Number(), Type.Null()], {
      description: "Hottest zone in degrees Celsius; null where nothing measures it.",
    }),
    simulated: Type.Optional(
      Type.Literal(true, { description: "The temperature is a simulated box's; nobody measured it." }),
    ),
    queue: Milliseconds("Time from the gate to the engine"),
    prompt: Milliseconds("Time on the prompt"),
    decode: Milliseconds("Time on the answer"),
    tokens: Type.Object(
      {
        prompt: Type.Integer({ minimum: 0, description: "Prompt tokens, the cached ones included." }),
        cached: Type.Integer({ minimum: 0 }),
        answer: Type.Integer({ minimum: 0 }),
      },
      closed,
    ),
  },
  closed,
);
export type Provenance = Static<typeof Provenance>;

const AnswerValues = Type.Record(Type.String(), Type.Union([Type.Boolean(), Type.Number(), Type.String()]), {
  description: "The answer's fields, as the watch's schema has them.",
});

export const Observation = Type.Object(
  {
    id: Type.String({ description: "UUIDv7." }),
    node: Type.String(),
    watch: Type.String(),
    feeds: Type.Array(Type.String()),
    captured: Time("When the newest media of the question was captured"),
    answered: Time("When the answer was complete"),
    answer: AnswerValues,
    provenance: Provenance,
  },
  { ...closed, description: "One answer of the model." },
);
export type Observation = Static<typeof Observation>;

export const Event = Type.Object(
  {
    id: Type.String({
      description: "UUIDv7; the same in every message of one event. Drop repeats by id and sequence.",
    }),
    sequence: Type.Integer({
      minimum: 0,
      description: "0 at the start, one more with each message of this event.",
    }),
    node: Type.String(),
    watch: Type.String(),
    rule: Type.String(),
    title: Type.String(),
    severity: Severity,
    phase: Type.Enum(["start", "update", "end"]),
    started: Time("When the rule began to hold"),
    at: Time("When this message's cause was captured"),
    ended: Type.Union([Time("When the event ended"), Type.Null()]),
    reason: Type.Optional(Type.String({ description: "Why it ended, where the answer is not the reason." })),
    observation: Type.String({
      description: "Id of the observation behind this message; empty where there is none.",
    }),
    answer: AnswerValues,
  },
  { ...closed, description: "Something with a start, updates and an end." },
);
export type Event = Static<typeof Event>;
