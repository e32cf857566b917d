import { mkdirSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { PerchError } from "../kernel/errors.ts";
import { createPrivate } from "../kernel/file-lock.ts";
import type { Logger } from "../kernel/logger.ts";
import { Database } from "../kernel/sqlite.ts";
import { Changes } from "./changes.ts";
import type { Entry } from "./entry.ts";
import { DATABASE, damaged } from "./faults.ts";
import { FolderLock } from "./folder-lock.ts";
import { Journals } from "./journals.ts";
import { migrate, versionOf } from "./migrations.ts";
import { Pages } from "./pages.ts";
import { Queries } from "./queries.ts";
import { Rows } from "./rows.ts";

/** A database up to this many bytes is checked after a run that did not end cleanly; a larger one would hold the start up. */
const CHECKED_BYTES = 256e6;

/** The open database of a data folder, and the folder's lock. */
export class Store {
  readonly queries: Queries;
  readonly pages: Pages;
  readonly changes: Changes;
  readonly journals: Journals;
  readonly rows: Rows;
  private readonly inode: number;

  private constructor(
    readonly folder: string,
    readonly db: Database,
    /** What is asked goes here: nothing that somebody wants to know can change the record. */
    private readonly readingDb: Database,
    private readonly lock: FolderLock,
  ) {
    this.queries = new Queries(readingDb);
    this.pages = new Pages(readingDb);
    this.changes = new Changes(readingDb);
    this.journals = new Journals(readingDb);
    this.rows = new Rows(db);
    this.inode = statSync(db.name).ino;
  }

  /**
   * Creates the folder if need be, takes its lock, opens the database and brings it to this version.
   * Throws PerchError DATA_LOCKED, DATA_NEWER or DATA_CORRUPT, or what SQLite or the file system said.
   */
  static open(folder: string): Store {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const lock = FolderLock.take(folder);
    let db: Database | undefined;
    try {
      db = openDatabase(folder);
      return new Store(folder, db, readingOf(folder), lock);
    } catch (error) {
      db?.close();
      lock.release();
      throw error;
    }
  }

  /** Commits entries and acknowledgements in one transaction, durably, under the batch's name. */
  commit(
    batch: string,
    entries: readonly Entry[],
    acknowledged: readonly number[],
    at: number,
  ): { added: number; removed: number } {
    this.refuseReplaced();
    return this.db
      .transaction(() => {
        let added = 0;
        for (const entry of entries) added += this.rows.write(entry, at);
        const removed = this.rows.acknowledge(acknowledged);
        this.rows.progress = batch;
        return { added, removed };
      })
      .immediate();
  }

  /** Sizes in bytes: what rows fill, what the database's file takes, and the log beside it. */
  bytes(): { used: number; file: number; log: number } {
    const page = this.pragma("page_size");
    const pages = this.pragma("page_count");
    const log = statSync(`${this.db.name}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    return { used: (pages - this.pragma("freelist_count")) * page, file: pages * page, log };
  }

  /** Bytes that the disk has left for this user. */
  diskFree(): number {
    return diskOf(this.folder).free;
  }

  close(logger: Logger): void {
    try {
      this.readingDb.close();
      this.db.close();
      this.lock.release();
    } catch (error) {
      // A disk that is gone cannot be left in order; the next opening finds what was committed.
      logger.warn({ err: error }, `${this.db.name} was not closed cleanly`);
    }
  }

  /** A file that somebody removed would take commits and lose them all. */
  private refuseReplaced(): void {
    if (statSync(this.db.name, { throwIfNoEntry: false })?.ino === this.inode) return;
    throw new PerchError(
      "DATA_UNWRITABLE",
      `${this.db.name} was removed or replaced while Perch used it; it is opened again`,
    );
  }

  private pragma(name: string): number {
    return Number(this.db.pragma(name, { simple: true }));
  }
}

function openDatabase(folder: string): Database {
  const path = join(folder, DATABASE);
  createPrivate(path);
  const unclean = (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
  const db = new Database(path, { timeout: 2000 });
  try {
    versionOf(db);
    // Takes effect in a new file only, and there only before anything else is written.
    db.pragma("auto_vacuum = INCREMENTAL");
    db.pragma("journal_mode = WAL");
    db.pragma("synchronous = FULL");
    db.pragma("foreign_keys = ON");
    db.pragma("temp_store = MEMORY");
    db.pragma("journal_size_limit = 8000000");
    if (unclean && statSync(path).size <= CHECKED_BYTES) check(db, folder);
    migrate(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function readingOf(folder: string): Database {
  return new Database(join(folder, DATABASE), { readonly: true, fileMustExist: true, timeout: 2000 });
}

function check(db: Database, folder: string): void {
  const found = db.pragma("quick_check(1)", { simple: true });
  if (found !== "ok") throw damaged(folder, found);
}

/** Bytes that the disk of a folder has, and has left for this user. */
export function diskOf(folder: string): { size: number; free: number } {
  const { blocks, bavail, bsize } = statfsSync(folder);
  return { size: blocks * bsize, free: bavail * bsize };
}

/** The record for reading only, beside a service that may be running: for the command line. */
export class Reader {
  readonly queries: Queries;
  private readonly db: Database;

  /** Throws PerchError DATA_NEWER, or what SQLite said; SQLITE_CANTOPEN where there is no record yet. */
  constructor(folder: string) {
    this.db = readingOf(folder);
    versionOf(this.db);
    this.queries = new Queries(this.db);
  }

  close(): void {
    this.db.close();
  }
}
