import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Folder that holds package.json and everything that is not compiled: weights, recordings, configuration.
 * The same from source and from dist/, which holds compiled code only.
 */
export const packageRoot: string = findRoot(dirname(fileURLToPath(import.meta.url)));

function findRoot(folder: string): string {
  if (existsSync(join(folder, "package.json"))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error("no package.json above the code: the installation is incomplete");
  return findRoot(parent);
}
