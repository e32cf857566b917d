import Type, { type Static } from "typebox";
import {
  AcknowledgeBody,
  EventExport,
  EventPage,
  EventQuery,
  EventWhole,
  ListedEvent,
} from "../../contract/api-events.ts";
import { PerchError } from "../../kernel/errors.ts";
import type { EventsWanted } from "../../record/pages.ts";
import { type Access, changer } from "../access/access.ts";
import type { Audit } from "../access/audit.ts";
import { cursorOf, momentOf, placeOf } from "../cursor.ts";
import { gone } from "../gone.ts";
import { described } from "../openapi.ts";
import type { Api } from "../server.ts";
import { EVENT_TABLE, type Exports } from "./exports.ts";
import type { RecordDesk } from "./record-desk.ts";

interface Options {
  readonly record: RecordDesk;
  readonly access: Access;
  readonly audit: Audit;
  readonly exports: Exports;
}

const Params = Type.Object({ id: Type.String({ maxLength: 100 }) });
/** Observations that come with an event. */
const MOST_OBSERVATIONS = 50;

/** What happened: found, exported, and taken note of. */
export function eventRoutes(app: Api, { record, access, audit, exports }: Options): void {
  app.get(
    "/api/events",
    {
      ...access.guarded("record.read"),
      schema: {
        ...described("events", "Find events, a page at a time"),
        querystring: EventQuery,
        response: { 200: EventPage },
      },
    },
    async ({ query }, reply) => {
      const list = listOf("events", query);
      const after = placeOf(list, query.cursor);
      const page = { after, limit: query.limit, signal: gone(reply).signal };
      const { items, next } = await record.events(wantedOf(query), page);
      return { events: items, next: cursorOf(list, next) };
    },
  );
  app.get(
    "/api/events/export",
    {
      ...access.guarded("record.read"),
      exposeHeadRoute: false,
      schema: { ...described("events", "All events that are found, as a file"), querystring: EventExport },
    },
    async ({ query }, reply) => {
      const chunks = record.allEvents(wantedOf(query));
      await exports.send(reply, "events", query.format, EVENT_TABLE, chunks);
    },
  );
  app.get(
    "/api/events/:id",
    {
      ...access.guarded("record.read"),
      schema: {
        ...described("events", "An event, with the answers while it lasted"),
        params: Params,
        response: { 200: EventWhole },
      },
    },
    async ({ params: { id } }) => {
      const event = record.event(id);
      if (!event) throw unknown(id);
      return { ...event, observations: record.observationsOf(event, MOST_OBSERVATIONS) };
    },
  );
  app.get(
    "/api/events/:id/picture.jpg",
    {
      ...access.guarded("record.read"),
      schema: { ...described("events", "The picture that was kept of an event"), params: Params },
    },
    async ({ params: { id } }, reply) => {
      const picture = record.picture(id);
      if (!picture)
        throw record.event(id)
          ? new PerchError("NOT_FOUND", `no picture is kept of the event ${id}`)
          : unknown(id);
      // It never changes once it is there; but who may see it can.
      reply.header("cache-control", "private, max-age=3600").header("x-content-type-options", "nosniff");
      return reply.type("image/jpeg").send(picture);
    },
  );
  app.post(
    "/api/events/:id/acknowledge",
    {
      ...access.guarded("events.acknowledge"),
      schema: {
        ...described("events", "Take note of an event; to say it twice changes nothing"),
        params: Params,
        body: AcknowledgeBody,
        response: { 200: ListedEvent },
      },
    },
    async ({ params: { id }, body: { note }, caller }) => {
      const by = changer(caller);
      return audit.change(by, `acknowledge the event ${id}`, () => record.acknowledge(id, by.who, note));
    },
  );
  app.delete(
    "/api/events/:id/acknowledge",
    {
      ...access.guarded("events.acknowledge"),
      schema: {
        ...described("events", "Take that back"),
        params: Params,
        response: { 200: ListedEvent },
      },
    },
    async ({ params: { id }, caller }) =>
      audit.change(changer(caller), `withdraw the acknowledgement of the event ${id}`, () =>
        record.withdraw(id),
      ),
  );
}

type Filter = Omit<Static<typeof EventExport>, "format">;

const wantedOf = ({ since, until, q, ...narrow }: Filter): EventsWanted => ({
  ...narrow,
  since: momentOf("since", since),
  until: momentOf("until", until),
  text: q,
});

/** Which list a cursor is of: a search goes by another order than the rest. */
export const listOf = (name: string, { q, order }: { q?: string; order: string }): string =>
  `${name}${q === undefined ? "" : "found"}${order}`;

const unknown = (id: string) =>
  new PerchError(
    "NOT_FOUND",
    `there is no event ${id}: its id is another, or it was older than what is kept`,
  );
