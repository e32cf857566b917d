import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PerchError } from "../kernel/errors.ts";
import { createPrivate, lockFile } from "../kernel/file-lock.ts";
import type { Database } from "../kernel/sqlite.ts";

const LOCK = "perch.lock";
const PID = "perch.pid";

/**
 * Makes sure that one process at a time works on a data folder. The lock's file stays when it is released, and
 * the process id lies beside it, for messages only.
 */
export class FolderLock {
  private constructor(
    private readonly holder: Database,
    private readonly folder: string,
  ) {}

  /** Throws PerchError DATA_LOCKED naming the process that has it, or the file system's error. */
  static take(folder: string): FolderLock {
    const path = join(folder, LOCK);
    createPrivate(path);
    const holder = lockFile(path);
    if (!holder) throw locked(folder);
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

function locked(folder: string): PerchError {
  const pid = readPid(join(folder, PID));
  const who = pid === undefined ? "another process" : `process ${pid}`;
  return new PerchError(
    "DATA_LOCKED",
    `${who} already works on ${folder}: end it, or give this one another data folder`,
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
