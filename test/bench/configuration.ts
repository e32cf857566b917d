import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Writes a configuration (JSON is YAML) into a folder and gives its path. */
export function configText(folder: string, config: Record<string, unknown>): string {
  const file = join(folder, "perch.json");
  writeFileSync(file, JSON.stringify(config));
  return file;
}
