import Type from "typebox";
import { Severity } from "./config-watches.ts";
import { Id } from "./units.ts";

const closed = { additionalProperties: false };
const Time = (description: string) => Type.String({ format: "date-time", description });

/** What the tools of the Model Context Protocol take. */
export const TOOL_INPUTS = {
  list_feeds: Type.Object({}, closed),
  look: Type.Object({ feed: Id("Id of a camera.") }, closed),
  listen: Type.Object(
    {
      feed: Id("Id of a microphone."),
      seconds: Type.Number({ minimum: 0.5, maximum: 15, default: 5, description: "How long to listen." }),
    },
    closed,
  ),
  list_watches: Type.Object({}, closed),
  ask: Type.Object({ watch: Id("Id of a watch.") }, closed),
  search_events: Type.Object(
    {
      text: Type.Optional(
        Type.String({ maxLength: 200, description: "Words that all have to stand in the event." }),
      ),
      watch: Type.Optional(Id("Only of this watch.")),
      severity: Type.Optional(Type.Enum([...Severity.enum])),
      since: Type.Optional(Time("Only what began at or after this time, ISO 8601.")),
      until: Type.Optional(Time("Only what began before this time, ISO 8601.")),
      open: Type.Optional(Type.Boolean({ description: "Only what has not ended, or only what has." })),
      limit: Type.Integer({ minimum: 1, maximum: 100, default: 20 }),
    },
    closed,
  ),
} as const;
export type ToolName = keyof typeof TOOL_INPUTS;
