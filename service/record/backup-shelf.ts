import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Backup } from "../contract/api-record.ts";
import { faultOf } from "./faults.ts";

const ID = /^\d{8}T\d{9}Z$/;
/** Files that a backup comes with, beside ID.json. */
const OURS = /^(\d{8}T\d{9}Z)\.(db|db\.unfinished.*|json\.new)$/;

/** A finished one. */
export type Kept = Backup & { readonly bytes: number; readonly sha256: string };

/** What stands in ID.json. */
type Noted = Pick<Kept, "id" | "at" | "bytes" | "sha256" | "scheduled">;

/**
 * The finished backups of a data folder, in its `backups`: ID.db, and ID.json with its hash once it is made, checked and
 * on the disk. What has no ID.json is none.
 */
export class BackupShelf {
  private readonly folder: string;

  constructor(private readonly data: string) {
    this.folder = join(data, "backups");
  }

  /** Throws PerchError DATA_FULL or DATA_UNWRITABLE. */
  prepare(): void {
    this.told(() => mkdirSync(this.folder, { recursive: true, mode: 0o700 }));
  }

  /** What is on the disk that they lie on: it may be another than the record's. */
  get place(): string {
    return existsSync(this.folder) ? this.folder : this.data;
  }

  /** The newest first. Throws PerchError DATA_UNWRITABLE where the folder cannot be read. */
  list(): Kept[] {
    return this.names()
      .filter((name) => name.endsWith(".json"))
      .flatMap((name) => this.read(name) ?? [])
      .sort((a, b) => b.id.localeCompare(a.id));
  }

  /** Where the file of one lies. */
  path(id: string): string {
    return join(this.folder, `${id}.db`);
  }

  /** Where one that is being made lies. */
  unfinished(id: string): string {
    return `${this.path(id)}.unfinished`;
  }

  /** The unfinished one is whole, and counts from now on. */
  add(noted: Noted): void {
    const { id } = noted;
    renameSync(this.unfinished(id), this.path(id));
    this.writeDurably(`${id}.json`, noted);
  }

  /** Throws PerchError DATA_UNWRITABLE. */
  remove(id: string): void {
    this.told(() => {
      // The other way round one that is half removed would look whole.
      rmSync(join(this.folder, `${id}.json`), { force: true });
      rmSync(this.path(id), { force: true });
    });
  }

  /** Of one that could not be made. */
  discard(id: string): void {
    for (const end of ["db.unfinished", "db.unfinished-journal", "db", "json.new"])
      rmSync(join(this.folder, `${id}.${end}`), { force: true });
  }

  /** Removes what an earlier run left unfinished. Throws PerchError, or what the file system says. */
  tidy(): void {
    const names = this.names();
    const unfinished = ({ 1: id = "", 2: kind }: RegExpExecArray) =>
      kind !== "db" || !names.includes(`${id}.json`);
    for (const name of names) {
      const match = OURS.exec(name);
      if (match && unfinished(match)) rmSync(join(this.folder, name), { force: true });
    }
  }

  private read(name: string): Kept | undefined {
    try {
      const noted = JSON.parse(readFileSync(join(this.folder, name), "utf8")) as Partial<Noted>;
      const { id = "", at = "", bytes = 0, sha256 = "", scheduled = false } = noted;
      if (!ID.test(id) || name !== `${id}.json`) return undefined;
      if (statSync(this.path(id)).size !== bytes) return undefined;
      return { id, at, scheduled, state: "done", progress: 1, bytes, sha256 };
    } catch {
      // Somebody put it there or took its half away: it is no backup.
      return undefined;
    }
  }

  private names(): string[] {
    return this.told(() => (existsSync(this.folder) ? readdirSync(this.folder) : []));
  }

  /** What the file system says, in words. */
  private told<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      throw faultOf(error, this.folder) ?? error;
    }
  }

  /** A file that is there whole or not at all, and stays. */
  private writeDurably(name: string, what: object): void {
    const path = join(this.folder, name);
    writeFileSync(`${path}.new`, `${JSON.stringify(what)}\n`, { mode: 0o600, flush: true });
    renameSync(`${path}.new`, path);
    const folder = openSync(this.folder, "r");
    fsyncSync(folder);
    closeSync(folder);
  }
}
