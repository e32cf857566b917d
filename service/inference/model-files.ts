import { join } from "node:path";
import type { Ladder, Level, ModelFile } from "../contract/models.ts";
import { bytesText } from "../contract/units.ts";
import { isPerchError, PerchError } from "../kernel/errors.ts";
import type { ModelRole, ModelStore } from "./model-store.ts";

/** One file of a ladder: named once, however many of its levels use it. */
export interface LadderFile extends ModelFile {
  readonly role: ModelRole;
  /** Ids of the levels that use it. */
  readonly levels: readonly string[];
}

/** Told of what goes on while files are fetched, copied or checked. */
export interface Reporter {
  /** So many bytes of a file are here. */
  progress(file: LadderFile, done: number): void;
  note(text: string): void;
}

/** What fetching, copying and checking have in common. */
export interface FileTask {
  readonly store: ModelStore;
  readonly ladder: Ladder;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
}

/** Files of which hashing takes long enough to be told, bytes. */
const LARGE = 200e6;

/**
 * The distinct files of a ladder, in its order. One that names no URL has that of another entry for the
 * same file and sha256, in whichever ladder. Throws CONFIG_INVALID where a name stands for two files.
 */
export function filesOf(ladder: Ladder, ladders: readonly Ladder[] = [ladder]): LadderFile[] {
  const files = new Map<string, LadderFile>();
  for (const level of ladder.levels) {
    for (const role of ["text", "mmproj"] as const) {
      const entry = level[role];
      const known = files.get(entry.file);
      if (known && (known.sha256 !== entry.sha256 || known.bytes !== entry.bytes))
        throw new PerchError(
          "CONFIG_INVALID",
          `ladder ${ladder.id} of models.yaml names ${entry.file} twice, with different bytes or sha256: files in one folder need names of their own`,
        );
      const levels = [...new Set([...(known?.levels ?? []), level.id])];
      files.set(entry.file, { ...entry, role: known?.role ?? role, levels });
    }
  }
  return [...files.values()].map((file) => ({ ...file, ...withUrl(file, ladders) }));
}

function withUrl({ file, sha256, url }: ModelFile, ladders: readonly Ladder[]): { url?: string } {
  if (url !== undefined) return { url };
  const entries = ladders.flatMap(({ levels }) => levels.flatMap(({ text, mmproj }) => [text, mmproj]));
  const same = entries.find(
    (entry) => entry.file === file && entry.sha256 === sha256 && entry.url !== undefined,
  );
  return same?.url === undefined ? {} : { url: same.url };
}

/** The levels of which every file is among the right ones. */
export function levelsThatRun(ladder: Ladder, right: ReadonlySet<string>): Level[] {
  return ladder.levels.filter(({ text, mmproj }) => right.has(text.file) && right.has(mmproj.file));
}

/** What is wrong with a file as it lies there: missing or corrupt; undefined where it is right. Rejects with CANCELLED. */
export async function faultOf(
  file: LadderFile,
  { store, ladder, reporter, signal }: FileTask,
): Promise<PerchError | undefined> {
  const folder = store.folder(ladder);
  if (file.bytes >= LARGE && (await isThere(file, store, folder)))
    reporter.note(`checking ${join(folder, file.file)} (${bytesText(file.bytes)})`);
  try {
    await store.verifyFile(file, folder, file.role, signal);
    return undefined;
  } catch (error) {
    if (isPerchError(error, "MODEL_MISSING", "MODEL_CORRUPT")) return error;
    throw error;
  }
}

const isThere = async (file: LadderFile, store: ModelStore, folder: string): Promise<boolean> =>
  (await store.identities([file], folder)) !== "missing";
