import type { FastifyInstance } from "fastify";
import type { GovernorState, GovernorView } from "../contract/governor.ts";
import { PerchError } from "../kernel/errors.ts";
import type { Access } from "./access.ts";
import type { Audit } from "./access-audit.ts";

/** The governor as the outside sees it. */
export interface GovernorDesk {
  view(): GovernorView;
  /** Throws PerchError where it cannot be obeyed. */
  obey(command: unknown): GovernorState;
}

interface Options {
  readonly governor: GovernorDesk;
  readonly access: Access;
  readonly audit: Audit;
}

/** GET /governor shows what runs and why; POST asks something of it for a while. */
export function governorRoutes(app: FastifyInstance, { governor, access, audit }: Options): void {
  app.get("/governor", { onRequest: access.allow("governor.read") }, async () => governor.view());
  app.post("/governor", { onRequest: access.allow("governor.command") }, async ({ body, caller }) => {
    if (!caller) throw new PerchError("TOKEN_REFUSED", "this needs a token");
    const by = { who: caller.name, role: caller.role, from: caller.from };
    return audit.change(by, `governor ${JSON.stringify(body ?? null)}`, () => governor.obey(body));
  });
}
