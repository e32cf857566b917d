import type { FastifyInstance } from "fastify";
import type { GovernorState, GovernorView } from "../contract/governor.ts";
import type { Access } from "./access.ts";

/** The governor as the outside sees it. */
export interface GovernorDesk {
  view(): GovernorView;
  /** Throws PerchError where it cannot be obeyed. */
  obey(command: unknown): GovernorState;
}

interface Options {
  readonly governor: GovernorDesk;
  readonly access: Access;
}

/** GET /governor shows what runs and why; POST asks something of it for a while. */
export function governorRoutes(app: FastifyInstance, { governor, access }: Options): void {
  app.get("/governor", { onRequest: access.allow("governor.read") }, async () => governor.view());
  app.post("/governor", { onRequest: access.allow("governor.command") }, async ({ body }) =>
    governor.obey(body),
  );
}
