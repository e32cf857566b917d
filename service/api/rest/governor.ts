import { GovernorCommand, GovernorState, GovernorView } from "../../contract/governor.ts";
import { type Access, changer } from "../access/access.ts";
import type { Audit } from "../access/audit.ts";
import { described } from "../openapi.ts";
import type { Api } from "../server.ts";
import { describedOnly } from "../validation.ts";

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

/** What runs and why; and what somebody asks of it for a while. */
export function governorRoutes(app: Api, { governor, access, audit }: Options): void {
  app.get(
    "/api/governor",
    {
      ...access.guarded("governor.read"),
      schema: {
        ...described("governor", "What runs now, how fast, and why"),
        response: { 200: GovernorView },
      },
    },
    async () => governor.view(),
  );
  app.post(
    "/api/governor",
    {
      ...access.guarded("governor.command"),
      // The governor checks it itself, since commands come by MQTT too.
      validatorCompiler: describedOnly,
      schema: {
        ...described("governor", "Overrule it for a while"),
        body: GovernorCommand,
        response: { 200: GovernorState },
      },
    },
    async ({ body, caller }) =>
      audit.change(changer(caller), `governor ${JSON.stringify(body ?? null)}`, () => governor.obey(body)),
  );
}
