import { FeedList, FeedName, FeedSwitch, FeedView, LiveQuery } from "../../contract/api-feeds.ts";
import type { Picture } from "../../contract/media.ts";
import { type Clock, iso } from "../../kernel/clock.ts";
import { type Access, changer } from "../access/access.ts";
import type { Audit } from "../access/audit.ts";
import { described } from "../openapi.ts";
import type { Api } from "../server.ts";
import { LiveViews } from "./mjpeg.ts";

/** Cameras and microphones as the outside sees them. */
export interface FeedDesk {
  list(): FeedView[];
  /** Throws NOT_FOUND. */
  view(id: string): FeedView;
  /** Without `enabled` as the configuration file has it. Rejects with NOT_FOUND, CONFLICT, DATA_FULL or DATA_UNWRITABLE. */
  switch(id: string, enabled?: boolean): Promise<FeedView>;
  /** A camera's newest picture. Throws NOT_FOUND where it is no camera, FEED_UNREACHABLE where there is none now. */
  picture(id: string): Picture;
  newest(id: string): Picture | undefined;
  /** Calls back with each new picture, until the returned function is called. */
  onPicture(id: string, callback: () => void): () => void;
}

interface Options {
  readonly feeds: FeedDesk;
  readonly access: Access;
  readonly audit: Audit;
  readonly clock: Clock;
}

const params = FeedName;

/** Cameras and microphones: their state, their pictures, on and off. */
export function feedRoutes(app: Api, { feeds, access, audit, clock }: Options): void {
  const views = new LiveViews(clock);
  app.get(
    "/api/feeds",
    {
      ...access.guarded("feeds.read"),
      schema: { ...described("feeds", "All cameras and microphones"), response: { 200: FeedList } },
    },
    async () => ({ feeds: feeds.list() }),
  );
  app.get(
    "/api/feeds/:id",
    {
      ...access.guarded("feeds.read"),
      schema: { ...described("feeds", "One camera or microphone"), params, response: { 200: FeedView } },
    },
    async ({ params: { id } }) => feeds.view(id),
  );
  app.patch(
    "/api/feeds/:id",
    {
      ...access.guarded("feeds.command"),
      schema: {
        ...described("feeds", "Switch it on or off, over restarts too"),
        params,
        body: FeedSwitch,
        response: { 200: FeedView },
      },
    },
    async ({ params: { id }, body: { enabled }, caller }) =>
      audit.change(changer(caller), `feed ${id} ${enabled ? "on" : "off"}`, () => feeds.switch(id, enabled)),
  );
  app.post(
    "/api/feeds/:id/restore",
    {
      ...access.guarded("feeds.command"),
      schema: {
        ...described("feeds", "Take back that it was switched: as the configuration file has it"),
        params,
        response: { 200: FeedView },
      },
    },
    async ({ params: { id }, caller }) =>
      audit.change(changer(caller), `feed ${id} as in the configuration file`, () => feeds.switch(id)),
  );
  app.get(
    "/api/feeds/:id/snapshot.jpg",
    {
      ...access.guarded("feeds.read"),
      schema: { ...described("feeds", "A camera's newest picture, as the model gets it: JPEG"), params },
    },
    async ({ params: { id }, headers }, reply) => {
      const { at, jpeg } = feeds.picture(id);
      const tag = `"${at.toString(36)}-${jpeg.length.toString(36)}"`;
      reply.headers({
        etag: tag,
        "last-modified": new Date(at).toUTCString(),
        "x-captured": iso(at),
        "cache-control": "no-store",
      });
      if (headers["if-none-match"] === tag) return reply.code(304).send();
      return reply.type("image/jpeg").send(jpeg);
    },
  );
  app.get(
    "/api/feeds/:id/live.mjpeg",
    {
      ...access.guarded("feeds.read"),
      // A HEAD would never end.
      exposeHeadRoute: false,
      schema: {
        ...described("feeds", "A camera's pictures as they come: MJPEG, for an <img> or a player"),
        params,
        querystring: LiveQuery,
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { fps } = request.query;
      // Says why there is none before a stream begins.
      feeds.picture(id);
      views.refuseMore();
      reply.hijack();
      const pictures = {
        newest: () => feeds.newest(id),
        onPicture: (callback: () => void) => feeds.onPicture(id, callback),
      };
      views.show(reply.raw, pictures, {
        interval: fps === undefined ? 0 : 1000 / fps,
        allowed: () => access.still(request),
      });
    },
  );
}
