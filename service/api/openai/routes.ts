import { isUtf8 } from "node:buffer";
import type { FastifyInstance, FastifyRequest, onRequestAsyncHookHandler } from "fastify";
import type { TSchema } from "typebox";
import { AnthropicBody, AnthropicCountBody } from "../../contract/anthropic.ts";
import { ChatBody, CompletionBody, LIMITS } from "../../contract/openai.ts";
import { ResponseBody } from "../../contract/openai-responses.ts";
import { TranscriptionForm, UPLOAD } from "../../contract/openai-transcription.ts";
import type { Clock } from "../../kernel/clock.ts";
import { messageOf } from "../../kernel/errors.ts";
import type { Logger } from "../../kernel/logger.ts";
import { described } from "../openapi.ts";
import { describedOnly } from "../validation.ts";
import { readMessage, readMessageCount } from "./anthropic.ts";
import { anthropicError } from "./anthropic-fault.ts";
import { type Read, readChat, readCompletion } from "./chat.ts";
import { wrong } from "./fault.ts";
import { Gateway } from "./gateway.ts";
import { ByteBudget, holdBodies } from "./held.ts";
import { notHere } from "./not-here.ts";
import { readResponse, readResponseCount } from "./responses.ts";
import { sendFault } from "./sinks.ts";
import { Spool } from "./spool.ts";
import { Transcription } from "./transcription.ts";

export type GatewayOptions = ConstructorParameters<typeof Gateway>[0] & {
  /** The data folder: uploads lie in it while they are asked about. Without it none are taken. */
  readonly data?: string;
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
  app.removeAllContentTypeParsers();
  if (options.guard) app.addHook("onRequest", options.guard);
  app.get("/v1/models", of("The models that can be asked for"), async () => ({
    object: "list",
    data: gateway.models(),
  }));
  app.get<{ Params: { id: string } }>("/v1/models/:id", of("One of them"), async ({ params }) =>
    gateway.model(params.id),
  );
  app.register(jsonRoutes, { gateway });
  const { data, clock, logger } = options;
  if (data !== undefined) app.register(formRoutes, { gateway, data, clock, logger });
}

/** What takes JSON. */
async function jsonRoutes(app: FastifyInstance, { gateway }: { gateway: Gateway }): Promise<void> {
  readJsonOnly(app);
  holdBodies(app, new ByteBudget(LIMITS.bodies, "requests"), LIMITS.body);
  const add = (to: FastifyInstance, path: string, read: (body: unknown) => Read, route: object) =>
    to.post(path, route, (request, reply) => gateway.answer(read(request.body), request, reply));
  add(app, "/v1/chat/completions", readChat, of("Ask the model, as OpenAI's chat API has it", ChatBody));
  add(app, "/v1/completions", readCompletion, of("Have a text continued", CompletionBody));
  add(
    app,
    "/v1/responses",
    readResponse,
    of("Ask the model, as OpenAI's Responses API has it", ResponseBody),
  );
  add(app, "/v1/responses/input_tokens", readResponseCount, of("Count its tokens", ResponseBody));
  app.register(async (inner) => {
    inner.setErrorHandler((error, _request, reply) =>
      sendFault(reply, gateway.faultOf(error), { error: anthropicError }),
    );
    const asked = of("Ask the model, as Anthropic's Messages API has it", AnthropicBody);
    add(inner, "/v1/messages", readMessage, asked);
    add(inner, "/v1/messages/count_tokens", readMessageCount, of("Count its tokens", AnthropicCountBody));
  });
  app.all("/v1/*", { config: { ability: "model.ask" } }, async ({ method, url }) => {
    throw notHere(method, url);
  });
}

/** What takes a form with a file. */
async function formRoutes(
  app: FastifyInstance,
  { gateway, data, clock, logger }: { gateway: Gateway; data: string; clock: Clock; logger: Logger },
): Promise<void> {
  // It is read as it comes, to the disk.
  app.addContentTypeParser("multipart/form-data", async (_request: unknown, body: unknown) => body);
  const spool = new Spool(data);
  app.addHook("onReady", async () => {
    await spool.clear().catch((error: unknown) => {
      logger.warn({ part: "api" }, `what was left of uploads cannot be removed: ${messageOf(error)}`);
    });
  });
  const transcription = new Transcription({ gateway, spool, clock });
  app.post(
    "/v1/audio/transcriptions",
    {
      ...of(
        "Have a sound file of up to two hours written down; the file comes as `file`",
        TranscriptionForm,
        {
          consumes: ["multipart/form-data"],
        },
      ),
      config: { ability: "model.ask", bodyTime: UPLOAD.time },
    },
    (request, reply) => transcription.answer(request, reply),
  );
}

/** How a route is described; each checks itself what it takes, and says in its API's form what is wrong. */
const of = (summary: string, body?: TSchema, more: object = {}) => ({
  bodyLimit: LIMITS.body,
  config: { ability: "model.ask" as const },
  validatorCompiler: describedOnly,
  schema: { ...described("model", summary), ...more, ...(body && { body }) },
});

/** No other type: a page of the web may send a form or plain text to this address unasked, but no JSON. */
function readJsonOnly(app: FastifyInstance): void {
  app.addContentTypeParser(
    "application/json",
    { parseAs: "buffer" },
    async (request: FastifyRequest, body: Buffer) => {
      request.held?.shrink(body.length);
      if (!isUtf8(body)) throw wrong("", "the body is not UTF-8");
      try {
        return JSON.parse(body.toString("utf8")) as unknown;
      } catch (error) {
        throw wrong("", `the body is no JSON: ${messageOf(error).slice(0, 200)}`);
      }
    },
  );
}
