import { ConfigView, ModelsView, SystemView } from "../../contract/api-system.ts";
import type { Access } from "../access/access.ts";
import { described } from "../openapi.ts";
import type { Api } from "../server.ts";

/** What the box and the service are. */
export interface SystemDesk {
  system(): Promise<SystemView>;
  models(): Promise<ModelsView>;
  config(): ConfigView;
}

interface Options {
  readonly system: SystemDesk;
  readonly access: Access;
}

/** The box, its models and its configuration, as they are now. */
export function boxRoutes(app: Api, { system, access }: Options): void {
  const guarded = access.guarded("system.read");
  app.get(
    "/api/system",
    {
      ...guarded,
      schema: {
        ...described("system", "The box and the service: parts, sensors, disk, record, clock"),
        response: { 200: SystemView },
      },
    },
    async () => system.system(),
  );
  app.get(
    "/api/models",
    {
      ...guarded,
      schema: {
        ...described("system", "Ladders of models, their files, and what runs"),
        response: { 200: ModelsView },
      },
    },
    async () => system.models(),
  );
  app.get(
    "/api/config",
    {
      ...guarded,
      schema: {
        ...described("system", "The configuration file's content without secrets, and what is changed of it"),
        response: { 200: ConfigView },
      },
    },
    async () => system.config(),
  );
}
