import Fastify, { type FastifyInstance } from "fastify";
import OpenAI from "openai";
import { runningOf } from "../../service/api/openai/models.ts";
import { gatewayRoutes } from "../../service/api/openai/routes.ts";
import type { Level } from "../../service/contract/models.ts";
import type { Engine } from "../../service/inference/engine.ts";
import { Inference } from "../../service/inference/inference.ts";
import { LadderEngine } from "../../service/inference/ladder-engine.ts";
import type { EngineTimings, LocalEngine } from "../../service/inference/local-engine.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { EngineBench, shippedLevel } from "./engine-bench.ts";

interface Options {
  readonly capacity?: number;
  readonly level?: Partial<Level>;
  readonly timings?: Partial<EngineTimings>;
  /** What stands between the queue and the ladder. */
  readonly between?: (engine: LadderEngine, bench: ServedGateway) => Engine;
  /** Level that runs at the start; null for none. */
  readonly runs?: string | null;
}

/** The API on a port of 127.0.0.1, before a real engine of two levels, "one" and "two", of which "one" runs. */
export class ServedGateway {
  readonly bench = new EngineBench();
  /** llama-server children, in the order in which they were made. */
  readonly made: LocalEngine[] = [];
  readonly engine: LadderEngine;
  readonly inference: Inference;
  private readonly app: FastifyInstance;
  url = "";

  private constructor({ capacity = 64, level = {}, timings, between }: Options) {
    const one = { ...shippedLevel(), ...level, id: "one" };
    const shared = { clock: systemClock, logger: silentLogger, metrics: this.bench.metrics };
    const shipped = this.bench.store().ladder("perch-small");
    const ladder = { ...shipped, levels: [one, { ...one, id: "two" }] };
    this.engine = new LadderEngine({
      ...shared,
      ladder,
      make: (of) => {
        const engine = this.bench.engine({ level: of, restarts: 50, ...(timings && { timings }) });
        this.made.push(engine);
        return engine;
      },
    });
    const engine = between?.(this.engine, this) ?? this.engine;
    this.inference = new Inference({ ...shared, engine, capacity, data: this.bench.data });
    this.app = Fastify({ forceCloseConnections: true });
    this.app.register(gatewayRoutes, {
      data: this.bench.data,
      inference: this.inference,
      running: () => runningOf(ladder, this.engine),
      image: () => this.engine.image,
      clock: systemClock,
      logger: silentLogger,
    });
  }

  static async begin(options: Options = {}): Promise<ServedGateway> {
    const served = new ServedGateway(options);
    await served.engine.start();
    await served.inference.start();
    const { runs = "one" } = options;
    if (runs !== null) await served.engine.switchTo(runs, { way: "after" });
    served.url = await served.app.listen({ host: "127.0.0.1", port: 0 });
    return served;
  }

  get client(): OpenAI {
    return new OpenAI({ baseURL: `${this.url}/v1`, apiKey: "none", maxRetries: 0 });
  }

  /** POSTs a chat; strings and buffers go as they are. */
  async post(
    body: unknown,
    headers: Record<string, string> = {},
    path = "/v1/chat/completions",
  ): Promise<Response> {
    const raw = typeof body === "string" || body instanceof Uint8Array;
    return await fetch(`${this.url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: raw ? body : JSON.stringify(body),
    });
  }

  async dispose(): Promise<void> {
    await this.app.close();
    await this.inference.stop();
    await this.engine.stop();
    await this.bench.dispose();
  }
}

/** A chat whose answer has `count` numbers, each token by itself: it takes a while, and cannot end early. */
export const counting = (count: number, more: object = {}) => ({
  model: "perch",
  messages: [{ role: "user" as const, content: `Count. ${Math.random()}` }],
  temperature: 0,
  response_format: {
    type: "json_schema" as const,
    json_schema: {
      name: "numbers",
      schema: {
        type: "array",
        items: { type: "integer", minimum: 10, maximum: 99 },
        minItems: count,
        maxItems: count,
      },
    },
  },
  ...more,
});
