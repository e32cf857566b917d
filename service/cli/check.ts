import { changesFile, readChanges } from "../config/changes-file.ts";
import { laidText, lay, leftOutText } from "../config/changes-laid.ts";
import { loadConfig } from "../config/config.ts";
import type { Config } from "../contract/config.ts";
import { ConfigError } from "../kernel/config-file.ts";
import { isPerchError } from "../kernel/errors.ts";

/**
 * `perch check`: 0 and a summary, or 1 and every error. A secret that cannot be had here is a note: it is
 * the service's, whose environment and files may be others.
 */
export function check(file: string): number {
  const notes: string[] = [];
  try {
    const config = loadConfig(file, (problem) => notes.push(problem));
    const rules = config.watches.reduce((sum, watch) => sum + watch.rules.length, 0);
    process.stdout.write(
      `${file} is right: node ${config.node}, ${config.feeds.length} feeds, ${config.watches.length} watches, ${rules} rules\n`,
    );
    process.stdout.write(changesText(config));
    for (const text of notes) process.stdout.write(`note, the service will need it: ${text}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { problems } = error;
    process.stderr.write(
      `${problems.join("\n")}\n${problems.length} ${problems.length === 1 ? "error" : "errors"}\n`,
    );
    return 1;
  }
}

/** What was changed by HTTP and is laid over this file when the service runs, a line each; nothing where nothing was. */
function changesText(config: Config): string {
  const path = changesFile(config.data);
  try {
    const laid = lay(config, readChanges(path));
    const text = laidText(laid);
    const lines = [
      ...(text === undefined ? [] : [`note, changed by HTTP in ${path}: ${text}`]),
      ...laid.leftOut.map((change) => `note, in ${path}: ${leftOutText(change)}`),
    ];
    return lines.map((line) => `${line}\n`).join("");
  } catch (error) {
    if (!isPerchError(error)) throw error;
    return `note: ${error.message}\n`;
  }
}
