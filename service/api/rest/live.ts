import { LIVE_KINDS, type LiveKind, LiveQuery } from "../../contract/api-live.ts";
import type { Clock } from "../../kernel/clock.ts";
import { PerchError } from "../../kernel/errors.ts";
import type { Access } from "../access/access.ts";
import { LiveClient } from "../live/client.ts";
import type { Live } from "../live/live.ts";
import { described } from "../openapi.ts";
import type { Api } from "../server.ts";

interface Options {
  readonly live: Live;
  readonly access: Access;
  readonly clock: Clock;
}

/** What happens, as it happens. */
export function liveRoutes(app: Api, { live, access, clock }: Options): void {
  app.addHook("preClose", async () => live.close());
  app.get(
    "/api/live",
    {
      ...access.guarded("record.read"),
      exposeHeadRoute: false,
      schema: {
        ...described("events", "Follow what happens: server-sent events, with Last-Event-ID"),
        querystring: LiveQuery,
      },
    },
    async (request, reply) => {
      const { kinds, watch, after } = request.query;
      const last = request.headers["last-event-id"];
      if (live.full) {
        reply.header("retry-after", "10");
        throw new PerchError("QUEUE_FULL", "too many clients follow already: end one, or ask later");
      }
      const resumed = live.resume(typeof last === "string" && last !== "" ? last : after);
      const { raw } = reply;
      const client = new LiveClient({
        raw,
        wish: {
          kinds: new Set(kinds.split(",").filter(isKind)),
          watches: watch ? new Set(watch.split(",")) : undefined,
        },
        position: resumed.position,
        clock,
        allowed: () => access.still(request),
      });
      reply.hijack();
      if (raw.destroyed) return;
      raw.once("close", () => live.left(client));
      raw.writeHead(200, {
        ...(reply.getHeaders() as Record<string, string>),
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
      });
      live.follow(client, resumed);
    },
  );
}

const isKind = (kind: string): kind is LiveKind => (LIVE_KINDS as readonly string[]).includes(kind);
