import Type, { type Static } from "typebox";
import { Severity } from "./config-watches.ts";
import { Event, Observation } from "./observation.ts";

const closed = { additionalProperties: false };
const OrNull = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T, description: string) =>
  Type.Union([schema, Type.Null()], { description });

const OF_EVENT = "An event, and who took note of it.";

/** Somebody took note of an event. */
export const Acknowledged = Type.Object(
  {
    at: Type.String({ format: "date-time", description: "When, ISO 8601 in UTC." }),
    by: Type.String({ description: "The token's name, or account NAME." }),
    note: Type.Optional(Type.String()),
  },
  closed,
);
export type Acknowledged = Static<typeof Acknowledged>;

/** An event as the record holds it now. */
export const StoredEvent = Type.Object(
  {
    ...Event.properties,
    acknowledged: OrNull(Acknowledged, "Null: by nobody."),
  },
  { ...closed, description: OF_EVENT },
);
export type StoredEvent = Static<typeof StoredEvent>;

export const ListedEvent = Type.Object(
  {
    ...StoredEvent.properties,
    picture: Type.Boolean({ description: "Whether there is a picture of it." }),
  },
  { ...closed, description: OF_EVENT },
);
export type ListedEvent = Static<typeof ListedEvent>;

const Time = (description: string) =>
  Type.Optional(
    Type.String({
      pattern: "^\\d{4}-\\d{2}-\\d{2}(T\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,9})?)?(Z|[+-]\\d{2}:\\d{2}))?$",
      description: `${description}: ISO 8601 with Z or an offset (write + as %2B), or a day in UTC.`,
    }),
  );
const Name = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 64, description }));
const Words = (of: string) =>
  Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 200,
      description: `Every one of these words is in ${of}; the last one may be the beginning of one.`,
    }),
  );

const EventFilter = {
  since: Time("Started at this time or later"),
  until: Time("Started before this time"),
  watch: Name("Of this watch."),
  rule: Name("Of this rule."),
  severity: Type.Optional(Type.Enum(Severity.enum, { description: "Of this severity." })),
  phase: Type.Optional(Type.Enum(["start", "update", "end"], { description: "In this phase now." })),
  open: Type.Optional(Type.Boolean({ description: "Whether it has not ended." })),
  acknowledged: Type.Optional(Type.Boolean({ description: "Whether somebody took note of it." })),
  q: Words("its title, watch or rule"),
};
const ObservationFilter = {
  since: Time("Captured at this time or later"),
  until: Time("Captured before this time"),
  watch: Name("Of this watch."),
  feed: Name("Of this feed."),
  q: Words("the answer"),
};
const Order = (otherwise: "asc" | "desc") =>
  Type.Enum(["desc", "asc"], { default: otherwise, description: "desc: the newest first." });

/** What every list takes beside its filters. */
export const Paging = {
  limit: Type.Integer({ minimum: 1, maximum: 500, default: 50, description: "Most of one page." }),
  cursor: Type.Optional(
    Type.String({ maxLength: 100, description: "`next` of the page before, with the same filters." }),
  ),
};

export const EventQuery = Type.Object({ ...EventFilter, order: Order("desc"), ...Paging }, closed);
export type EventQuery = Static<typeof EventQuery>;
export const ObservationQuery = Type.Object(
  { ...ObservationFilter, order: Order("desc"), ...Paging },
  closed,
);
export type ObservationQuery = Static<typeof ObservationQuery>;

const Format = Type.Enum(["csv", "ndjson"], {
  default: "csv",
  description: "csv: RFC 4180 with a header, for spreadsheets; ndjson: one JSON object a line, for programs.",
});
export const EventExport = Type.Object({ ...EventFilter, order: Order("asc"), format: Format }, closed);
export const ObservationExport = Type.Object(
  { ...ObservationFilter, order: Order("asc"), format: Format },
  closed,
);

/** Where the next page goes on. */
export const Next = OrNull(
  Type.String(),
  "Cursor of the next page; null where this is the last. It stays right while rows come and go.",
);

export const EventPage = Type.Object({ events: Type.Array(ListedEvent), next: Next }, closed);
export type EventPage = Static<typeof EventPage>;
export const ObservationPage = Type.Object({ observations: Type.Array(Observation), next: Next }, closed);
export type ObservationPage = Static<typeof ObservationPage>;

export const EventWhole = Type.Object(
  {
    ...ListedEvent.properties,
    observations: Type.Array(Observation, {
      description: "Answers of its watch while it lasted: the newest 50, newest first.",
    }),
  },
  { ...closed, description: OF_EVENT },
);
export type EventWhole = Static<typeof EventWhole>;

export const AcknowledgeBody = Type.Object(
  {
    note: Type.Optional(
      Type.String({ minLength: 1, maxLength: 1000, description: "What there is to say of it." }),
    ),
  },
  { ...closed, default: {} },
);
