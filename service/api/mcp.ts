import type { FastifyRequest } from "fastify";
import type { Ask } from "../mcp/ask.ts";
import type { Access } from "./access/access.ts";
import { refuseElsewhere } from "./access/session-cookie.ts";
import { described } from "./openapi.ts";
import type { Api } from "./server.ts";

interface Options {
  readonly access: Access;
  readonly version: string;
}

/**
 * The Model Context Protocol by streamable HTTP. Every request stands alone: there are no sessions to keep or to
 * lose, and an answer is JSON.
 */
export function mcpRoute(app: Api, { access, version }: Options): void {
  app.route({
    method: ["POST", "GET", "DELETE"],
    url: "/mcp",
    ...access.guarded("mcp.use"),
    schema: described("agents", "Model Context Protocol, streamable HTTP"),
    handler: async (request, reply) => {
      // As the protocol's transport demands, whatever is shown: no page of the web has an agent here.
      refuseElsewhere(request);
      // Loaded when somebody uses it: it costs memory that a box which only watches need not spend.
      const { mcpServer } = await import("../mcp/server.ts");
      const { WebStandardStreamableHTTPServerTransport: Transport } = await import(
        "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js"
      );
      const transport = new Transport({ enableJsonResponse: true });
      const server = mcpServer(within(app, request), version);
      reply.raw.once("close", () => void server.close());
      await server.connect(transport);
      const headers = Object.entries(request.headers).flatMap(([name, value]): [string, string][] =>
        typeof value === "string" ? [[name, value]] : [],
      );
      const asked = new Request(`http://localhost${request.url}`, { method: request.method, headers });
      const answer = await transport.handleRequest(asked, { parsedBody: request.body });
      reply.code(answer.status).headers(Object.fromEntries(answer.headers));
      return reply.send(answer.body === null ? null : Buffer.from(await answer.arrayBuffer()));
    },
  });
}

/** What says who asks, and under which name of the box. */
const IDENTITY = ["authorization", "x-api-key", "host"] as const;

/** Asks the same service, within the process, as whoever sent the request. */
function within(app: Api, { headers, ip }: FastifyRequest): Ask {
  const identity = Object.fromEntries(
    IDENTITY.flatMap((name) => (headers[name] ? [[name, headers[name]]] : [])),
  );
  return async (path, { body, signal }) => {
    const answer = await app.inject({
      method: body ? "POST" : "GET",
      url: path,
      headers: identity,
      remoteAddress: ip,
      signal,
      ...(body && { payload: body }),
    });
    return {
      ok: answer.statusCode >= 200 && answer.statusCode < 300,
      status: answer.statusCode,
      headers: { get: (name) => String(answer.headers[name] ?? "") || null },
      text: async () => answer.body,
      arrayBuffer: async () => new Uint8Array(answer.rawPayload).buffer,
    };
  };
}
