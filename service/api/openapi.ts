import swagger from "@fastify/swagger";
import { CHAPTERS, type Chapter } from "../contract/api.ts";
import { publicSchema } from "../contract/json-schema.ts";
import { type Ability, type Access, RIGHTS } from "./access/access.ts";
import { type Described, docsPage } from "./docs/page.ts";
import type { Api } from "./server.ts";

/**
 * Describes every route that is added from now on, by the schemas that check it, as OpenAPI 3.1 at
 * /api/openapi.json. A route without a summary is not described.
 */
export async function describeRoutes(app: Api, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Perch",
        version,
        description: "Cameras and microphones, watched by one local model. Nothing leaves the box.",
      },
      tags: Object.entries(CHAPTERS).map(([name, description]) => ({ name, description })),
      components: {
        securitySchemes: {
          token: {
            type: "http",
            scheme: "bearer",
            description: "perch token create makes one; admin.token of the data folder is one.",
          },
        },
      },
    },
    transform: ({ schema, url, route }) => {
      if (schema?.summary === undefined) return { schema: { hide: true }, url };
      const ability = (route.config as { ability?: Ability } | undefined)?.ability;
      const { security, roles } = rightsOf(ability);
      const description = [schema.description, roles].filter(Boolean).join(" ");
      return { schema: { ...plain(schema), security, description }, url };
    },
  });
}

/** The document itself, for programs and as a page for people; once all routes are added and ready. */
export function openApiRoute(app: Api, access: Access): void {
  let page: string | undefined;
  app.get("/api/openapi.json", access.guarded("docs.read"), async () => app.swagger());
  app.get("/docs", access.guarded("docs.read"), async (_request, reply) => {
    page ??= docsPage(app.swagger() as unknown as Described);
    return reply.type("text/html; charset=utf-8").send(page);
  });
}

/** Without what only Perch's own checks know. */
function plain<T extends object>(schema: T): T {
  const parts = ["body", "querystring", "params", "headers"] as const;
  const given = schema as Partial<Record<(typeof parts)[number] | "response", object>>;
  const cleaned = parts.flatMap((part) => (given[part] ? [[part, fragment(given[part])]] : []));
  const response = Object.entries(given.response ?? {}).map(([status, of]) => [
    status,
    fragment(of as object),
  ]);
  return {
    ...schema,
    ...Object.fromEntries(cleaned),
    ...(given.response && { response: Object.fromEntries(response) }),
  };
}

function fragment(schema: object): object {
  const { $schema: _schema, title: _title, ...rest } = publicSchema(schema, "") as Record<string, unknown>;
  return rest;
}

function rightsOf(ability: Ability | undefined): {
  security: readonly { readonly [scheme: string]: readonly string[] }[];
  roles?: string;
} {
  if (ability === undefined) return { security: [] };
  const { roles, openOnLoopback } = RIGHTS[ability];
  const local = openOnLoopback ? "; without a token from the box itself, where it listens there only" : "";
  return { security: [{ token: [] }], roles: `Roles: ${roles.join(", ")}${local}.` };
}

/** What a route says of itself in the API's description. */
export const described = (chapter: Chapter, summary: string) => ({ tags: [chapter], summary });
