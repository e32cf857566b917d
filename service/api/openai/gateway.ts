import type { FastifyReply, FastifyRequest } from "fastify";
import type { Lane } from "../../contract/config-watches.ts";
import type { ImageShape } from "../../contract/models.ts";
import { LIMITS } from "../../contract/openai.ts";
import type { RawRequest } from "../../inference/engine.ts";
import type { Inference } from "../../inference/inference.ts";
import type { Answered } from "../../inference/job.ts";
import type { Clock } from "../../kernel/clock.ts";
import { isPerchError, messageOf, PerchError } from "../../kernel/errors.ts";
import type { Logger } from "../../kernel/logger.ts";
import { gone } from "../gone.ts";
import type { Read } from "./chat.ts";
import { OpenAiFault, told, withoutPaths, wrong } from "./fault.ts";
import { MediaDesk } from "./media.ts";
import { levelOf, modelList, type Running } from "./models.ts";
import { StreamedAnswer, WholeAnswer } from "./sinks.ts";
import { Suspicions } from "./suspicions.ts";

interface Options {
  readonly inference: Inference;
  /** What runs now. */
  readonly running: () => Running;
  /** The size of pictures that the engine takes now. */
  readonly image: () => ImageShape;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** On what terms a request is asked. */
export interface Terms {
  readonly lane: Lane;
  /** Level that it must be answered by. */
  readonly level: string | undefined;
  /** Ms that it may wait for its turn. */
  readonly patience: number;
  /** Aborts when the client has gone, or is given up. */
  readonly gone: AbortController;
}

/** What stands between a request that was read and the engine: whose it is, whether it may be asked now, and how. */
export class Gateway {
  private readonly desk = new MediaDesk();
  private readonly suspicions: Suspicions;
  /** Seconds since 1970. */
  private readonly since: number;

  constructor(private readonly options: Options) {
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

  /** The terms of a request for a model. Throws OpenAiFault where it cannot be asked now. */
  terms(model: string, request: FastifyRequest, reply: FastifyReply): Terms {
    const patience = patienceOf(request);
    const level = levelOf(model, this.options.running());
    this.refuseIfNoneRuns();
    return { lane: laneOf(request), level, patience, gone: gone(reply) };
  }

  /** One request, as it was read, up to the last byte of its answer. Throws OpenAiFault before it is asked. */
  async answer(read: Read, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const { path, wording, stream } = read;
    const terms = this.terms(read.model, request, reply);
    const { gone } = terms;
    const end = this.options.clock.monotonic() + terms.patience;
    const answer = stream
      ? new StreamedAnswer(reply, wording, () => gone.abort())
      : new WholeAnswer(reply, wording);
    try {
      const { desk, options } = this;
      const made = await read.make({ desk, shape: options.image(), signal: gone.signal });
      const body = JSON.stringify(stream ? made : { ...made, stream: false });
      await this.ask({ path, body, sink: answer, ...(!stream && { whole: true }) }, terms, end);
      answer.end();
    } catch (error) {
      answer.fail(this.faultOf(error));
    }
    return reply;
  }

  /** Asks once, until a time (monotonic ms). Rejects with PerchError. */
  async ask(raw: RawRequest, { lane, level, gone: { signal } }: Terms, deadline: number): Promise<Answered> {
    const { path, body } = raw;
    const deaths = this.suspicions.deathsUnder(path, body);
    const asked = level === undefined ? raw : { ...raw, level };
    try {
      const answered = await this.options.inference.submit({ raw: asked, lane, deadline, signal, deaths });
      this.suspicions.clear(path, body);
      return answered;
    } catch (error) {
      this.suspicions.note(path, body, error);
      throw error;
    }
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
