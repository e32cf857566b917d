import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Level, ModelFile } from "../contract/models.ts";
import { messageOf, systemCode } from "../kernel/errors.ts";
import { readGgufFacts } from "../kernel/gguf.ts";
import { guessedShape, type Shape, shapeOf } from "./plan-shape.ts";

/** What a level's files say, or what their sizes let one guess. */
export interface Files {
  readonly shape: Shape;
  /** Bytes of the projector. */
  readonly mmproj: number;
  /** Whether the shape was read from the file; otherwise it is guessed from its size. */
  readonly read: boolean;
  /** What is wrong with them, null where nothing is. */
  readonly fault: string | null;
}

type Known = { readonly shape: Shape } | { readonly fault: string };

/** By path, size and time of change: a plan is made again and again, a header of 16 MB is read once. */
const known = new Map<string, Known>();
/** More files than any ladder has. */
const MOST_KNOWN = 64;

/**
 * Reads a level's files as far as they are what models.yaml says: there, of the right size, with a header that
 * makes sense. Whether their sha256 is right is the model store's to check when one is loaded. Never rejects.
 */
export async function filesOf(level: Pick<Level, "text" | "mmproj">, folder: string): Promise<Files> {
  const [text, projector] = await Promise.all([
    textShape(level.text, folder),
    identityOf(level.mmproj, folder),
  ]);
  const mmproj = level.mmproj.bytes;
  const wrong = "fault" in projector ? projector.fault : null;
  if ("shape" in text) return { shape: text.shape, mmproj, read: true, fault: wrong };
  const shape = guessedShape(level.text.file, level.text.bytes);
  return { shape, mmproj, read: false, fault: text.fault };
}

async function textShape(file: ModelFile, folder: string): Promise<Known> {
  const identity = await identityOf(file, folder);
  if ("fault" in identity) return identity;
  const remembered = known.get(identity.id);
  if (remembered) return remembered;
  const path = join(folder, file.file);
  const found = await readGgufFacts(path)
    .then((facts): Known => ({ shape: shapeOf(facts) }))
    .catch((error: unknown): Known => ({ fault: `${path} is no model that can run: ${messageOf(error)}` }));
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(identity.id, found);
  return found;
}

async function identityOf(file: ModelFile, folder: string): Promise<{ id: string } | { fault: string }> {
  const path = join(folder, file.file);
  try {
    const { size, mtimeMs, ino } = await stat(path);
    if (size === file.bytes) return { id: `${path} ${size} ${mtimeMs} ${ino}` };
    const note = size < file.bytes ? "it was cut off, or is still being copied" : "it is another file";
    return { fault: `${path} has ${size} bytes, not ${file.bytes}: ${note}` };
  } catch (error) {
    return systemCode(error) === "ENOENT"
      ? { fault: `there is no file ${path}` }
      : { fault: `${path} cannot be reached: ${messageOf(error)}` };
  }
}
