/**
 * How fast memory is read, by what nvidia-smi calls the GPU, bytes a second. Source: NVIDIA's data sheets. A
 * Jetson's name does not tell its memory: of the Orins the slowest counts.
 */
const BANDWIDTHS: readonly (readonly [RegExp, number])[] = [
  [/orin/i, 68e9],
  [/thor/i, 273e9],
  [/\bGB10\b/, 273e9],
  [/RTX 4070 Laptop/i, 256e9],
  [/RTX 4060/i, 272e9],
  [/RTX 4070/i, 504e9],
  [/RTX 4080/i, 717e9],
  [/RTX 4090/i, 1008e9],
  [/RTX 3060/i, 360e9],
  [/RTX 3090/i, 936e9],
  [/RTX 5070/i, 672e9],
  [/RTX 5080/i, 960e9],
  [/RTX 5090/i, 1792e9],
  [/A2000/i, 288e9],
  [/\bL4\b/, 300e9],
  [/H100|H200/i, 3350e9],
];

/** Of the slowest of a box's GPUs; null where one is not known. A processor's is not known before a model ran. */
export function bandwidthOf(gpus: readonly string[]): number | null {
  const each = gpus.map((name) => BANDWIDTHS.find(([pattern]) => pattern.test(name))?.[1] ?? null);
  return each.reduce<number | null>(
    (slowest, one, index) => (one === null ? null : index === 0 ? one : slowest && Math.min(slowest, one)),
    null,
  );
}
