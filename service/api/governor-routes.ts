import type { FastifyInstance } from "fastify";
import type { GovernorState, GovernorView } from "../contract/governor.ts";
import type { AdminToken } from "./admin-token.ts";

/** The governor as the outside sees it. */
export interface GovernorDesk {
  view(): GovernorView;
  /** Throws PerchError where it cannot be obeyed. */
  obey(command: unknown): GovernorState;
}

interface Options {
  readonly governor: GovernorDesk;
  readonly token: AdminToken;
}

/** GET /governor shows what runs and why; POST with the admin token asks something of it for a while. */
export function governorRoutes(app: FastifyInstance, { governor, token }: Options): void {
  app.get("/governor", async () => governor.view());
  app.post("/governor", async (request, reply) => {
    if (!token.matches(request.headers.authorization)) {
      reply.code(401).header("www-authenticate", "Bearer");
      return { error: "this needs the token in admin.token of the data folder, as Authorization: Bearer" };
    }
    return governor.obey(request.body);
  });
}
