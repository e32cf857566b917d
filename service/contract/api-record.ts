import Type, { type Static } from "typebox";
import { Role } from "./access.ts";
import { Next, Paging } from "./api-events.ts";
import { Decision } from "./decision.ts";

const closed = { additionalProperties: false };
const Time = (description: string) =>
  Type.String({ format: "date-time", description: `${description}, ISO 8601 in UTC.` });

/** What lists without filters take: newest first. */
export const PageQuery = Type.Object(Paging, closed);

export const AuditPage = Type.Object(
  {
    audit: Type.Array(
      Type.Object(
        {
          at: Time("When"),
          who: Type.String({
            description: "The token's name, account NAME, or the operating system's user.",
          }),
          role: Type.Union([Role, Type.Null()], { description: "Null where no token shows one: MQTT." }),
          from: Type.String({ description: "An address, mqtt or command line." }),
          what: Type.String(),
          outcome: Type.String({ description: "done, or why it was refused." }),
        },
        closed,
      ),
    ),
    next: Next,
  },
  closed,
);
export type AuditPage = Static<typeof AuditPage>;

export const DecisionPage = Type.Object(
  {
    decisions: Type.Array(
      Type.Object(
        {
          at: Time("When"),
          ...Decision.properties,
          hottest: Type.Union([Type.Number(), Type.Null()], {
            description: "Hottest zone, degrees Celsius; null where nothing measures it.",
          }),
          simulated: Type.Boolean({ description: "The temperatures were a simulated box's." }),
          free: Type.Record(Type.String(), Type.Number(), {
            description: "What each pool of memory had free, bytes.",
          }),
        },
        closed,
      ),
    ),
    next: Next,
  },
  closed,
);
export type DecisionPage = Static<typeof DecisionPage>;

/** A copy of the database, made or in the making. */
export const Backup = Type.Object(
  {
    id: Type.String(),
    at: Time("When it was asked for"),
    scheduled: Type.Boolean({ description: "Made by record.backups; false where somebody asked for it." }),
    state: Type.Enum(["running", "done", "failed"]),
    progress: Type.Number({ minimum: 0, maximum: 1, description: "Estimated while it runs; 1 when done." }),
    bytes: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], { description: "Null until it is done." }),
    sha256: Type.Union([Type.String(), Type.Null()], {
      description: "Of the file, hexadecimal; null until it is done.",
    }),
    fault: Type.Optional(Type.String({ description: "Why it failed." })),
  },
  { ...closed, description: "A checked copy of the record's database." },
);
export type Backup = Static<typeof Backup>;
export const BackupList = Type.Object({ backups: Type.Array(Backup) }, closed);

const Conditional = (description: string) => Type.Optional(Type.String({ maxLength: 2000, description }));
/** What a download takes beside its address: a part of it, and only if it is still the same file. */
export const DownloadHeaders = Type.Object({
  range: Conditional("bytes=FIRST-, bytes=FIRST-LAST or bytes=-COUNT: only these bytes, with 206."),
  "if-range": Conditional("The etag of what is there already: all of it comes where that is another file."),
  "if-match": Conditional("Etags: 412 where it is none of them."),
  "if-none-match": Conditional("Etags: 304 where it is one of them."),
});
