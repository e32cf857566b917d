import type { GgufFacts } from "../kernel/gguf.ts";

/** One layer of the decoder. */
export interface Layer {
  /** Its weights. */
  readonly bytes: number;
  /** Numbers that a token leaves in its cache, keys and values together. */
  readonly cache: number;
}

/** What of a text model decides how much memory and time it takes. */
export interface Shape {
  readonly layers: readonly Layer[];
  /** The table of token embeddings, which always lies in RAM, bytes. */
  readonly embedding: number;
  /**
   * What makes tokens of the last layer, bytes: a matrix of its own, or a second copy of the embedding. gemma4
   * asks for that copy before the embedding, so llama.cpp does not see that on a processor one would do.
   */
  readonly output: number;
  /** Weights outside of layers, embedding and output, bytes. */
  readonly rest: number;
  /** Weights that a token passes through, without the embedding's row that it only picks. */
  readonly weights: number;
  readonly wide: number;
  readonly feedForward: number;
  /** Widest queries of a layer: heads times numbers a head. */
  readonly queries: number;
  readonly vocabulary: number;
}

/** What is read of memory for each token that is written, bytes: every weight once, the embedding as output. */
export const bytesRead = ({ layers, output, rest }: Shape): number =>
  Math.max(
    1,
    layers.reduce((sum, { bytes }) => sum + bytes, output + rest),
  );

/**
 * Shape of a model by its file's header. Keys and values of a layer have as many numbers a token as heads times
 * head length, which differ between Gemma's sliding and full layers; layers that share another's cache have
 * none (llama.cpp: llama-hparams.cpp n_embd_k_gqa, n_embd_v_gqa, has_kv; models/gemma4.cpp). Throws an Error
 * where the header leaves that open.
 */
export function shapeOf({ values, tensors, vocabulary }: GgufFacts): Shape {
  const architecture = String(values.get("general.architecture"));
  const value = (key: string) => values.get(`${architecture}.${key}`);
  const number = (key: string, otherwise?: number): number => {
    const found = value(key) ?? otherwise;
    if (typeof found !== "number") throw new Error(`its metadata has no number ${architecture}.${key}`);
    return found;
  };
  const each = (key: string, layer: number, otherwise: number): number => {
    const found = value(key);
    return Array.isArray(found) ? Number(found[layer] ?? otherwise) : Number(found ?? otherwise);
  };
  const count = number("block_count");
  const wide = number("embedding_length");
  const heads = (layer: number) => each("attention.head_count", layer, 1);
  const sharing = count - number("attention.shared_kv_layers", 0);
  const headLength = (which: "key" | "value", layer: number): number => {
    const usual = number(`attention.${which}_length`, wide / heads(layer));
    const sliding = each("attention.sliding_window_pattern", layer, 0) !== 0;
    return sliding ? number(`attention.${which}_length_swa`, usual) : usual;
  };
  const bytesOf = (test: (name: string) => boolean) =>
    tensors.reduce((sum, { name, bytes }) => sum + (test(name) ? bytes : 0), 0);
  const layers = Array.from({ length: count }, (_, layer) => {
    const kvHeads = each("attention.head_count_kv", layer, heads(layer));
    const numbers = headLength("key", layer) + headLength("value", layer);
    return {
      bytes: bytesOf((name) => name.startsWith(`blk.${layer}.`)),
      cache: layer < sharing ? kvHeads * numbers : 0,
    };
  });
  const embedding = bytesOf((name) => name === EMBEDDING);
  const own = bytesOf((name) => name === OUTPUT);
  const known = layers.reduce((sum, { bytes }) => sum + bytes, embedding + own);
  const weights = tensors.reduce((sum, { name, elements }) => sum + (name === EMBEDDING ? 0 : elements), 0);
  const indices = layers.map((_, layer) => layer);
  return {
    layers,
    embedding,
    output: own || embedding,
    rest: bytesOf(() => true) - known,
    weights: own === 0 ? weights + wide * vocabulary : weights,
    wide,
    feedForward: Math.max(...indices.map((layer) => each("feed_forward_length", layer, 4 * wide))),
    queries: Math.max(...indices.map((layer) => heads(layer) * headLength("key", layer))),
    vocabulary,
  };
}

const EMBEDDING = "token_embd.weight";
const OUTPUT = "output.weight";

/** Bytes a weight takes, by what stands in a file's name. Source: ggml-common.h, blocks of each type. */
const QUANTIZATIONS: readonly (readonly [RegExp, number])[] = [
  [/(^|[^a-z])(bf16|f16)/i, 2],
  [/q8_/i, 34 / 32],
  [/q6_/i, 210 / 256],
  [/q5_/i, 176 / 256],
  [/i?q4_/i, 0.58],
  [/i?q3_/i, 0.45],
  [/i?q2_/i, 0.34],
];
const UNKNOWN_QUANTIZATION = 0.58;

/** Gemma 4 12B: 48 layers, every sixth with full attention, 3,840 wide. Source: its file's header. */
const GEMMA = {
  layers: 48,
  wide: 3840,
  feedForward: 15_360,
  queries: 8192,
  vocabulary: 262_144,
  weights: 11.9e9,
  cache: { sliding: 4096, full: 1024 },
  /** Share of the file that is the embedding. */
  embedding: 0.118,
};

/**
 * A guess at the shape of a model whose file is not there, by its size and name: that of Gemma 4 12B, every
 * length smaller or larger by the cube root of how many weights there are. For the 12B itself it is exact but
 * for a few percent of the weights' places.
 */
export function guessedShape(file: string, bytes: number): Shape {
  const each = QUANTIZATIONS.find(([pattern]) => pattern.test(file))?.[1] ?? UNKNOWN_QUANTIZATION;
  const ratio = bytes / each / GEMMA.weights;
  // The same model in any quantization is the same size: only clearly other ones are scaled.
  const scale = ratio > 0.8 && ratio < 1.25 ? 1 : Math.cbrt(ratio);
  const count = Math.max(1, Math.round(GEMMA.layers * scale));
  const embedding = Math.round(bytes * GEMMA.embedding);
  const layers = Array.from({ length: count }, (_, layer) => ({
    bytes: Math.round((bytes - embedding) / count),
    cache: Math.round((layer % 6 === 5 ? GEMMA.cache.full : GEMMA.cache.sliding) * scale),
  }));
  return {
    layers,
    embedding,
    output: embedding,
    rest: 0,
    weights: GEMMA.weights * scale ** 3,
    wide: Math.round(GEMMA.wide * scale),
    feedForward: Math.round(GEMMA.feedForward * scale),
    queries: Math.round(GEMMA.queries * scale),
    vocabulary: GEMMA.vocabulary,
  };
}
