import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";

/** Hash of texts and files: what a step's result depends on. */
export function keyOf(...parts) {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(JSON.stringify(part ?? null)).update("\0");
  return hash.digest("hex").slice(0, 32);
}

/** Names and hashes of all files below a folder that `take` accepts, in a fixed order. */
export function treeKey(root, folder, take = () => true) {
  const files = [];
  const walk = (path) => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const inside = join(path, entry.name);
      if (entry.isDirectory()) walk(inside);
      else if (take(inside)) files.push(inside);
    }
  };
  walk(join(root, folder));
  return files.sort().map((path) => [relative(root, path), fileKey(path)]);
}

/** Hash of one file; undefined where there is none. */
export function fileKey(path) {
  const bytes = readIfThere(path);
  return bytes === undefined ? undefined : createHash("sha256").update(bytes).digest("hex");
}

/**
 * build/setup/NAME holds the key under which a step last ended well. A step whose key is still the same
 * is not repeated; a step that is interrupted has no stamp and begins anew.
 */
export class Stamps {
  constructor(root) {
    this.folder = join(root, "build", "setup");
  }

  matches(name, key) {
    return readIfThere(join(this.folder, name))?.toString() === key;
  }

  write(name, key) {
    mkdirSync(this.folder, { recursive: true });
    writeFileSync(join(this.folder, name), key);
    return true;
  }

  remove(name) {
    rmSync(join(this.folder, name), { force: true });
  }
}

function readIfThere(path) {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw error;
  }
}
