import Type, { type Static, type TSchema } from "typebox";
import { Acknowledged } from "./api-events.ts";
import { GovernorCommand, GovernorState } from "./governor.ts";
import { FEED_STATES } from "./media.ts";
import { Event, Observation } from "./observation.ts";

const closed = { additionalProperties: false };
const Time = Type.String({ format: "date-time", description: "ISO 8601 in UTC." });

export const NodeStatus = Type.Object(
  {
    status: Type.Enum(["online", "offline", "stopped"], {
      description: "offline is the last will: the box went without a word. stopped: it was ended on purpose.",
    }),
    version: Type.String(),
    at: Type.Union([Time, Type.Null()], { description: "null in the last will." }),
  },
  { ...closed, description: "Whether the box is there." },
);
export type NodeStatus = Static<typeof NodeStatus>;

export const FeedStateMessage = Type.Object(
  {
    feed: Type.String(),
    state: Type.Enum([...FEED_STATES]),
    reason: Type.Optional(Type.String()),
    since: Time,
  },
  { ...closed, description: "What a feed is doing." },
);
export type FeedStateMessage = Static<typeof FeedStateMessage>;

export const AcknowledgedMessage = Type.Object(
  {
    event: Type.String({ description: "Id of the event." }),
    node: Type.String(),
    watch: Type.String(),
    rule: Type.String(),
    acknowledged: Type.Union([Acknowledged, Type.Null()], {
      description: "Who took note of it; null where that was taken back.",
    }),
  },
  { ...closed, description: "Somebody took note of an event, or took that back." },
);
export type AcknowledgedMessage = Static<typeof AcknowledgedMessage>;

export interface Topic {
  /** Pattern below `<prefix>/<node>/`. */
  readonly path: string;
  readonly payload: TSchema;
  readonly qos: 0 | 1;
  readonly retained: boolean;
  /** How it is kept when the broker is away. */
  readonly keeping: string;
}

/** Every topic that Perch publishes; docs/topics.md is made of this. */
export const TOPICS: readonly Topic[] = [
  {
    path: "status",
    payload: NodeStatus,
    qos: 1,
    retained: true,
    keeping: "The broker keeps the last one; the last will says offline.",
  },
  {
    path: "feed/<feed>/state",
    payload: FeedStateMessage,
    qos: 1,
    retained: true,
    keeping: "The newest state is sent again on every connection.",
  },
  {
    path: "governor",
    payload: GovernorState,
    qos: 1,
    retained: true,
    keeping:
      "The newest is sent again on every connection; at every change, and every half a minute with new readings.",
  },
  {
    path: "observation/<watch>",
    payload: Observation,
    qos: 1,
    retained: false,
    keeping: "Kept in the outbox until the broker acknowledged it.",
  },
  {
    path: "event/<watch>/<rule>",
    payload: Event,
    qos: 1,
    retained: false,
    keeping: "Kept in the outbox until the broker acknowledged it.",
  },
  {
    path: "event/<watch>/<rule>/acknowledged",
    payload: AcknowledgedMessage,
    qos: 1,
    retained: false,
    keeping: "Kept in the outbox until the broker acknowledged it.",
  },
];

/** Topics that Perch listens to where `mqtt.commands` is true. */
export const COMMAND_TOPICS: readonly { readonly path: string; readonly payload: TSchema }[] = [
  { path: "governor/set", payload: GovernorCommand },
];

export const governorTopic = (base: string) => `${base}/governor`;
export const governorCommandTopic = (base: string) => `${base}/governor/set`;
export const statusTopic = (base: string) => `${base}/status`;
export const feedStateTopic = (base: string, feed: string) => `${base}/feed/${feed}/state`;
export const observationTopic = (base: string, watch: string) => `${base}/observation/${watch}`;
export const eventTopic = (base: string, watch: string, rule: string) => `${base}/event/${watch}/${rule}`;
export const acknowledgedTopic = (base: string, watch: string, rule: string) =>
  `${eventTopic(base, watch, rule)}/acknowledged`;
