import { statSync } from "node:fs";
import { join } from "node:path";
import type { AuditRow } from "../contract/access.ts";
import { isPerchError, PerchError } from "../kernel/errors.ts";
import { silentLogger } from "../kernel/logger.ts";
import { Database } from "../kernel/sqlite.ts";
import { DATABASE } from "./faults.ts";
import { MIGRATIONS, versionOf } from "./migrations.ts";
import { Rows } from "./rows.ts";
import { Store } from "./store.ts";

/**
 * Adds one row to the audit of a data folder, durably, whether a service runs on it or not: for what the command
 * line changes by itself. Throws PerchError, or what SQLite or the file system said.
 */
export function appendAudit(folder: string, row: AuditRow): void {
  if (endedCleanly(folder) && appendBeside(folder, row)) return;
  try {
    const store = Store.open(folder);
    store.rows.writeAudit(row);
    store.close(silentLogger);
  } catch (error) {
    if (!isPerchError(error, "DATA_LOCKED")) throw error;
    if (!appendBeside(folder, row))
      throw new PerchError("DATA_LOCKED", "the service that runs is of another version: restart it", error);
  }
}

/** Nothing is left over in the log. Otherwise a service is at work, or one was cut off and the database needs its check. */
function endedCleanly(folder: string): boolean {
  const size = (name: string) => statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0;
  return size(DATABASE) > 0 && size(`${DATABASE}-wal`) === 0;
}

/**
 * Without the folder's lock: SQLite lets two processes write by turns, and a row is in at once. The lock is only
 * against a second service, and taking it could keep one from starting. False where the database is of another version.
 */
function appendBeside(folder: string, row: AuditRow): boolean {
  const db = new Database(join(folder, DATABASE), { fileMustExist: true, timeout: 5000 });
  try {
    if (versionOf(db) !== MIGRATIONS.length) return false;
    db.pragma("synchronous = FULL");
    new Rows(db).writeAudit(row);
    return true;
  } finally {
    db.close();
  }
}
