import { closeSync, fchownSync, openSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { messageOf, PerchError, systemCode } from "./errors.ts";
import { Database } from "./sqlite.ts";

/**
 * Makes sure that one process at a time changes something. The lock is the operating system's, on an empty file that
 * SQLite holds open, so it goes with its process however that ends, and what a dead process left behind locks nothing.
 */
export class FileLock {
  private constructor(
    private readonly path: string,
    private readonly holder: Database,
  ) {}

  /**
   * `path` is the lock's own file, `what` that which it is about. Where another process has it, it is waited for `wait`
   * ms, in which this thread does nothing else. Throws DATA_LOCKED or the file system's error.
   */
  static take(path: string, what: string, wait = 0): FileLock {
    for (;;) {
      createPrivate(path);
      const before = inode(path);
      const holder = hold(path, what, wait);
      // Another one's holder may have removed it just before it was opened here: then this locks nothing.
      if (holder && before !== undefined && inode(path) === before) return new FileLock(path, holder);
      holder?.close();
    }
  }

  release(): void {
    // While the lock is held, so that whoever opened it in the meantime sees that it is no longer the one.
    rmSync(this.path, { force: true });
    this.holder.close();
  }
}

/** Undefined where the file is gone again. */
function hold(path: string, what: string, wait: number): Database | undefined {
  try {
    const holder = lockFile(path, wait);
    if (holder) return holder;
  } catch (error) {
    if (inode(path) === undefined) return undefined;
    throw new PerchError("DATA_UNWRITABLE", `${path} cannot be locked: ${messageOf(error)}`, error);
  }
  if (inode(path) === undefined) return undefined;
  const who = holderOf(path);
  throw new PerchError(
    "DATA_LOCKED",
    `${who === undefined ? "another process" : `process ${who}`} writes ${what} at this moment: wait until it is done, or end it`,
  );
}

/**
 * Holds a file that is there until what is returned is closed or the process ends; undefined where another still has
 * it after `wait` ms. Throws SQLite's error.
 */
export function lockFile(path: string, wait = 0): Database | undefined {
  let holder: Database | undefined;
  try {
    holder = new Database(path, { timeout: wait, fileMustExist: true });
    // Nothing is ever written to it, not even a journal: it has to work on a full disk.
    holder.pragma("journal_mode = MEMORY");
    holder.exec("BEGIN EXCLUSIVE");
    return holder;
  } catch (error) {
    holder?.close();
    if (systemCode(error)?.startsWith("SQLITE_BUSY")) return undefined;
    throw error;
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

const inode = (path: string): number | undefined => statSync(path, { throwIfNoEntry: false })?.ino;

/** The process that has it, of the kernel's list: `1: POSIX  ADVISORY  WRITE 4711 08:01:131 0 EOF`. */
function holderOf(path: string): string | undefined {
  const wanted = inode(path);
  try {
    const lines = readFileSync("/proc/locks", "utf8").split("\n");
    const line = lines.find((text) => text.includes(" WRITE ") && text.includes(`:${wanted} `));
    return / WRITE +([1-9]\d*) /.exec(line ?? "")?.[1];
  } catch {
    // No such list here: the message does without.
    return undefined;
  }
}
