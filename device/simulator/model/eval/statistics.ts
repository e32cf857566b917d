export interface Count {
  readonly right: number;
  readonly of: number;
}

/** Two-sided 95 % of a normal distribution. */
const Z = 1.959964;

export const shareOf = ({ right, of }: Count): number => right / of;

/**
 * 95 % interval of a share. Source: E. B. Wilson, "Probable inference, the law of succession, and
 * statistical inference", JASA 22 (1927). From 0 to 1 where nothing was counted.
 */
export function wilson({ right, of }: Count): readonly [low: number, high: number] {
  if (of === 0) return [0, 1];
  const share = right / of;
  const scale = 1 + Z ** 2 / of;
  const middle = (share + Z ** 2 / (2 * of)) / scale;
  const half = (Z / scale) * Math.sqrt((share * (1 - share)) / of + Z ** 2 / (4 * of ** 2));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

/**
 * Whether two levels that were asked the same differ by more than chance (95 %): `gained` trials that only
 * the one had right, `lost` only the other. Source: Q. McNemar, Psychometrika 12 (1947), with Edwards's
 * correction.
 */
export function differs(gained: number, lost: number): boolean {
  const discordant = gained + lost;
  return discordant > 0 && (Math.abs(gained - lost) - 1) / Math.sqrt(discordant) > Z;
}

/** The value below which so large a share of the values lies (nearest rank). NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
