import { PerchError } from "../../service/kernel/errors.ts";

/** What a `sim:` source asks for. */
export interface SimSource {
  readonly name: "cell";
  /** Cells of one seed show and sound the same, so a camera and a microphone of it belong together. */
  readonly seed: number;
}

const MOST_SEED = 2 ** 32 - 1;
const ALLOWED = `allowed is sim:cell or sim:cell?seed=N, N a whole number from 0 to ${MOST_SEED}`;

/** Reads `sim:cell?seed=7`; the seed is 1 where none is given. Throws FEED_INVALID, which says what is allowed. */
export function parseSimSource(source: string): SimSource {
  const [, name, query] = /^sim:([^?]*)(?:\?(.*))?$/.exec(source) ?? [];
  if (name === undefined) throw invalid(source, "it does not begin with sim:");
  if (name !== "cell") throw invalid(source, `there is no simulator "${name}"`);
  const values = new URLSearchParams(query ?? "");
  const unknown = [...values.keys()].find((key) => key !== "seed");
  if (unknown !== undefined) throw invalid(source, `there is no key "${unknown}"`);
  const [seed = "1", second] = values.getAll("seed");
  if (second !== undefined) throw invalid(source, "seed is given twice");
  if (!/^\d{1,10}$/.test(seed) || Number(seed) > MOST_SEED) throw invalid(source, `seed is "${seed}"`);
  return { name, seed: Number(seed) };
}

function invalid(source: string, reason: string): PerchError {
  return new PerchError("FEED_INVALID", `source ${source}: ${reason}; ${ALLOWED}`);
}
