import { closeSync, fchownSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { PerchError, systemCode } from "../kernel/errors.ts";

const LOCK = "perch.lock";
const PID = "perch.pid";

/**
 * Makes sure that one process at a time works on a data folder. The lock is the operating system's, on
 * a file that SQLite holds open, so it goes with the process however that ends. The process id lies
 * beside it, for the message only.
 */
export class FolderLock {
  private constructor(
    private readonly holder: Database.Database,
    private readonly folder: string,
  ) {}

  /** Throws PerchError DATA_LOCKED naming the process that has it, or the file system's error. */
  static take(folder: string): FolderLock {
    const path = join(folder, LOCK);
    createPrivate(path);
    const holder = new Database(path, { timeout: 0 });
    try {
      // Nothing is ever written to it, not even a journal: it has to work on a full disk.
      holder.pragma("journal_mode = MEMORY");
      holder.exec("BEGIN EXCLUSIVE");
    } catch (error) {
      holder.close();
      if (systemCode(error)?.startsWith("SQLITE_BUSY")) throw locked(folder, error);
      throw error;
    }
    const lock = new FolderLock(holder, folder);
    lock.leavePid();
    return lock;
  }

  release(): void {
    // Before the lock goes, so that it cannot be the next holder's.
    rmSync(join(this.folder, PID), { force: true });
    this.holder.close();
  }

  private leavePid(): void {
    const path = join(this.folder, PID);
    try {
      writeFileSync(path, `${process.pid}\n`, { mode: 0o600 });
    } catch {
      // A full disk: the lock holds without it, but an old id must not stay and accuse somebody else.
      rmSync(path, { force: true });
    }
  }
}

/**
 * Creates a file that only its owner reads, if it is not there. Never opens one that is: closing any
 * descriptor of a file drops all locks that this process has on it (POSIX), SQLite's too.
 */
export function createPrivate(path: string): void {
  try {
    const file = openSync(path, "wx", 0o600);
    const { uid, gid } = statSync(dirname(path));
    // Made with sudo, it still has to be the service's.
    if (process.getuid?.() === 0) fchownSync(file, uid, gid);
    closeSync(file);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
  }
}

function locked(folder: string, cause: unknown): PerchError {
  const pid = readPid(join(folder, PID));
  const who = pid === undefined ? "another process" : `process ${pid}`;
  return new PerchError(
    "DATA_LOCKED",
    `${who} already works on ${folder}: end it, or give this one another data folder`,
    cause,
  );
}

function readPid(path: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(path, "utf8"), 10);
    return Number.isNaN(pid) ? undefined : pid;
  } catch {
    // Not written yet, or no space for it: the message does without.
    return undefined;
  }
}
