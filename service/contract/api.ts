import Type, { type Static } from "typebox";

/** What Perch's own API answers where it does not do what was asked. */
export const Refusal = Type.Object(
  {
    error: Type.String({ description: "What is wrong and what to do." }),
    code: Type.Optional(Type.String({ description: "One word for programs." })),
    issues: Type.Optional(
      Type.Array(
        Type.Object({
          at: Type.String({ description: "Where in the request: rules[0].when." }),
          message: Type.String(),
        }),
        { description: "Everything that is wrong with the request." },
      ),
    ),
  },
  { description: "An error." },
);
export type Refusal = Static<typeof Refusal>;

/** The API's chapters, in the order of its page. */
export const CHAPTERS = {
  events: "What happened: found, exported, acknowledged, and live.",
  observations: "Every answer of the model, with what produced it.",
  feeds: "Cameras and microphones: their state, their pictures, on and off.",
  watches: "The questions that are asked of them.",
  governor: "Which level of the model runs, how much of the time, and why.",
  model: "The model itself, by the API that its clients know.",
  agents: "The same abilities for agents, by the Model Context Protocol.",
  access: "Who is logged in, and who may log in.",
  system: "Health, metrics, and what the box is.",
} as const;
export type Chapter = keyof typeof CHAPTERS;
