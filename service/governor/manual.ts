import type { Manual } from "../contract/decision.ts";

/** What an administrator asked for, as long as it holds. */
export const activeManual = (manual: Manual | null, now: number): Manual | null =>
  manual !== null && (manual.until === null || now < manual.until) ? manual : null;

/** Heat may hold the pace further down, never an administrator further up. */
export const cappedPace = (manual: Manual | null, pace: number): number =>
  manual?.pace === undefined ? pace : Math.min(manual.pace, pace);
