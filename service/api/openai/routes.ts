import { isUtf8 } from "node:buffer";
import type { FastifyInstance, onRequestAsyncHookHandler } from "fastify";
import { LIMITS } from "../../contract/openai.ts";
import { messageOf } from "../../kernel/errors.ts";
import { readMessage, readMessageCount } from "./anthropic.ts";
import { anthropicError } from "./anthropic-fault.ts";
import { readChat, readCompletion } from "./chat.ts";
import { OpenAiFault, wrong } from "./fault.ts";
import { Gateway } from "./gateway.ts";
import { readResponse, readResponseCount } from "./responses.ts";
import { sendFault } from "./sinks.ts";

export type GatewayOptions = ConstructorParameters<typeof Gateway>[0] & {
  /** Lets through who may ask the model, or throws. */
  readonly guard?: onRequestAsyncHookHandler;
};

/**
 * The OpenAI-compatible API under /v1, in a Fastify context of its own: its errors, in OpenAI's form, are nobody
 * else's. What it takes goes to the engine as it is, once it was looked through; the answer comes back as it is.
 */
export async function gatewayRoutes(app: FastifyInstance, options: GatewayOptions): Promise<void> {
  const gateway = new Gateway(options);
  app.setErrorHandler((error, _request, reply) => sendFault(reply, gateway.faultOf(error)));
  readJsonOnly(app);
  if (options.guard) app.addHook("onRequest", options.guard);
  const body = { bodyLimit: LIMITS.body };
  app.get("/v1/models", async () => ({ object: "list", data: gateway.models() }));
  app.get<{ Params: { id: string } }>("/v1/models/:id", async ({ params }) => gateway.model(params.id));
  app.post("/v1/chat/completions", body, (request, reply) =>
    gateway.answer(readChat(request.body), request, reply),
  );
  app.post("/v1/completions", body, (request, reply) =>
    gateway.answer(readCompletion(request.body), request, reply),
  );
  app.post("/v1/responses/input_tokens", body, (request, reply) =>
    gateway.answer(readResponseCount(request.body), request, reply),
  );
  app.post("/v1/responses", body, (request, reply) =>
    gateway.answer(readResponse(request.body), request, reply),
  );
  app.register(async (inner) => {
    inner.setErrorHandler((error, _request, reply) =>
      sendFault(reply, gateway.faultOf(error), { error: anthropicError }),
    );
    inner.post("/v1/messages", body, (request, reply) =>
      gateway.answer(readMessage(request.body), request, reply),
    );
    inner.post("/v1/messages/count_tokens", body, (request, reply) =>
      gateway.answer(readMessageCount(request.body), request, reply),
    );
  });
  app.all("/v1/*", async ({ method, url }) => {
    throw new OpenAiFault(404, `there is no ${method} ${url.slice(0, 100)} here`, { code: "unknown_url" });
  });
}

/** No other type: a page of the web may send a form or plain text to this address unasked, but no JSON. */
function readJsonOnly(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    "application/json",
    { parseAs: "buffer" },
    async (_request: unknown, body: Buffer) => {
      if (!isUtf8(body)) throw wrong("", "the body is not UTF-8");
      try {
        return JSON.parse(body.toString("utf8")) as unknown;
      } catch (error) {
        throw wrong("", `the body is no JSON: ${messageOf(error).slice(0, 200)}`);
      }
    },
  );
}
