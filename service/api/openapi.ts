import swagger from "@fastify/swagger";
import { CHAPTERS, type Chapter } from "../contract/api.ts";
import { schemaFragment } from "../contract/json-schema.ts";
import type { Access } from "./access/access.ts";
import type { Ability } from "./access/rights.ts";
import type { SignIn } from "./access/sign-in.ts";
import { type Described, docsPage } from "./docs/page.ts";
import { accessOf, type Document, securitySchemes, withRefusals } from "./openapi-access.ts";
import type { Api } from "./server.ts";

interface Options {
  readonly version: string;
  readonly access: Access;
  readonly signIn: SignIn;
}

/**
 * Describes every route that is added from now on, by the schemas that check it, as OpenAPI 3.1 at
 * /api/openapi.json. A route without a summary is not described.
 */
export async function describeRoutes(app: Api, { version, access, signIn }: Options): Promise<void> {
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
        securitySchemes: securitySchemes(signIn.cookie.name),
      },
    },
    transform: ({ schema, url, route }) => {
      if (schema?.summary === undefined) return { schema: { hide: true }, url };
      const ability = (route.config as { ability?: Ability } | undefined)?.ability;
      const open = ability !== undefined && access.isOpen(ability);
      const { security, words } = accessOf(ability, route.method, open);
      const description = [schema.description, words].filter(Boolean).join(" ");
      return { schema: { ...plain(schema), security, description }, url };
    },
    transformObject: (made) => {
      if (!("openapiObject" in made)) return made.swaggerObject;
      // The plug-in's types are those of every version of OpenAPI at once.
      return withRefusals(made.openapiObject as Document) as typeof made.openapiObject;
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
  const cleaned = parts.flatMap((part) => (given[part] ? [[part, schemaFragment(given[part])]] : []));
  const response = Object.entries(given.response ?? {}).map(([status, of]) => [
    status,
    schemaFragment(of as object),
  ]);
  return {
    ...schema,
    ...Object.fromEntries(cleaned),
    ...(given.response && { response: Object.fromEntries(response) }),
  };
}

/** What a route says of itself in the API's description. */
export const described = (chapter: Chapter, summary: string) => ({ tags: [chapter], summary });
