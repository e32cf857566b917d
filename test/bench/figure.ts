/** One measured figure. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What the value has to reach, or to stay under; null where it is only shown. */
  readonly goal: number | null;
  readonly ok: boolean;
}

/** Of an odd count the middle, of an even one the upper middle. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
