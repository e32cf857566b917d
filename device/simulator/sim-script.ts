import { ConfigError } from "../../service/kernel/config-file.ts";
import { isPerchError } from "../../service/kernel/errors.ts";
import { Playing } from "./course/playing.ts";
import { readScenario } from "./course/scenario.ts";
import { Timeline } from "./course/timeline.ts";
import type { Script } from "./script.ts";
import { parseSimSource, type SimSource } from "./sim-source.ts";

/**
 * What a source shows, by epoch ms; a scenario begins at `begin`. Throws CONFIG_INVALID with all that is
 * wrong with its scenario.
 */
export const scriptOf = (source: SimSource, begin: number): Script =>
  source.kind === "cell" ? new Timeline(source.seed) : new Playing(readScenario(source.file), begin);

/** All that is wrong with a source's text and with the scenario that it names. */
export function simSourceFaults(text: string): readonly string[] {
  try {
    scriptOf(parseSimSource(text), 0);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    if (isPerchError(error)) return [error.message];
    throw error;
  }
}
