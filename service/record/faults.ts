import { statfsSync } from "node:fs";
import { join } from "node:path";
import { messageOf, PerchError, systemCode } from "../kernel/errors.ts";

/** Name of the database in the data folder. */
export const DATABASE = "perch.db";
/** Less free space than this counts as none: SQLite needs some pages to do anything at all. */
const NEXT_TO_NOTHING = 256 * 1024;

/**
 * The expected fault behind an error of SQLite or of the file system, with what to do about it;
 * undefined where the error is none of the disk's: then the data or the code was wrong.
 */
export function faultOf(thrown: unknown, folder: string): PerchError | undefined {
  if (thrown instanceof PerchError) return thrown;
  const code = systemCode(thrown);
  if (code === undefined) return undefined;
  if (code.startsWith("SQLITE_")) return sqliteFault(code, thrown, folder);
  if (code === "ENOSPC" || code === "EDQUOT") return full(folder, thrown);
  // ERR_…: Node's own, for a call with wrong arguments.
  return /^E[A-Z0-9]+$/.test(code) ? unwritable(folder, thrown) : undefined;
}

function sqliteFault(code: string, thrown: unknown, folder: string): PerchError | undefined {
  const [, family = ""] = code.split("_");
  switch (family) {
    case "FULL":
      return full(folder, thrown);
    case "NOTADB":
    case "CORRUPT":
      return damaged(folder, thrown);
    case "BUSY":
    case "LOCKED":
      return new PerchError(
        "DATA_UNWRITABLE",
        `another program writes to ${join(folder, DATABASE)}: end it`,
        thrown,
      );
    case "IOERR":
    case "CANTOPEN":
      // With no space left SQLite can fail in files beside the database, and names those instead.
      return hasNoSpace(folder) ? full(folder, thrown) : unwritable(folder, thrown);
    case "READONLY":
    case "PERM":
    case "NOMEM":
      return unwritable(folder, thrown);
    default:
      return undefined;
  }
}

/** A database that cannot be read as one. It is never removed: somebody may want to rescue it. */
export function damaged(folder: string, cause?: unknown): PerchError {
  const path = join(folder, DATABASE);
  const detail = cause === undefined ? "" : ` (${messageOf(cause)})`;
  return new PerchError(
    "DATA_CORRUPT",
    `${path} is damaged or no Perch database${detail}: move it and its -wal and -shm files away, and a new one is begun within a minute`,
    cause,
  );
}

function full(folder: string, cause: unknown): PerchError {
  return new PerchError(
    "DATA_FULL",
    `the disk of ${folder} is full: free some space or lower record.bytes`,
    cause,
  );
}

function unwritable(folder: string, cause: unknown): PerchError {
  return new PerchError(
    "DATA_UNWRITABLE",
    `${folder} cannot be written (${messageOf(cause)}): check that its disk is there and writable and that the folder belongs to the user that runs Perch`,
    cause,
  );
}

function hasNoSpace(folder: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize < NEXT_TO_NOTHING;
  } catch (error) {
    // The folder cannot even be asked: whatever is wrong with it, it is not known to be full.
    return systemCode(error) === "ENOSPC";
  }
}
