import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Level } from "../../service/contract/models.ts";
import { type EngineTimings, LocalEngine } from "../../service/inference/local-engine.ts";
import { ModelStore } from "../../service/inference/model-store.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { packageRoot } from "../../service/kernel/paths.ts";
import { modelsYaml } from "./models-yaml.ts";

export const WEIGHTS = join(packageRoot, "device/simulator/model/weights");

/** The shipped small model's default level. */
export function shippedLevel(): Level {
  const store = new ModelStore({
    models: join(packageRoot, "config/models.yaml"),
    data: tmpdir(),
    logger: silentLogger,
  });
  return store.level(store.ladder("perch-small"));
}

/** A folder of its own with a models.yaml, to start engines in. */
export class EngineBench {
  readonly folder = mkdtempSync(join(tmpdir(), "perch-test-"));
  readonly data = join(this.folder, "data");
  readonly weights = join(this.folder, "weights");
  readonly metrics = new Metrics();
  private readonly engines: LocalEngine[] = [];

  constructor() {
    mkdirSync(this.data);
    mkdirSync(this.weights);
    const { text, mmproj } = shippedLevel();
    for (const { file } of [text, mmproj]) copyFileSync(join(WEIGHTS, file), join(this.weights, file));
  }

  /** The store of the shipped models.yaml's first rung, its files in this bench's folder, with changes. */
  store(change: Partial<Level> = {}, order: "media-first" | "question-first" = "media-first"): ModelStore {
    const shipped = new ModelStore({
      models: join(packageRoot, "config/models.yaml"),
      data: this.data,
      logger: silentLogger,
    });
    const ladder = shipped.ladder("perch-small");
    const level = { ...shipped.level(ladder), ...change };
    const models = join(this.folder, `models-${this.engines.length}.yaml`);
    writeFileSync(
      models,
      modelsYaml({ ...ladder, folder: "weights", order, default: level.id, levels: [level] }),
    );
    return new ModelStore({ models, data: this.data, logger: silentLogger });
  }

  /** An engine that is not started; dispose() stops it. */
  engine(
    options: {
      readonly level?: Partial<Level>;
      readonly order?: "media-first" | "question-first";
      readonly timings?: Partial<EngineTimings>;
      readonly binary?: string;
      readonly restarts?: number;
    } = {},
  ): LocalEngine {
    const { level, order, timings, binary, restarts = 5 } = options;
    const store = this.store(level, order);
    const ladder = store.ladder("perch-small");
    const engine = new LocalEngine({
      store,
      ladder,
      level: store.level(ladder),
      restarts,
      clock: systemClock,
      logger: silentLogger,
      metrics: this.metrics,
      timings: { patience: 20_000, backoff: { first: 50, most: 200 }, ...timings },
      ...(binary !== undefined && { binary }),
    });
    this.engines.push(engine);
    return engine;
  }

  async started(options: Parameters<EngineBench["engine"]>[0] = {}): Promise<LocalEngine> {
    const engine = this.engine(options);
    await engine.start(new AbortController().signal);
    return engine;
  }

  async dispose(): Promise<void> {
    for (const engine of this.engines) await engine.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Whether a process is there (a zombie is not). */
export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Resolves when the condition holds; throws after `limit` ms. */
export async function eventually(condition: () => boolean, what: string, limit = 20_000): Promise<void> {
  const end = performance.now() + limit;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ${limit} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export const anySignal = (): AbortSignal => new AbortController().signal;
