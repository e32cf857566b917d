import type { Level } from "../contract/models.ts";
import type { Shape } from "./plan-shape.ts";

/** What of the engine's arguments decides memory. */
export interface EngineShape {
  /** Tokens that are read at once (--ubatch-size). */
  readonly batch: number;
  /** Most that it keeps of prompts that lost their slot (--cache-ram), bytes of RAM. */
  readonly promptCache: number;
}

/** The GPUs that the engine uses, by their pools of memory: "ram" where they have none of their own. */
export interface Gpu {
  readonly memories: readonly string[];
  /** What each has free, bytes, in the same order: the engine shares layers out by that. */
  readonly free: readonly number[];
}

/** What a level takes, by what it takes it for, bytes. */
export interface Parts {
  /** The text model's. */
  readonly weights: number;
  /** The projector's. */
  readonly mmproj: number;
  /** Keys and values of every token that the slots can hold. */
  readonly kv: number;
  /** What is between two layers while a batch is read, of model and projector. */
  readonly compute: number;
  /** Prompts kept for later, at most. */
  readonly promptCache: number;
  /** The programs themselves, vocabulary, GPU contexts. */
  readonly other: number;
}

export interface Placed {
  readonly parts: Parts;
  /** By pool. */
  readonly bytes: ReadonlyMap<string, number>;
}

/** A level's own demands on memory, wherever it lies. */
export interface Demand {
  readonly shape: Shape;
  readonly level: Pick<Level, "context" | "slots" | "kv">;
  /** Bytes of the projector's file. */
  readonly mmproj: number;
  readonly engine: EngineShape;
}

/** Bytes a number of the cache takes: q8_0 keeps 32 of them in 34 bytes. Source: ggml-common.h. */
const CACHE_BYTES = { f16: 2, q8_0: 34 / 32 } as const;
/** Tokens to which a slot's context is rounded up. Source: llama-context.cpp, n_ctx_seq. */
const CONTEXT_STEP = 256;
const FLOAT = 4;
const MASK = 2;
/** Masks, one for sliding and one for full attention. */
const MASKS = 2;

/**
 * Fitted, with the engine of this version, to a process that had answered a picture and read a full batch
 * (docs/decisions/planner.md): its programs and small buffers, what an entry of the vocabulary takes in the
 * tokenizer's tables, and the projector's buffers for a picture and for sound, bytes.
 */
const PROCESS = 40e6;
const VOCABULARY_ENTRY = 600;
const PROJECTOR_PICTURE = 14.2e6;
const PROJECTOR_SOUND = { least: 15.4e6, wide: 16_000 } as const;

/**
 * What a CUDA context takes of its pool, and of RAM for its libraries, bytes. Not measured: what owners of such
 * boxes report of a process that has done nothing yet is 250 to 500 MB.
 */
const CUDA_CONTEXT = 450e6;
const CUDA_LIBRARIES = 250e6;

/**
 * Where a level's bytes lie with so many layers on the GPU. As llama.cpp places them (llama-model.cpp,
 * load_tensors): the last layers first, the output before them all, the embedding never, each layer's cache
 * with it; the projector goes to the first GPU. The file is read, not mapped (--load-mode none), so that all of
 * it is memory of the process.
 */
export function place(demand: Demand, gpu: Gpu | null, gpuLayers: number): Placed {
  const { shape, mmproj, engine } = demand;
  const bytes = new Map<string, number>([["ram", 0]]);
  const add = (pool: string, count: number) => bytes.set(pool, (bytes.get(pool) ?? 0) + Math.round(count));
  const on = gpu ? placesOf(shape.layers.length + 1, gpu, gpuLayers) : [];
  const poolOf = (layer: number) => on[layer] ?? "ram";
  const used = [...new Set(on.filter((pool) => pool !== undefined))];

  const tokens = cells(demand.level);
  const each = CACHE_BYTES[demand.level.kv];
  let weights = shape.embedding + shape.rest;
  let kv = 0;
  add("ram", weights);
  for (const [index, layer] of shape.layers.entries()) {
    const cache = layer.cache * each * tokens;
    add(poolOf(index), layer.bytes + cache);
    weights += layer.bytes;
    kv += cache;
  }
  add(poolOf(shape.layers.length), shape.output);
  weights += shape.output;
  add(used[0] ?? "ram", mmproj);

  const graph = computeBytes(demand);
  // Layers that stay on the processor have a graph of their own.
  const computing = poolOf(0) === "ram" ? [...new Set(["ram", ...used])] : used;
  for (const pool of computing) add(pool, graph.model);
  add(used[0] ?? "ram", graph.projector);
  // What crosses between processor and GPU lies on both sides.
  const crossing = used.length > 0 ? engine.batch * shape.wide * FLOAT : 0;
  add("ram", crossing + engine.promptCache);
  const own = PROCESS + shape.vocabulary * VOCABULARY_ENTRY + outputs(demand);
  add("ram", own + (used.length > 0 ? CUDA_LIBRARIES : 0));
  for (const pool of used) add(pool, CUDA_CONTEXT);
  const other = own + crossing + used.length * CUDA_CONTEXT + (used.length > 0 ? CUDA_LIBRARIES : 0);
  const compute = graph.model * computing.length + graph.projector;
  const promptCache = engine.promptCache;
  return { parts: rounded({ weights, mmproj, kv, compute, promptCache, other }), bytes };
}

/** Tokens that all slots hold together. */
export const cells = ({ context, slots }: Pick<Level, "context" | "slots">): number =>
  Math.ceil(context / CONTEXT_STEP) * CONTEXT_STEP * slots;

/** Layers that "all" stands for: those of the model and its output. */
export const allLayers = ({ layers }: Shape): number => layers.length + 1;

/** The pool of each layer that is on a GPU, the output last; a GPU gets as many as it has a share of what is free. */
function placesOf(count: number, { memories, free }: Gpu, gpuLayers: number): (string | undefined)[] {
  const wanted = gpuLayers === -1 ? count : Math.min(count, gpuLayers);
  const first = count - wanted;
  const all = free.reduce((sum, bytes) => sum + bytes, 0);
  return Array.from({ length: count }, (_, layer) => {
    if (layer < first) return undefined;
    let left = (layer - first) / wanted;
    for (const [index, bytes] of free.entries()) {
      left -= all > 0 ? bytes / all : 1 / memories.length;
      if (left < 0) return memories[index];
    }
    return memories.at(-1);
  });
}

/**
 * What a batch takes between the layers, bytes. The most is in use in the middle of the feed-forward part; a
 * mask each for sliding and full attention grows with what a slot holds. Fitted to what llama.cpp reports of
 * its "compute buffer" for Gemma 4 12B's shape and the small model's, batches of 512 to 1,152, contexts of 1 K
 * to 32 K (docs/decisions/planner.md), within 5 MB. node-llama-cpp's own estimate for gemma4 has 4 MB there
 * instead of 130, and 537 MB for the logits of a whole batch, which this llama.cpp keeps for one token a slot.
 */
function computeBytes({ shape, level, engine }: Demand): { model: number; projector: number } {
  const context = cells({ ...level, slots: 1 });
  const batch = Math.min(engine.batch, cells(level));
  const floats = 4 * shape.feedForward + shape.queries / 2;
  return {
    model: batch * (floats * FLOAT + MASKS * MASK * context),
    projector: PROJECTOR_PICTURE + Math.max(PROJECTOR_SOUND.least, PROJECTOR_SOUND.wide * shape.wide),
  };
}

/** Logits of the one token that each slot answers with, bytes. */
const outputs = ({ shape, level }: Demand): number => shape.vocabulary * FLOAT * level.slots;

const rounded = (parts: Parts): Parts => ({
  weights: Math.round(parts.weights),
  mmproj: Math.round(parts.mmproj),
  kv: Math.round(parts.kv),
  compute: Math.round(parts.compute),
  promptCache: Math.round(parts.promptCache),
  other: Math.round(parts.other),
});
