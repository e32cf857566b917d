import type { Manual, Rung } from "../contract/decision.ts";
import { type GovernorCommand, LONGEST_WISH } from "../contract/governor.ts";
import { PerchError } from "../kernel/errors.ts";

/** How long an administrator's wish holds that says nothing of it, ms. */
const AN_HOUR = 3_600_000;

/** What an administrator asked for, as long as it holds. */
export const activeManual = (manual: Manual | null, now: number): Manual | null =>
  manual !== null && (manual.until === null || now < manual.until) ? manual : null;

/** Heat may hold the pace further down, never an administrator further up. */
export const cappedPace = (manual: Manual | null, pace: number): number =>
  manual?.pace === undefined ? pace : Math.min(manual.pace, pace);

/** What a command asks for; null for auto. Throws CONFIG_INVALID where it asks for what cannot be. */
export function wishOf(command: GovernorCommand, rungs: readonly Rung[], now: number): Manual | null {
  const { mode, level, pace, for: ms = AN_HOUR } = command;
  if (mode !== "manual" && (level !== undefined || pace !== undefined))
    throw invalid(`${mode} takes neither a level nor a pace: those go with manual`);
  if (mode === "auto") return null;
  if (ms <= 0 || ms > LONGEST_WISH) throw invalid("for must be more than nothing and at most 30d");
  if (mode === "manual" && level === undefined && pace === undefined)
    throw invalid("manual needs a level, a pace or both");
  if (typeof level === "string" && !rungs.some((rung) => rung.level === level))
    throw invalid(
      `there is no level "${level}" here; there are: ${rungs.map((rung) => rung.level).join(", ")}`,
    );
  return {
    mode,
    ...(level !== undefined && { level }),
    ...(pace !== undefined && { pace }),
    until: now + ms,
  };
}

const invalid = (message: string) => new PerchError("CONFIG_INVALID", message);
