import Type, { type Static } from "typebox";
import { StoredEvent } from "./api-events.ts";
import type { Observation } from "./observation.ts";

const closed = { additionalProperties: false };

/** What can be followed live. */
export const LIVE_KINDS = ["event", "observation", "feed", "governor"] as const;
export type LiveKind = (typeof LIVE_KINDS)[number];

/** Why an event is told of: a message of its rule, or what somebody did. */
export const EVENT_CHANGES = ["start", "update", "end", "acknowledged", "unacknowledged"] as const;
export type EventChange = (typeof EVENT_CHANGES)[number];

/** Data of an SSE event `event`. */
export const LiveEvent = Type.Object(
  { change: Type.Enum([...EVENT_CHANGES]), event: StoredEvent },
  { ...closed, description: "A change of an event, with the event as it was then." },
);
export type LiveEvent = Static<typeof LiveEvent>;

/** One change of the record, in the order of commits. */
export type Change = {
  /** Grows with every change; never comes twice. */
  readonly number: number;
  /** When it was committed, epoch ms. */
  readonly at: number;
  readonly watch: string;
} & (
  | {
      readonly kind: EventChange;
      /** StoredEvent as JSON text. */
      readonly event: string;
    }
  | {
      readonly kind: "observation";
      /** Undefined: it was removed meanwhile. */
      readonly observation: Static<typeof Observation> | undefined;
    }
);

export const LiveQuery = Type.Object(
  {
    kinds: Type.String({
      default: "event,feed,governor",
      pattern: `^(${LIVE_KINDS.join("|")})(,(${LIVE_KINDS.join("|")}))*$`,
      description: `What to tell of, with commas in between: ${LIVE_KINDS.join(", ")}.`,
    }),
    watch: Type.Optional(
      Type.String({
        pattern: "^[a-z0-9][a-z0-9_-]{0,62}(,[a-z0-9][a-z0-9_-]{0,62}){0,63}$",
        description: "Events and observations of these watches only, with commas in between.",
      }),
    ),
    after: Type.Optional(
      Type.String({
        pattern: "^\\d{1,15}-\\d{1,15}$",
        description: "An id that was read before: go on after it, as with the header Last-Event-ID.",
      }),
    ),
  },
  closed,
);
export type LiveQuery = Static<typeof LiveQuery>;
