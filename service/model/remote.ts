import type { Config } from "../contract/config.ts";
import type { ImageShape, Ladder } from "../contract/models.ts";
import type { Engine } from "../inference/engine.ts";
import { RemoteEngine } from "../inference/remote-engine.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Metrics } from "../kernel/metrics.ts";
import { chosenLevel, modelStoreOf } from "./chosen-level.ts";
import { localEngine } from "./engines.ts";

interface Shared {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Pictures of servers whose model is known to nobody here: as large as Gemma's default, of any aspect. */
const USUAL_IMAGE: ImageShape = { kind: "budget", tokens: 280 };

/** Whether servers elsewhere answer everything, and no model is loaded here. */
export const isElsewhere = ({ engine }: Config): boolean => engine.remote?.mode === "instead";

/** The servers elsewhere of the configuration; undefined where it names none. `ladder`: whose overflow they take. */
export function remoteEngineOf(
  { engine }: Config,
  ladder: { readonly image: ImageShape; readonly order: Ladder["order"] } | undefined,
  shared: Shared,
): RemoteEngine | undefined {
  const { remote, timeout } = engine;
  if (!remote) return undefined;
  return new RemoteEngine({
    ...shared,
    config: remote,
    image: ladder?.image ?? remote.image ?? USUAL_IMAGE,
    order: remote.order ?? ladder?.order ?? "question-first",
    timings: { silence: timeout },
  });
}

/** One engine that answers as the configuration has it, for somebody at a terminal: elsewhere, or here at its level. */
export function answeringEngine(config: Config, shared: Shared): Engine {
  const elsewhere = isElsewhere(config) ? remoteEngineOf(config, undefined, shared) : undefined;
  if (elsewhere) return elsewhere;
  const store = modelStoreOf(config, shared.logger);
  const { ladder, level } = chosenLevel(config, store);
  return localEngine(config, store, ladder, level, shared);
}
