import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Fastify from "fastify";
import { Agent, fetch, type RequestInit, type Response } from "undici";
import { gatewayRoutes } from "../api/openai/routes.ts";
import type { Config } from "../contract/config.ts";
import type { Ladder } from "../contract/models.ts";
import { Inference } from "../inference/inference.ts";
import { systemClock } from "../kernel/clock.ts";
import { createLogger } from "../kernel/logger.ts";
import { Metrics } from "../kernel/metrics.ts";
import { chosenLevel, modelStoreOf } from "../model/chosen-level.ts";
import { answeringEngine, isElsewhere } from "../model/remote.ts";
import { RunningService, refusalOf } from "./service.ts";
import { UsageError } from "./usage.ts";

/** The model's API, of the running service or of an engine that was started for it. */
export interface Model {
  /** Who answers, for a person: "the service at http://…". */
  readonly name: string;
  /** In which order it wants pictures, sound and question. */
  readonly order: Ladder["order"];
  /** POST /v1/chat/completions. Throws PerchError with what was said against it. */
  chat(body: object, signal: AbortSignal): Promise<Response>;
}

/** Ms that a model may take to load. */
const PATIENCE = 600_000;
const CHAT = "/v1/chat/completions";

/**
 * Lets somebody ask the model: through the service of the configuration where it runs, so that there is one model in
 * memory and one queue, and otherwise through an engine of its own, which ends with it.
 */
export async function withModel<T>(
  config: Config,
  signal: AbortSignal,
  use: (model: Model) => Promise<T>,
): Promise<T> {
  const service = config.http.port === 0 ? undefined : new RunningService(config);
  if (service && (await service.lives()))
    return use({
      name: `the service at ${service.url}`,
      order: orderOf(config),
      chat: (body, gone) => answered(service.ask(CHAT, { ...posted(body), signal: gone })),
    });
  return withOwnEngine(config, signal, use);
}

/** The same API over an engine of its own, on a socket that only this user can reach. */
async function withOwnEngine<T>(
  config: Config,
  signal: AbortSignal,
  use: (model: Model) => Promise<T>,
): Promise<T> {
  const shared = { clock: systemClock, logger: createLogger("warn"), metrics: new Metrics() };
  const engine = answeringEngine(config, shared);
  const { queue: capacity } = config.engine;
  const inference = new Inference({ ...shared, engine, capacity, data: config.data });
  const app = Fastify({ forceCloseConnections: true });
  const { ladder, level } = engine.stamp;
  const elsewhere = isElsewhere(config);
  app.register(gatewayRoutes, {
    ...shared,
    inference,
    running: () =>
      elsewhere
        ? { ladder, levels: [], level: undefined, reason: undefined }
        : { ladder, levels: [level], level, reason: undefined },
    image: () => engine.image,
  });
  const folder = await mkdtemp(join(tmpdir(), "perch-ask-"));
  const socketPath = join(folder, "s");
  const dispatcher = new Agent({ connect: { socketPath }, headersTimeout: 0, bodyTimeout: 0 });
  try {
    await engine.start(AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]));
    // A model that cannot load is no matter of waiting for somebody at a terminal.
    const { state, reason } = engine.health();
    if (state === "degraded" && reason !== undefined) throw new UsageError(reason);
    await engine.ready(AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]));
    await inference.start();
    await app.listen({ path: socketPath });
    return await use({
      order: engine.order,
      name: elsewhere ? "the servers elsewhere" : `an engine of its own (${ladder} at ${level})`,
      chat: (body, gone) =>
        answered(fetch(`http://localhost${CHAT}`, { ...posted(body), signal: gone, dispatcher })),
    });
  } finally {
    await dispatcher.close();
    await app.close();
    await inference.stop();
    await engine.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** What a service with this configuration runs; a server elsewhere is asked question first. */
function orderOf(config: Config): Ladder["order"] {
  if (isElsewhere(config)) return "question-first";
  return chosenLevel(config, modelStoreOf(config, createLogger("warn"))).ladder.order;
}

const posted = (body: object): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

async function answered(asking: Promise<Response>): Promise<Response> {
  const response = await asking;
  if (!response.ok) throw await refusalOf(response);
  return response;
}
