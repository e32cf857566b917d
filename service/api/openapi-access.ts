import { Refusal } from "../contract/api.ts";
import { schemaFragment } from "../contract/json-schema.ts";
import { type Ability, RIGHTS, type Right } from "./access/rights.ts";

/** How a request may show who sends it: all that one of these names, together. */
type Way = { readonly [scheme: string]: readonly [] };
type Security = readonly Way[];

const TOKEN: Way = { token: [] };
const NOTHING: Way = {};
const SAFE = ["GET", "HEAD"];

/** The ways in which somebody can show who asks. `cookie` is the name of a login's cookie. */
export const securitySchemes = (cookie: string) => ({
  token: {
    type: "http" as const,
    scheme: "bearer",
    description:
      "perch token create makes one; admin.token of the data folder is one. As x-api-key it counts as well.",
  },
  session: {
    type: "apiKey" as const,
    in: "cookie" as const,
    name: cookie,
    description: "A person's login: POST /api/session sets it.",
  },
  csrf: {
    type: "apiKey" as const,
    in: "header" as const,
    name: "x-csrf-token",
    description:
      "With the cookie, for everything but GET and HEAD: `csrf` of the answer of POST /api/session or GET /api/session.",
  },
});

/** What a route with this ability takes, and in words who may. `open`: nothing is needed where the service listens. */
export function accessOf(
  ability: Ability | undefined,
  methods: string | readonly string[],
  open: boolean,
): { readonly security: Security; readonly words?: string } {
  if (ability === undefined) return { security: [] };
  const { roles, openOnLoopback, by }: Right = RIGHTS[ability];
  const changes = [methods].flat().some((method) => !SAFE.includes(method.toUpperCase()));
  const login: Way = changes ? { session: [], csrf: [] } : { session: [] };
  const local = openOnLoopback
    ? "; nothing is needed on the box itself, where it listens there only"
    : by === undefined
      ? ""
      : `; with a ${by} only`;
  return {
    security: [
      ...(by === "login" ? [] : [TOKEN]),
      ...(by === "token" ? [] : [login]),
      ...(open ? [NOTHING] : []),
    ],
    words: `Roles: ${roles.join(", ")}${local}.`,
  };
}

interface Operation {
  readonly security?: Security;
  responses?: { [status: string]: object };
}

/** An OpenAPI document as far as it is read and added to here. */
export interface Document {
  readonly components?: { readonly schemas?: object; readonly responses?: object };
  readonly paths?: { readonly [path: string]: { readonly [method: string]: Operation } };
}

/** The form of errors at an address, by the name of its schema. */
const formAt = (path: string): keyof typeof FORMS =>
  path.startsWith("/v1/messages") ? "AnthropicError" : path.startsWith("/v1/") ? "OpenAiError" : "Refusal";

const text = { type: "string" };
const FORMS = {
  Refusal: schemaFragment(Refusal),
  OpenAiError: {
    type: "object",
    required: ["error"],
    properties: {
      error: {
        type: "object",
        required: ["message", "type", "param", "code"],
        properties: {
          message: { ...text, description: "What is wrong and what to do." },
          type: text,
          param: { type: ["string", "null"], description: "Where in the request." },
          code: { type: ["string", "null"], description: "One word for programs." },
        },
      },
    },
  },
  AnthropicError: {
    type: "object",
    required: ["type", "error"],
    properties: {
      type: { const: "error" },
      error: {
        type: "object",
        required: ["type", "message"],
        properties: { type: text, message: { ...text, description: "What is wrong and what to do." } },
      },
    },
  },
} as const;

const REFUSALS = {
  Unknown: "Nobody is known: a token or a login is missing, wrong, revoked or over.",
  Forbidden:
    "Who asks may not do this, a changing request with a login's cookie lacks its x-csrf-token, or the request comes from another page or under another name of the box.",
  Refused: "Any other refusal: it says what is wrong and what to do.",
} as const;

/** The same document, in which each operation says how it refuses whom. */
export function withRefusals(document: Document): Document {
  for (const [path, methods] of Object.entries(document.paths ?? {}))
    for (const operation of Object.values(methods)) {
      const named = (kind: keyof typeof REFUSALS) => ({
        $ref: `#/components/responses/${kind}${formAt(path)}`,
      });
      const guarded = (operation.security ?? []).length > 0;
      operation.responses = {
        ...(guarded && { 401: named("Unknown"), 403: named("Forbidden") }),
        ...operation.responses,
        default: named("Refused"),
      };
    }
  const responses = Object.entries(REFUSALS).flatMap(([kind, description]) =>
    Object.keys(FORMS).map((form) => [`${kind}${form}`, responseOf(kind, form, description)]),
  );
  return {
    ...document,
    components: {
      ...document.components,
      schemas: { ...document.components?.schemas, ...FORMS },
      responses: { ...document.components?.responses, ...Object.fromEntries(responses) },
    },
  };
}

const responseOf = (kind: string, form: string, description: string) => ({
  description,
  ...(kind === "Unknown" && { headers: { "www-authenticate": { schema: text } } }),
  content: { "application/json": { schema: { $ref: `#/components/schemas/${form}` } } },
});
