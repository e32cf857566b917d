/** What a scenario's file may hold; scenario.ts reads it. */
import Type, { type Static } from "typebox";
import { Duration, Moment } from "../../../service/contract/units.ts";
import { NOISE_ABOVE } from "../script.ts";
import { BELTS, CAMERA_STATES, LIGHTS, LOUDNESS, MOST_PEOPLE, NOISES, THINGS, WORDS } from "../world.ts";
import { FURNITURE } from "./timeline-scene.ts";
import { SPOTS } from "./visits.ts";

const closed = { additionalProperties: false };

const Name = Type.String({ pattern: "^[\\p{L}\\p{N}][\\p{L}\\p{N} _-]{0,30}$", description: "A name." });

const Things = Type.Array(Type.Enum([...THINGS]), {
  uniqueItems: true,
  description: "What lies on the desk; [] for nothing.",
});
const Display = { minimum: 0, maximum: 99, description: "What the display shows." };
const Daylight = { minimum: 0, maximum: 1, description: "From 0 at night to 1 at noon." };

export const PERSON = ["enters", "leaves", "falls", "rises"] as const;

/** One thing or several that happen at once. */
export const ScenarioEvent = Type.Object(
  {
    at: Moment({ description: "When, since the beginning." }),
    person: Type.Optional(
      Type.Enum([...PERSON], {
        description: "Somebody walks in or out, for two seconds, or falls or rises.",
      }),
    ),
    name: Type.Optional(Name),
    spot: Type.Optional(
      Type.Number({
        minimum: SPOTS.least,
        maximum: SPOTS.most,
        description: "Where somebody who enters stands: 0 at the left edge of the picture, 1 at the right.",
      }),
    ),
    side: Type.Optional(
      Type.Enum(["left", "right"], { description: "Where somebody comes from or leaves to." }),
    ),
    says: Type.Optional(Type.Enum([...WORDS], { description: "A word that is said." })),
    loudness: Type.Optional(Type.Enum([...LOUDNESS])),
    voice: Type.Optional(Type.String({ description: "Who says it; where left out, each name has a voice." })),
    speed: Type.Optional(Type.Number({ minimum: 0.8, maximum: 1.25, description: "How fast it is said." })),
    alarm: Type.Optional(Duration({ description: "An alarm sounds for so long." })),
    noise: Type.Optional(Type.Enum([...NOISES], { description: "A noise sounds." })),
    level: Type.Optional(
      Type.Number({
        minimum: NOISE_ABOVE,
        maximum: -6,
        description: "How loud a noise or an alarm is, dBFS.",
      }),
    ),
    light: Type.Optional(Type.Enum([...LIGHTS])),
    blinking: Type.Optional(Type.Boolean()),
    display: Type.Optional(Type.Integer(Display)),
    belt: Type.Optional(Type.Enum([...BELTS])),
    things: Type.Optional(Things),
    camera: Type.Optional(Type.Enum([...CAMERA_STATES], { description: "What is wrong with the camera." })),
    daylight: Type.Optional(Type.Number(Daylight)),
    for: Type.Optional(
      Duration({
        description: "How long a noise sounds (3s where left out) or a fault of the camera lasts.",
      }),
    ),
  },
  closed,
);
export type ScenarioEvent = Static<typeof ScenarioEvent>;

export const ScenarioFile = Type.Object(
  {
    seed: Type.Integer({
      minimum: 0,
      maximum: 2 ** 32 - 1,
      default: 1,
      description: "Decides what the scenario leaves open: looks, voices, the place.",
    }),
    length: Duration({ description: "How long it takes." }),
    loop: Type.Boolean({ default: true, description: "As a feed it begins anew at its end." }),
    place: Type.Integer({
      minimum: 0,
      maximum: 2 ** 31,
      default: 1,
      description: "Another number is another place.",
    }),
    daylight: Type.Number({ ...Daylight, default: 1 }),
    furniture: Type.Enum([...FURNITURE], { default: "none", description: "What stands before the people." }),
    light: Type.Enum([...LIGHTS], { default: "green" }),
    blinking: Type.Boolean({ default: false }),
    display: Type.Integer({ ...Display, default: 0 }),
    belt: Type.Optional(Type.Enum([...BELTS], { description: "Running where left out." })),
    things: Type.Optional(Things),
    camera: Type.Enum([...CAMERA_STATES], { default: "ok" }),
    people: Type.Array(Name, {
      default: [],
      maxItems: MOST_PEOPLE,
      uniqueItems: true,
      description: "Who is there from the beginning.",
    }),
    events: Type.Array(ScenarioEvent, { default: [], description: "What happens, in the order of time." }),
  },
  closed,
);
export type ScenarioFile = Static<typeof ScenarioFile>;
