import { createServer, request, type Server } from "node:http";
import { buffer } from "node:stream/consumers";

/** What OpenAI's API knows of a chat; a strict server refuses all else. */
const KNOWN = new Set([
  ...["model", "messages", "max_tokens", "temperature", "top_p", "seed", "stop", "stream", "stream_options"],
  ...["response_format", "tools", "tool_choice", "parallel_tool_calls", "frequency_penalty"],
  "presence_penalty",
]);

/**
 * A server that speaks OpenAI's API and nothing beyond it, under its own key and a path of its own, with a llama-server
 * behind it; it has no /health.
 */
export class StrictProxy {
  readonly key = "perch-test-key-strict";
  private readonly server: Server;
  url = "";

  private constructor(behind: { readonly url: string; readonly key: string }) {
    this.server = createServer(async (asked, reply) => {
      const refuse = (status: number, message: string) =>
        reply
          .writeHead(status, { "content-type": "application/json" })
          .end(JSON.stringify({ error: { message, type: "invalid_request_error" } }));
      const body = await buffer(asked);
      if (asked.headers.authorization !== `Bearer ${this.key}`) return refuse(401, "Incorrect API key");
      const path = (asked.url ?? "").replace(/^\/team/, "");
      if (path === "/v1/models")
        return reply
          .writeHead(200, { "content-type": "application/json" })
          .end(JSON.stringify({ object: "list", data: [{ id: "org/model-1", owned_by: "strict" }] }));
      if (path !== "/v1/chat/completions") return refuse(404, "Not Found");
      const { model, ...fields } = JSON.parse(body.toString()) as Record<string, unknown>;
      if (model !== "org/model-1") return refuse(404, `The model ${model} does not exist`);
      const unknown = Object.keys(fields).find((field) => !KNOWN.has(field));
      if (unknown !== undefined) return refuse(400, `Unrecognized request argument supplied: ${unknown}`);
      const passed = request(
        `${behind.url}${path}`,
        {
          method: "POST",
          headers: { authorization: `Bearer ${behind.key}`, "content-type": "application/json" },
        },
        (response) => {
          reply.writeHead(response.statusCode ?? 502, {
            "content-type": response.headers["content-type"] ?? "",
          });
          response.pipe(reply);
        },
      );
      passed.on("error", () => reply.destroy());
      reply.on("close", () => passed.destroy());
      passed.end(body);
    });
  }

  static async start(behind: { readonly url: string; readonly key: string }): Promise<StrictProxy> {
    const proxy = new StrictProxy(behind);
    await new Promise<void>((resolve) => proxy.server.listen(0, "127.0.0.1", resolve));
    const address = proxy.server.address();
    proxy.url = `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}/team/v1`;
    return proxy;
  }

  stop(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}
