import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Answer, AnswerSchema } from "../../../../service/contract/answer.ts";
import type { Level } from "../../../../service/contract/models.ts";
import { Inference } from "../../../../service/inference/inference.ts";
import { LocalEngine } from "../../../../service/inference/local-engine.ts";
import { systemClock } from "../../../../service/kernel/clock.ts";
import { isPerchError } from "../../../../service/kernel/errors.ts";
import { silentLogger } from "../../../../service/kernel/logger.ts";
import { Metrics } from "../../../../service/kernel/metrics.ts";
import { parseAnswer } from "../../../../service/watch/parse-answer.ts";
import type { Candidate } from "./candidates.ts";
import type { Item } from "./samples.ts";
import type { Trial } from "./trial.ts";

/** Ms that the engine may take to load, and that a request may wait and take. */
const PATIENCE = 120_000;
const QUEUE = 64;

export interface Examined {
  /** Undefined where the model's text was no answer to the schema. */
  readonly answer: Answer | undefined;
  /** Ms from sending the request to the engine until its answer was complete. */
  readonly took: number;
}

/** A level of the model that is asked as the service asks it: engine, queue, prompt, grammar and parser are its own. */
export class Examinee {
  private readonly data = mkdtempSync(join(tmpdir(), "perch-eval-"));
  private readonly engine: LocalEngine;
  private readonly inference: Inference;
  /** Ms that the engine took from its start to its first answer, the check of its files included. */
  loaded = 0;

  constructor({ store, ladder, level }: Candidate, change: Partial<Level> = {}) {
    const shared = { clock: systemClock, logger: silentLogger, metrics: new Metrics() };
    this.engine = new LocalEngine({
      ...shared,
      store,
      ladder,
      level: { ...level, ...change },
      restarts: 0,
      timings: { patience: PATIENCE, request: PATIENCE },
    });
    this.inference = new Inference({ ...shared, engine: this.engine, capacity: QUEUE, data: this.data });
  }

  /** Rejects with what keeps the engine from starting. */
  async start(): Promise<void> {
    const begun = performance.now();
    await this.engine.start(AbortSignal.timeout(PATIENCE));
    const { state, reason } = this.engine.health();
    if (state !== "ok") throw new Error(reason ?? `the engine is ${state}`);
    this.loaded = performance.now() - begun;
    await this.inference.start();
  }

  async stop(): Promise<void> {
    await this.inference.stop();
    await this.engine.stop();
    rmSync(this.data, { recursive: true, force: true });
  }

  /** Resident memory of llama-server, bytes. */
  resident(): number {
    const status = readFileSync(`/proc/${this.engine.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  }

  async ask(item: Item, question: string, schema: AnswerSchema): Promise<Examined> {
    const { images, audio } = item;
    try {
      const { reply, sent, received } = await this.inference.submit({
        prompt: { question, schema, ...(images.length > 0 && { images }), ...(audio && { audio }) },
        lane: "batch",
        deadline: systemClock.monotonic() + PATIENCE,
      });
      return { answer: parsed(reply.text, schema), took: received - sent };
    } catch (error) {
      if (!isPerchError(error, "ENGINE_REFUSED")) throw error;
      return { answer: undefined, took: Number.NaN };
    }
  }

  /** Asks all, as many at once as the engine has slots with as many waiting. */
  async sit(
    trials: readonly Trial[],
    onAnswer: (trial: Trial, answer: Answer | undefined) => void,
  ): Promise<void> {
    const waiting = trials[Symbol.iterator]();
    const worker = async () => {
      for (const trial of waiting) {
        const { answer } = await this.ask(trial.item, trial.question, trial.schema);
        onAnswer(trial, answer);
      }
    };
    await Promise.all(Array.from({ length: 2 * this.engine.slots }, worker));
  }
}

function parsed(text: string, schema: AnswerSchema): Answer | undefined {
  try {
    return parseAnswer(text, schema);
  } catch (error) {
    if (!isPerchError(error, "ANSWER_INVALID")) throw error;
    return undefined;
  }
}
