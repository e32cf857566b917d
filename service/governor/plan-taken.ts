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
 * The estimate, corrected by what loading took: the same level as it is now takes what it took, with the prompts
 * that it did not keep yet; another of the same model is off by as much as that one's estimate was.
 * `estimateOf`: what the planner would have said of a load.
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
  if (same) {
    const bytes = new Map([...estimated.keys()].map((pool) => [pool, neededIn(same, pool)]));
    bytes.set("ram", (bytes.get("ram") ?? 0) + promptCache);
    return { bytes, measured: true };
  }
  const [similar] = ofModel.filter(({ gpuLayers }) => gpuLayers === level.gpuLayers);
  if (!similar) return { bytes: estimated, measured: false };
  const said = estimateOf(similar);
  const bytes = [...estimated].map(([pool, count]): [string, number] => {
    const then = said.get(pool) ?? 0;
    const took = neededIn(similar, pool);
    if (then === 0 || took === 0) return [pool, count];
    const off = Math.min(MOST, Math.max(LEAST, took / then));
    const kept = pool === "ram" ? promptCache : 0;
    return [pool, Math.round((count - kept) * off + kept)];
  });
  return { bytes: new Map(bytes), measured: false };
}

const asConfigured = (load: LoadTaken, level: Level): boolean =>
  load.context === level.context &&
  load.slots === level.slots &&
  load.kv === level.kv &&
  load.gpuLayers === level.gpuLayers;

const neededIn = ({ needs }: LoadTaken, pool: string): number =>
  needs.find(({ memory }) => memory === pool)?.bytes ?? 0;
