import type { Config } from "../contract/config.ts";
import type { Ladder, Level } from "../contract/models.ts";
import { LocalEngine } from "../inference/local-engine.ts";
import type { ModelStore } from "../inference/model-store.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Metrics } from "../kernel/metrics.ts";
import { chosenLevel, modelStoreOf } from "./chosen-level.ts";

/** One level of the configuration's ladder: the one that it asks for. Throws CONFIG_INVALID where there is none. */
export function engineOf(
  config: Config,
  shared: { clock: Clock; logger: Logger; metrics: Metrics },
): LocalEngine {
  const store = modelStoreOf(config, shared.logger);
  const { ladder, level } = chosenLevel(config, store);
  return localEngine(config, store, ladder, level, shared);
}

/** A level of a ladder, by the configuration's settings. */
export function localEngine(
  { engine }: Config,
  store: ModelStore,
  ladder: Ladder,
  level: Level,
  shared: { clock: Clock; logger: Logger; metrics: Metrics },
): LocalEngine {
  const { binary, restarts, timeout } = engine;
  return new LocalEngine({
    ...shared,
    store,
    ladder,
    level,
    restarts,
    timings: { request: timeout },
    ...(binary !== undefined && { binary }),
  });
}
