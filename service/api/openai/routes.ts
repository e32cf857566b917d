import { isUtf8 } from "node:buffer";
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestAsyncHookHandler } from "fastify";
import type { Lane } from "../../contract/config-watches.ts";
import type { ImageShape } from "../../contract/models.ts";
import { LIMITS } from "../../contract/openai.ts";
import type { RawRequest } from "../../inference/engine.ts";
import type { Inference } from "../../inference/inference.ts";
import type { Clock } from "../../kernel/clock.ts";
import { isPerchError, messageOf, PerchError } from "../../kernel/errors.ts";
import type { Logger } from "../../kernel/logger.ts";
import { type Read, readChat, readCompletion } from "./chat.ts";
import { OpenAiFault, told, withoutPaths, wrong } from "./fault.ts";
import { MediaDesk } from "./media.ts";
import { levelOf, modelList, type Running } from "./models.ts";
import { type Answer, StreamedAnswer, sendFault, WholeAnswer } from "./sinks.ts";
import { Suspicions } from "./suspicions.ts";

export interface GatewayOptions {
  readonly inference: Inference;
  /** What runs now. */
  readonly running: () => Running;
  /** The size of pictures that the engine takes now. */
  readonly image: () => ImageShape;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Lets through who may ask the model, or throws. */
  readonly guard?: onRequestAsyncHookHandler;
}

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
  app.post("/v1/chat/completions", body, (request, reply) => gateway.answer("chat", request, reply));
  app.post("/v1/completions", body, (request, reply) => gateway.answer("completion", request, reply));
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

const PATHS = { chat: "/v1/chat/completions", completion: "/v1/completions" } as const;

class Gateway {
  private readonly desk = new MediaDesk();
  private readonly suspicions: Suspicions;
  /** Seconds since 1970. */
  private readonly since: number;

  constructor(private readonly options: GatewayOptions) {
    this.suspicions = new Suspicions(options.clock);
    this.since = Math.floor(options.clock.now() / 1000);
  }

  models() {
    return modelList(this.options.running(), this.since);
  }

  model(id: string) {
    levelOf(id, this.options.running());
    return { id, object: "model", created: this.since, owned_by: "perch" };
  }

  /** One request from its body to the last byte of its answer. */
  async answer(kind: "chat" | "completion", request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const read = kind === "chat" ? readChat(request.body) : readCompletion(request.body);
    const deadline = this.options.clock.monotonic() + patienceOf(request);
    const level = levelOf(read.model, this.options.running());
    this.refuseIfNoneRuns();
    const gone = new AbortController();
    reply.raw.once("close", () => gone.abort());
    const answer = read.stream ? new StreamedAnswer(reply, () => gone.abort()) : new WholeAnswer(reply, kind);
    const raw = await this.rawOf(kind, read, { answer, level, signal: gone.signal });
    await this.ask(raw, answer, { lane: laneOf(request), deadline, signal: gone.signal });
    return reply;
  }

  /** Any error in OpenAI's form. */
  faultOf(error: unknown): OpenAiFault {
    if (error instanceof OpenAiFault) return error;
    if (isPerchError(error)) {
      // What keeps the poison has told of it already.
      if (error.status === 500 && error.code !== "ENGINE_POISON")
        this.options.logger.error(
          { part: "api" },
          `a request to the model was not answered: ${error.message}`,
        );
      return told(this.better(error));
    }
    const { statusCode: status = 500, code } = error as { statusCode?: number; code?: string };
    if (code === "FST_ERR_CTP_BODY_TOO_LARGE")
      return new OpenAiFault(413, `the body is larger than ${LIMITS.body / 1e6} MB`, {
        code: "body_too_large",
        final: true,
      });
    if (status < 500) return new OpenAiFault(status, messageOf(error));
    this.options.logger.error(
      { part: "api", err: error },
      "a request to the model failed in a way nobody expected",
    );
    return new OpenAiFault(500, "something went wrong in Perch; its log says what");
  }

  private async rawOf(
    kind: "chat" | "completion",
    read: Read,
    { answer, level, signal }: { answer: Answer; level: string | undefined; signal: AbortSignal },
  ): Promise<RawRequest> {
    const made = await read.make({ desk: this.desk, shape: this.options.image(), signal });
    return {
      path: PATHS[kind],
      body: JSON.stringify(made),
      sink: answer,
      ...(level !== undefined && { level }),
    };
  }

  private async ask(
    raw: RawRequest,
    answer: Answer,
    { lane, deadline, signal }: { lane: Lane; deadline: number; signal: AbortSignal },
  ): Promise<void> {
    const { path, body } = raw;
    try {
      const deaths = this.suspicions.deathsUnder(path, body);
      await this.options.inference.submit({ raw, lane, deadline, signal, deaths });
      this.suspicions.clear(path, body);
      answer.end();
    } catch (error) {
      this.suspicions.note(path, body, error);
      answer.fail(this.faultOf(error));
    }
  }

  private refuseIfNoneRuns(): void {
    const { level, reason } = this.options.running();
    if (level === undefined && reason !== undefined) throw noneRuns(reason);
  }

  /** A request that waited in vain because no level ran is told that. */
  private better(error: PerchError): PerchError {
    const { level, reason } = this.options.running();
    if (error.code !== "DEADLINE_PASSED" || level !== undefined || reason === undefined) return error;
    return new PerchError("DEADLINE_PASSED", `no level ran before the deadline: ${withoutPaths(reason)}`);
  }
}

const noneRuns = (reason: string): OpenAiFault =>
  new OpenAiFault(503, `no level of the model runs: ${withoutPaths(reason)}`, {
    code: "no_level_runs",
    retryAfter: 10,
  });

/** Whoever asks has the lane of its token: a kiosk its own, a program the one that it was given. */
function laneOf({ caller }: FastifyRequest): Lane {
  return caller?.role === "kiosk" ? "kiosk" : (caller?.lane ?? "api");
}

/** Ms that a request may wait for its turn, by its header x-perch-deadline. */
function patienceOf({ headers }: FastifyRequest): number {
  const { least, most, usual } = LIMITS.deadline;
  const given = headers["x-perch-deadline"];
  if (given === undefined) return usual;
  const ms = Number(given);
  if (!Number.isInteger(ms) || ms < least || ms > most)
    throw wrong("x-perch-deadline", `this header must be a whole number of ms from ${least} to ${most}`);
  return ms;
}
