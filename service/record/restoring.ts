import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { bytesText } from "../contract/units.ts";
import { isPerchError, PerchError, systemCode } from "../kernel/errors.ts";
import { Database } from "../kernel/sqlite.ts";
import { DATABASE } from "./faults.ts";
import { FolderLock } from "./folder-lock.ts";
import { MIGRATIONS, versionOf } from "./migrations.ts";

/** Where what is put back lies until it is checked. */
const RESTORING = `${DATABASE}.restoring`;
/** Bytes that the disk has to have left. */
const SPARE = 64e6;
/** What SQLite may put beside a database. */
const BESIDE = ["-journal", "-wal", "-shm"];

export interface Restored {
  /** The form of what was put back, and the one that this Perch brings it to at the next start. */
  readonly version: number;
  readonly newest: number;
  /** Where the record lies that was there; undefined where there was none. */
  readonly kept: string | undefined;
}

/**
 * Puts a backup in the place of a data folder's record, under the folder's lock: copied, checked whole and on the disk
 * before anything that is there is touched. The record that was there stays, under a name of its own.
 * `now`: epoch ms. Throws PerchError DATA_LOCKED, DATA_CORRUPT, DATA_NEWER, DATA_FULL or NOT_FOUND, or what the file
 * system said; then nothing is changed.
 */
export function restoreRecord(data: string, from: string, now: number): Restored {
  const bytes = refuseUnlikely(from);
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const lock = locked(data);
  const copy = join(data, RESTORING);
  try {
    refuseTooLarge(data, bytes);
    removeWithAll(copy);
    copyFileSync(from, copy, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    makeOurs(copy, data);
    const version = checked(copy, from);
    flush(copy);
    const kept = setAside(data, copy, now);
    flush(data);
    return { version, newest: MIGRATIONS.length, kept };
  } finally {
    removeWithAll(copy);
    lock.release();
  }
}

/** Removes what a restore left that was interrupted. */
export function tidyRestoring(data: string): void {
  removeWithAll(join(data, RESTORING));
}

/** Its size, bytes. */
function refuseUnlikely(from: string): number {
  const found = statSync(from, { throwIfNoEntry: false });
  if (!found?.isFile()) throw new PerchError("NOT_FOUND", `there is no file ${from}`);
  if ((statSync(`${from}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0)
    throw new PerchError(
      "DATA_CORRUPT",
      `${from} is a database in use, and part of it is in ${from}-wal: take a backup of it instead`,
    );
  return found.size;
}

function locked(data: string): FolderLock {
  try {
    return FolderLock.take(data);
  } catch (error) {
    if (!isPerchError(error, "DATA_LOCKED")) throw error;
    throw new PerchError(
      "DATA_LOCKED",
      `a service works on ${data}: stop it, then restore, then start it again (sudo systemctl stop perch)`,
      error,
    );
  }
}

function refuseTooLarge(data: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(data);
  if (bavail * bsize < bytes + SPARE)
    throw new PerchError(
      "DATA_FULL",
      `this takes ${bytesText(bytes)} beside the record that is there, and has to leave ${bytesText(SPARE)}; the disk of ${data} has ${bytesText(bavail * bsize)}`,
    );
}

/** Reads all of a database, and returns its version; throws where it is damaged, or is none of Perch's. */
function checked(copy: string, from: string): number {
  const wrong = (why: string, cause?: unknown) =>
    new PerchError("DATA_CORRUPT", `${from} cannot be put back: ${why}`, cause);
  let db: Database | undefined;
  try {
    db = new Database(copy, { fileMustExist: true });
    // A database that was in use elsewhere needs no files beside it for this.
    db.pragma("locking_mode = EXCLUSIVE");
    const version = versionOf(db);
    const known = db.prepare(
      "SELECT count(*) FROM sqlite_schema WHERE name IN ('observation', 'event', 'outbox')",
    );
    if (version === 0 || known.pluck().get() !== 3) throw wrong("it is no record of Perch");
    const found = db.pragma("integrity_check(1)", { simple: true });
    if (found !== "ok") throw wrong(`it is damaged: ${String(found)}`);
    return version;
  } catch (error) {
    if (isPerchError(error, "DATA_NEWER"))
      throw new PerchError("DATA_NEWER", error.message.replace(copy, from), error);
    if (systemCode(error)?.startsWith("SQLITE_"))
      throw wrong(
        systemCode(error) === "SQLITE_NOTADB" ? "it is no database" : `it is damaged (${String(error)})`,
        error,
      );
    throw error;
  } finally {
    db?.close();
  }
}

/** Puts the copy in the database's place, in one step where the file system can; returns where the old one is. */
function setAside(data: string, copy: string, now: number): string | undefined {
  const database = join(data, DATABASE);
  if (!existsSync(database)) {
    for (const end of BESIDE) rmSync(`${database}${end}`, { force: true });
    renameSync(copy, database);
    return undefined;
  }
  const kept = `${database}.before-${new Date(now).toISOString().replace(/[-:.]/g, "")}`;
  foldLog(database);
  // One that is damaged keeps its log: together they may be rescued.
  for (const end of BESIDE)
    if (existsSync(`${database}${end}`)) renameSync(`${database}${end}`, `${kept}${end}`);
  try {
    linkSync(database, kept);
  } catch {
    // Not every file system has two names for a file: there is none at that name for a moment.
    renameSync(database, kept);
  }
  renameSync(copy, database);
  return kept;
}

/** What is in the log goes into the database, which is whole by itself then; nothing happens to one that cannot be read. */
function foldLog(database: string): void {
  if (!isReadable(database)) return;
  const db = new Database(database, { fileMustExist: true, timeout: 2000 });
  try {
    db.pragma("wal_checkpoint(TRUNCATE)");
  } finally {
    db.close();
  }
}

/** Asked without the right to write: whoever closes a damaged one with it removes its log. */
function isReadable(database: string): boolean {
  try {
    const db = new Database(database, { readonly: true, fileMustExist: true, timeout: 2000 });
    try {
      db.prepare("SELECT count(*) FROM sqlite_schema").get();
      return true;
    } finally {
      db.close();
    }
  } catch (error) {
    // It is damaged, which may be why a backup is put back.
    if (systemCode(error)?.startsWith("SQLITE_")) return false;
    throw error;
  }
}

/** Its owner's alone; made with sudo, it still has to be the service's. */
function makeOurs(copy: string, data: string): void {
  chmodSync(copy, 0o600);
  const { uid, gid } = statSync(data);
  if (process.getuid?.() === 0) chownSync(copy, uid, gid);
}

function flush(path: string): void {
  const opened = openSync(path, "r");
  fsyncSync(opened);
  closeSync(opened);
}

function removeWithAll(path: string): void {
  for (const end of ["", ...BESIDE]) rmSync(`${path}${end}`, { force: true });
}
