import type { FastifyReply } from "fastify";
import Type from "typebox";
import {
  IfMatch,
  NamedWatch,
  Trial,
  TrialResult,
  WatchList,
  WatchName,
  WatchSwitch,
  WatchView,
} from "../../contract/api-watches.ts";
import { Watch } from "../../contract/config-watches.ts";
import { type Access, changer } from "../access/access.ts";
import type { Audit } from "../access/audit.ts";
import { gone } from "../gone.ts";
import { described } from "../openapi.ts";
import type { Api } from "../server.ts";

/**
 * Watches as the outside sees them. What changes one rejects with REQUEST_INVALID, with every fault; NOT_FOUND;
 * PRECONDITION_FAILED where `match` is given and is not the watch's etag; CONFLICT; DATA_FULL or DATA_UNWRITABLE.
 */
export interface WatchDesk {
  list(): WatchList;
  /** Throws NOT_FOUND. */
  view(id: string): WatchView;
  create(watch: Watch): Promise<WatchView>;
  /** Makes one where there is none. */
  replace(id: string, watch: NamedWatch, match?: string): Promise<WatchView>;
  enable(id: string, enabled: boolean, match?: string): Promise<WatchView>;
  remove(id: string, match?: string): Promise<void>;
  /** As the configuration file has it. Undefined where it has none: then the watch is gone. */
  restore(id: string, match?: string): Promise<WatchView | undefined>;
  /** Asks the model once; records nothing. Rejects also with what media and the model are refused for. */
  try(trial: Trial, signal: AbortSignal): Promise<TrialResult>;
}

interface Options {
  readonly watches: WatchDesk;
  readonly access: Access;
  readonly audit: Audit;
}

/** Four pictures and a sound, as base64. */
const LARGEST_TRIAL = 48_000_000;

const params = WatchName;
const headers = IfMatch;
const Gone = Type.Null({ description: "The configuration file has none of this id: it is gone." });
const one = { response: { 200: WatchView } };

/** The questions that are asked of feeds: listed, tried, and changed while the service runs. */
export function watchRoutes(app: Api, { watches, access, audit }: Options): void {
  app.get(
    "/api/watches",
    {
      ...access.guarded("watches.read"),
      schema: {
        ...described("watches", "All watches, and where they come from"),
        response: { 200: WatchList },
      },
    },
    async () => watches.list(),
  );
  app.get(
    "/api/watches/:id",
    {
      ...access.guarded("watches.read"),
      schema: { ...described("watches", "One watch"), params, ...one },
    },
    async ({ params: { id } }, reply) => tagged(reply, watches.view(id)),
  );
  app.post(
    "/api/watches",
    {
      ...access.guarded("watches.change"),
      schema: { ...described("watches", "Add a watch"), body: Watch, response: { 201: WatchView } },
    },
    async ({ body, caller }, reply) => {
      const act = () => watches.create(body);
      const view = await audit.change(
        changer(caller),
        `watch ${body.id} added: ${JSON.stringify(body)}`,
        act,
      );
      reply.code(201).header("location", `/api/watches/${view.id}`);
      return tagged(reply, view);
    },
  );
  app.put(
    "/api/watches/:id",
    {
      ...access.guarded("watches.change"),
      schema: {
        ...described("watches", "Replace a watch, or add it; its rules' open events go on"),
        ...{ params, headers, body: NamedWatch, ...one },
      },
    },
    async ({ params: { id }, headers: { "if-match": match }, body, caller }, reply) => {
      const act = () => watches.replace(id, body, match);
      return tagged(
        reply,
        await audit.change(changer(caller), `watch ${id} replaced: ${JSON.stringify(body)}`, act),
      );
    },
  );
  app.patch(
    "/api/watches/:id",
    {
      ...access.guarded("watches.change"),
      schema: {
        ...described("watches", "Switch a watch on or off"),
        ...{ params, headers, body: WatchSwitch, ...one },
      },
    },
    async ({ params: { id }, headers: { "if-match": match }, body: { enabled }, caller }, reply) => {
      const act = () => watches.enable(id, enabled, match);
      return tagged(reply, await audit.change(changer(caller), `watch ${id} ${enabled ? "on" : "off"}`, act));
    },
  );
  app.delete(
    "/api/watches/:id",
    {
      ...access.guarded("watches.change"),
      schema: {
        ...described(
          "watches",
          "Remove a watch; one of the configuration file stays away until it is restored",
        ),
        ...{ params, headers },
      },
    },
    async ({ params: { id }, headers: { "if-match": match }, caller }, reply) => {
      await audit.change(changer(caller), `watch ${id} removed`, () => watches.remove(id, match));
      return reply.code(204).send();
    },
  );
  app.post(
    "/api/watches/:id/restore",
    {
      ...access.guarded("watches.change"),
      schema: {
        ...described("watches", "Take back what was changed: as the configuration file has it"),
        ...{ params, headers, response: { 200: WatchView, 204: Gone } },
      },
    },
    async ({ params: { id }, headers: { "if-match": match }, caller }, reply) => {
      const act = () => watches.restore(id, match);
      const view = await audit.change(changer(caller), `watch ${id} as in the configuration file`, act);
      return view ? tagged(reply, view) : reply.code(204).send(null);
    },
  );
  app.post(
    "/api/watches/try",
    {
      ...access.guarded("watches.try"),
      bodyLimit: LARGEST_TRIAL,
      schema: {
        ...described(
          "watches",
          "Ask the model once, of a snapshot or of your own pictures and sound; nothing is kept",
        ),
        body: Trial,
        response: { 200: TrialResult },
      },
    },
    async ({ body }, reply) => watches.try(body, gone(reply).signal),
  );
}

function tagged(reply: FastifyReply, view: WatchView): WatchView {
  reply.header("etag", view.etag);
  return view;
}
