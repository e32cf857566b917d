import type { LoadTaken, Rung } from "../contract/decision.ts";
import type { Ladder, Level } from "../contract/models.ts";
import type { Memory } from "../contract/readings.ts";
import { bytesText } from "../contract/units.ts";
import { type Files, filesOf } from "./plan-files.ts";
import { allLayers, type EngineShape, type Gpu, type Parts, place } from "./plan-memory.ts";
import { bandwidthBy, paceOf } from "./plan-speed.ts";
import { correct } from "./plan-taken.ts";

export type { EngineShape, Parts } from "./plan-memory.ts";

/** A rung with all that it was made of. */
export interface Planned extends Rung {
  /** Layers on the GPU; 0 where there is none, -1: all. */
  readonly gpuLayers: number;
  /** What it is estimated to take, by what for. */
  readonly parts: Parts;
  /** The same by pool; `needs` is this, corrected by what loading took. */
  readonly estimated: readonly { readonly memory: string; readonly bytes: number }[];
  /** Whether memory would do, whatever is wrong with its files. */
  readonly room: boolean;
  /** measured: this very level was loaded here; file: by the file's header; size: the file is not there. */
  readonly source: "measured" | "file" | "size";
  /** Of one request. */
  readonly tokensPerSecond: { readonly estimated: number | null; readonly measured: number | null };
}

export interface PlanOptions {
  readonly ladder: Ladder;
  /** Absolute path of the ladder's folder. */
  readonly folder: string;
  /** Pools of memory, as they are read; of another box, as they would be. */
  readonly memories: readonly Memory[];
  /** The pools of the GPUs that the engine uses; null: it uses none. See gpuOf. */
  readonly gpu: { readonly memories: readonly string[] } | null;
  /** What stays free in each pool, bytes. */
  readonly reserve: number;
  /** What the engine's arguments make of a level. */
  readonly engine: (level: Level, order: Ladder["order"]) => EngineShape;
  /**
   * ever (the default): a rung fits that could have all that the box has, as the governor's policy looks at
   * free memory itself each second; now: that fits into what is free and what our own engines hold.
   */
  readonly room?: "now" | "ever";
  readonly taken?: readonly LoadTaken[];
  readonly measured?: readonly { readonly level: string; readonly tokensPerSecond: number }[];
  /** Of the memory that the weights lie in, bytes a second. Without it by what was measured. */
  readonly bandwidth?: number;
}

interface Drafted {
  readonly level: Level;
  readonly files: Files;
  readonly engine: EngineShape;
  readonly measured: number | null;
}

/**
 * What each rung of a ladder needs of each pool of memory, whether it fits, and how fast it answers. A rung
 * whose file is missing or damaged is out, with the reason, and estimated all the same. Loads nothing and
 * touches no GPU. Energy: a model that works draws about the same power at every level, so joules an answer
 * are as the time that it takes. Never rejects.
 */
export async function planLadder(options: PlanOptions): Promise<Planned[]> {
  const { ladder, folder, engine, measured = [] } = options;
  const drafts = await Promise.all(
    ladder.levels.map(async (level): Promise<Drafted> => {
      const rate = measured.find((one) => one.level === level.id)?.tokensPerSecond;
      return {
        level,
        files: await filesOf(level, folder),
        engine: engine(level, ladder.order),
        measured: rate !== undefined && rate > 0 ? rate : null,
      };
    }),
  );
  const bandwidth = options.bandwidth ?? bandwidthBy(drafts.flatMap(measuredShape));
  const gpu = gpuWithRoom(options);
  const paces = drafts.map(({ level, files: { shape }, measured: rate }) => {
    const work = { shape, slots: level.slots, image: mostTokens(level), gpu: layersOnGpu(level, gpu) !== 0 };
    return {
      pace: paceOf({ ...work, measured: rate }, bandwidth),
      estimated: paceOf({ ...work, measured: null }, bandwidth).tokensPerSecond,
    };
  });
  const best = paces[0]?.pace.answers ?? 1;
  return drafts.map((draft, rank) => {
    const answers = paces[rank]?.pace.answers ?? best;
    return {
      ...rungOf(draft, rank, gpu, options),
      speed: answers / best,
      energy: best / answers,
      tokensPerSecond: { estimated: paces[rank]?.estimated ?? null, measured: draft.measured },
    };
  });
}

/** The GPUs of a box by its pools of memory; `shared`: there is one that has none of its own (Jetson). */
export function gpuOf(memories: readonly Memory[], shared: boolean): { memories: string[] } | null {
  if (shared) return { memories: ["ram"] };
  const own = memories.map(({ id }) => id).filter((id) => id !== "ram");
  return own.length > 0 ? { memories: own } : null;
}

function rungOf(draft: Drafted, rank: number, gpu: Gpu | null, options: PlanOptions) {
  const { level, files, engine } = draft;
  const layers = layersOnGpu(level, gpu);
  const { shape, mmproj } = files;
  const { parts, bytes: estimated } = place({ shape, level, mmproj, engine }, gpu, layers);
  const { bytes, measured } = correct(level, estimated, engine.promptCache, options.taken ?? [], (load) => {
    const then = { ...load, kv: load.kv === "q8_0" ? ("q8_0" as const) : ("f16" as const) };
    const bare = { ...engine, promptCache: 0 };
    return place({ shape, level: then, mmproj, engine: bare }, gpu, layersOnGpu(load, gpu)).bytes;
  });
  const short = shortOf(bytes, options);
  const fewer = short !== null && layers !== 0 ? mostLayers(draft, gpu, options) : null;
  const tooLarge = short === null ? null : `it ${short}${fewer === null ? "" : `; ${fewer}`}`;
  const reason = [files.fault, tooLarge].filter((part) => part !== null).join("; ") || null;
  return {
    level: level.id,
    rank,
    fits: reason === null,
    reason,
    needs: listed(bytes),
    gpuLayers: layers,
    parts,
    estimated: listed(estimated),
    room: short === null,
    source: measured ? ("measured" as const) : files.read ? ("file" as const) : ("size" as const),
  };
}

/** The first pool that has too little, as a sentence; null where all have enough. A pool that cannot be read does not count. */
function shortOf(
  bytes: ReadonlyMap<string, number>,
  { memories, reserve, room }: PlanOptions,
): string | null {
  for (const [pool, needed] of bytes) {
    const memory = memories.find(({ id }) => id === pool);
    if (!memory) continue;
    const all = room === "now" ? memory.free + memory.own : memory.total;
    if (needed + reserve <= all) continue;
    const kept = reserve > 0 ? `, of which ${bytesText(reserve)} stay free` : "";
    return `needs ${bytesText(needed)} of ${pool}, and there are ${bytesText(all)}${kept}`;
  }
  return null;
}

/** How many layers would fit on the GPU, where some do. */
function mostLayers({ level, files, engine }: Drafted, gpu: Gpu | null, options: PlanOptions): string | null {
  const all = allLayers(files.shape);
  const demand = { shape: files.shape, level, mmproj: files.mmproj, engine };
  for (let layers = all - 1; layers > 0; layers -= 1)
    if (shortOf(place(demand, gpu, layers).bytes, options) === null)
      return `${layers} of its ${all} layers would fit (gpuLayers: ${layers})`;
  return null;
}

const layersOnGpu = ({ gpuLayers }: Pick<Level, "gpuLayers">, gpu: Gpu | null): number =>
  gpu ? gpuLayers : 0;

function gpuWithRoom({ gpu, memories }: PlanOptions): Gpu | null {
  if (!gpu || gpu.memories.length === 0) return null;
  const free = gpu.memories.map((pool) => {
    const memory = memories.find(({ id }) => id === pool);
    return memory ? memory.free + memory.own : 0;
  });
  return { memories: gpu.memories, free };
}

const measuredShape = ({ files, measured }: Drafted) =>
  measured === null ? [] : [{ shape: files.shape, tokensPerSecond: measured }];

/** Most tokens that one picture takes. */
function mostTokens({ image }: Level): number {
  if (image.kind === "budget") return image.tokens;
  return Math.max(...image.grids.map(({ columns, rows }) => columns * rows));
}

const listed = (bytes: ReadonlyMap<string, number>) =>
  [...bytes].map(([memory, count]) => ({ memory, bytes: count })).filter((need) => need.bytes > 0);
