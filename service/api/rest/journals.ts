import { AuditPage, DecisionPage, PageQuery } from "../../contract/api-record.ts";
import type { Access } from "../access/access.ts";
import { cursorOf, placeOf } from "../cursor.ts";
import { described } from "../openapi.ts";
import type { Api } from "../server.ts";
import type { RecordDesk } from "./record-desk.ts";

interface Options {
  readonly record: RecordDesk;
  readonly access: Access;
}

/** Who changed what, and what the governor decided. */
export function journalRoutes(app: Api, { record, access }: Options): void {
  app.get(
    "/api/audit",
    {
      ...access.guarded("audit.read"),
      schema: {
        ...described("system", "Who changed what, or was refused to; the newest first"),
        querystring: PageQuery,
        response: { 200: AuditPage },
      },
    },
    async ({ query: { cursor, limit } }) => {
      const { items, next } = record.audit(placeOf("audit", cursor), limit);
      return { audit: items, next: cursorOf("audit", next) };
    },
  );
  app.get(
    "/api/governor/decisions",
    {
      // Not governor.read, which is anybody's on the box: this is the record of a month.
      ...access.guarded("record.read"),
      schema: {
        ...described("governor", "What it decided, and what it saw; the newest first"),
        querystring: PageQuery,
        response: { 200: DecisionPage },
      },
    },
    async ({ query: { cursor, limit } }) => {
      const { items, next } = record.decisions(placeOf("decisions", cursor), limit);
      return { decisions: items, next: cursorOf("decisions", next) };
    },
  );
}
