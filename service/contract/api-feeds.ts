import Type, { type Static } from "typebox";
import { FEED_STATES } from "./media.ts";

const closed = { additionalProperties: false };
const Time = (description: string) =>
  Type.String({ format: "date-time", description: `${description}, ISO 8601 in UTC with ms.` });

/** A camera or microphone, as it is now. */
export const FeedView = Type.Object(
  {
    id: Type.String(),
    kind: Type.Enum(["camera", "microphone"]),
    title: Type.Optional(Type.String()),
    source: Type.String({ description: "Where it comes from, without user, password and query." }),
    enabled: Type.Boolean({ description: "Whether it is switched on." }),
    changed: Type.Boolean({ description: "It is switched otherwise than in the configuration file." }),
    state: Type.Enum([...FEED_STATES], { description: "stalled: it was live and sends nothing." }),
    since: Time("When this state began"),
    reason: Type.Optional(Type.String({ description: "Why it is not live, and what to do." })),
    last: Type.Union([Time("When its last picture or sound was captured"), Type.Null()]),
    fps: Type.Union([Type.Number({ minimum: 0 }), Type.Null()], {
      description: "Frames that come in a second now; null of a microphone.",
    }),
    watches: Type.Array(Type.String(), { description: "Ids of the watches that ask of it." }),
  },
  closed,
);
export type FeedView = Static<typeof FeedView>;

export const FeedList = Type.Object({ feeds: Type.Array(FeedView) }, closed);

export const FeedSwitch = Type.Object(
  { enabled: Type.Boolean({ description: "On or off, from now on and over restarts." }) },
  closed,
);

export const FeedName = Type.Object({ id: Type.String({ maxLength: 63, description: "Id of the feed." }) });

export const LiveQuery = Type.Object(
  {
    fps: Type.Optional(
      Type.Number({
        minimum: 0.1,
        maximum: 30,
        description: "Pictures a second at most. Without it as many as come.",
      }),
    ),
  },
  closed,
);
