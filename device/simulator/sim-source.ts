import { resolve } from "node:path";
import { PerchError } from "../../service/kernel/errors.ts";
import type { PictureSize } from "./camera/place.ts";

/** What a `sim:` source asks for. A camera and a microphone of the same one belong together. */
export type SimSource = CellSource | ScenarioSource;

/** The endless random cell (timeline.ts): cells of one seed show and sound the same. */
export interface CellSource {
  readonly kind: "cell";
  readonly seed: number;
  readonly size: PictureSize;
}

/** What somebody wrote (scenario.ts). */
export interface ScenarioSource {
  readonly kind: "scenario";
  /** Absolute. */
  readonly file: string;
  readonly size: PictureSize;
}

/** Pixels of a camera's pictures where nothing else is asked for. */
export const DEFAULT_SIZE: PictureSize = { width: 336, height: 192 };
/** Pixels that a picture may be wide or high. */
const EDGE = { least: 96, most: 1920 } as const;
const MOST_SEED = 2 ** 32 - 1;
const ALLOWED = `allowed is sim:cell or sim:PATH.yaml, then ?seed=N (of sim:cell, 0 to ${MOST_SEED}) and size=WxH, joined by &`;

/**
 * Reads `sim:cell?seed=7&size=336x192` and `sim:demo.yaml`, whose path is relative to the working directory.
 * The seed is 1 where none is given. Throws FEED_INVALID, which says what is allowed.
 */
export function parseSimSource(source: string): SimSource {
  const [, name, query] = /^sim:([^?]*)(?:\?(.*))?$/.exec(source) ?? [];
  if (name === undefined) throw invalid(source, "it does not begin with sim:");
  const scenario = /\.(ya?ml|json)$/.test(name);
  if (name !== "cell" && !scenario) throw invalid(source, `there is no simulator "${name}"`);
  const values = new Map<string, string>();
  for (const [key, value] of new URLSearchParams(query ?? "")) {
    if (key !== "size" && (key !== "seed" || scenario))
      throw invalid(source, scenario && key === "seed" ? SEED_OF_SCENARIO : `there is no key "${key}"`);
    if (values.has(key)) throw invalid(source, `${key} is given twice`);
    values.set(key, value);
  }
  const size = sizeOf(source, values.get("size"));
  if (scenario) return { kind: "scenario", file: resolve(name), size };
  const seed = values.get("seed") ?? "1";
  if (!/^\d{1,10}$/.test(seed) || Number(seed) > MOST_SEED) throw invalid(source, `seed is "${seed}"`);
  return { kind: "cell", seed: Number(seed), size };
}

const SEED_OF_SCENARIO = "a scenario's seed stands in its file";

function sizeOf(source: string, text: string | undefined): PictureSize {
  if (text === undefined) return DEFAULT_SIZE;
  const size = parseSize(text);
  if (!size) throw invalid(source, `size is "${text}", not WIDTHxHEIGHT from ${EDGE.least} to ${EDGE.most}`);
  return size;
}

/** "336x192" in pixels; undefined where the text is none, or none that can be rendered. */
export function parseSize(text: string): PictureSize | undefined {
  const [, width, height] = /^(\d{1,4})x(\d{1,4})$/.exec(text)?.map(Number) ?? [];
  const fits = (edge: number | undefined) => edge !== undefined && edge >= EDGE.least && edge <= EDGE.most;
  return fits(width) && fits(height) ? { width: Number(width), height: Number(height) } : undefined;
}

/** The source's text, the same from whatever working directory it is read. */
export function simSourceText(source: SimSource): string {
  const size = `size=${source.size.width}x${source.size.height}`;
  return source.kind === "cell" ? `sim:cell?seed=${source.seed}&${size}` : `sim:${source.file}?${size}`;
}

function invalid(source: string, reason: string): PerchError {
  return new PerchError("FEED_INVALID", `source ${source}: ${reason}; ${ALLOWED}`);
}
