import { join } from "node:path";
import type { Config } from "../contract/config.ts";
import type { Ladder, Level } from "../contract/models.ts";
import { ModelStore } from "../inference/model-store.ts";
import type { Logger } from "../kernel/logger.ts";
import { packageRoot } from "../kernel/paths.ts";

/** The models of the configuration's own models.yaml, or of the one that comes with Perch. */
export function modelStoreOf({ models, data }: Config, logger: Logger): ModelStore {
  return new ModelStore({ models: models ?? join(packageRoot, "config", "models.yaml"), data, logger });
}

/** What the configuration asks for. Throws CONFIG_INVALID where there is no such ladder or level. */
export function chosenLevel({ engine }: Config, store: ModelStore): { ladder: Ladder; level: Level } {
  const ladder = store.ladder(engine.ladder);
  return { ladder, level: store.level(ladder, engine.level) };
}

/** llama-server: the configuration's own, or the one that set-up built. */
export const engineBinary = ({ engine }: Config): string =>
  engine.binary ?? join(packageRoot, "build/engine/llama-server");
