import type { LoadTaken } from "../contract/decision.ts";
import type { Level } from "../contract/models.ts";

export interface Corrected {
  readonly bytes: ReadonlyMap<string, number>;
  /** Whether this very level was loaded here before. */
  readonly measured: boolean;
}

/** No load is believed to take less or more than so many times the estimate: it was measured while others moved. */
const LEAST = 0.8;
const MOST = 1.5;

/**
 * The estimate, corrected by what loading took: the same level as it is now takes what it took, another of the
 * same model is off by as much as that one's estimate was. Prompts that are kept come on top: just loaded, it
 * had none. A pool in which nothing was seen (nvidia-smi in a container sees no processes) stays as estimated.
 * `estimateOf`: what the planner would have said of a load, without prompts.
 */
export function correct(
  level: Level,
  estimated: ReadonlyMap<string, number>,
  promptCache: number,
  taken: readonly LoadTaken[],
  estimateOf: (load: LoadTaken) => ReadonlyMap<string, number>,
): Corrected {
  const ofModel = taken.filter(({ model }) => model === level.text.sha256).sort((a, b) => b.at - a.at);
  const same = ofModel.find((load) => load.level === level.id && asConfigured(load, level));
  const load = same ?? ofModel.find(({ gpuLayers }) => gpuLayers === level.gpuLayers);
  if (!load) return { bytes: estimated, measured: false };
  const said = estimateOf(load);
  const bytes = [...estimated].map(([pool, count]): [string, number] => {
    const then = said.get(pool) ?? 0;
    const took = load.needs.find(({ memory }) => memory === pool)?.bytes ?? 0;
    const off = then === 0 || took === 0 ? 1 : Math.min(MOST, Math.max(LEAST, took / then));
    const kept = pool === "ram" ? promptCache : 0;
    return [pool, Math.round((count - kept) * off + kept)];
  });
  return { bytes: new Map(bytes), measured: same !== undefined };
}

const asConfigured = (load: LoadTaken, level: Level): boolean =>
  load.context === level.context &&
  load.slots === level.slots &&
  load.kv === level.kv &&
  load.gpuLayers === level.gpuLayers;
