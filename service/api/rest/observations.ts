import type { Static } from "typebox";
import { ObservationExport, ObservationPage, ObservationQuery } from "../../contract/api-events.ts";
import type { ObservationsWanted } from "../../record/pages.ts";
import type { Access } from "../access/access.ts";
import { cursorOf, momentOf, placeOf } from "../cursor.ts";
import { gone } from "../gone.ts";
import { described } from "../openapi.ts";
import type { Api } from "../server.ts";
import { listOf } from "./events.ts";
import { type Exports, OBSERVATION_TABLE } from "./exports.ts";
import type { RecordDesk } from "./record-desk.ts";

interface Options {
  readonly record: RecordDesk;
  readonly access: Access;
  readonly exports: Exports;
}

/** Every answer of the model. */
export function observationRoutes(app: Api, { record, access, exports }: Options): void {
  app.get(
    "/api/observations",
    {
      ...access.guarded("record.read"),
      schema: {
        ...described("observations", "Find answers of the model, a page at a time"),
        querystring: ObservationQuery,
        response: { 200: ObservationPage },
      },
    },
    async ({ query }, reply) => {
      const list = listOf("observations", query);
      const after = placeOf(list, query.cursor);
      const page = { after, limit: query.limit, signal: gone(reply).signal };
      const { items, next } = await record.observations(wantedOf(query), page);
      return { observations: items, next: cursorOf(list, next) };
    },
  );
  app.get(
    "/api/observations/export",
    {
      ...access.guarded("record.read"),
      exposeHeadRoute: false,
      schema: {
        ...described("observations", "All answers that are found, as a file"),
        querystring: ObservationExport,
      },
    },
    async ({ query }, reply) => {
      const chunks = record.allObservations(wantedOf(query));
      await exports.send(reply, "observations", query.format, OBSERVATION_TABLE, chunks);
    },
  );
}

type Filter = Omit<Static<typeof ObservationExport>, "format">;

const wantedOf = ({ since, until, q, ...narrow }: Filter): ObservationsWanted => ({
  ...narrow,
  since: momentOf("since", since),
  until: momentOf("until", until),
  text: q,
});
