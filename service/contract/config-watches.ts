import Type, { type Static } from "typebox";
import { AnswerSchema } from "./answer.ts";
import { Duration, Id } from "./units.ts";

const closed = { additionalProperties: false };

export const Severity = Type.Enum(["info", "warning", "alarm"], { default: "info" });
export type Severity = Static<typeof Severity>;

export const LANES = ["kiosk", "alarm", "api", "watch", "batch"] as const;
/** Priority of a request, first served first. */
export const Lane = Type.Enum([...LANES]);
export type Lane = (typeof LANES)[number];

export const Rule = Type.Object(
  {
    id: Id("Name of the rule in topics and events."),
    title: Type.Optional(
      Type.String({ maxLength: 120, description: "What an event of this rule is called." }),
    ),
    when: Type.String({
      minLength: 1,
      maxLength: 1000,
      description: 'CEL over the answer\'s fields, e.g. person && light == "red".',
    }),
    for: Duration({ default: "0s", description: "How long it has to hold before an event starts." }),
    release: Duration({ default: "0s", description: "How long it has to be false before the event ends." }),
    cooldown: Duration({ default: "0s", description: "After an event ended, no new one for this long." }),
    severity: Severity,
  },
  closed,
);
export type Rule = Static<typeof Rule>;

const EXAMPLE = {
  id: "visitor",
  question: "Is somebody at the door, and do they carry a parcel?",
  feeds: ["door"],
  answer: { person: { type: "boolean" }, parcel: { type: "boolean" } },
  rules: [{ id: "waiting", when: "person && !parcel", for: "10s", severity: "warning" }],
};

export const Watch = Type.Object(
  {
    id: Id("Name of the watch in topics and rules."),
    question: Type.String({ minLength: 1, maxLength: 4000, description: "What the model is asked." }),
    feeds: Type.Array(Type.String(), {
      minItems: 1,
      maxItems: 2,
      uniqueItems: true,
      description: "One camera, one microphone, or one of each (asked together).",
    }),
    frames: Type.Integer({
      minimum: 1,
      maximum: 4,
      default: 1,
      description:
        "How many pictures of the camera go into one question; the newest is the one that the gate passed.",
    }),
    spacing: Duration({ default: "500ms", description: "How far apart those pictures are, 50ms to 10s." }),
    answer: AnswerSchema,
    rules: Type.Array(Rule, { default: [], maxItems: 32 }),
    lane: Type.Enum(["alarm", "watch", "batch"], { default: "watch" }),
    deadline: Duration({
      default: "10s",
      description: "A question not begun by then is dropped and counted.",
    }),
    enabled: Type.Boolean({ default: true }),
  },
  { ...closed, examples: [EXAMPLE] },
);
export type Watch = Static<typeof Watch>;
