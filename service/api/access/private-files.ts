import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { TSchema } from "typebox";
import { Value } from "typebox/value";
import { isPerchError, messageOf, PerchError, systemCode } from "../../kernel/errors.ts";
import { FileLock } from "../../kernel/file-lock.ts";

/** What a file holds at most, bytes. */
const LARGEST = 4096;
/** Ms that a change waits for another process's, which takes some milliseconds; the service does nothing else meanwhile. */
const TURN = 2_000;

interface Options<T> {
  /** The data folder. */
  readonly data: string;
  /** The folder's name in it. */
  readonly folder: string;
  /** What one of them is called, for messages: "token". */
  readonly what: string;
  readonly schema: TSchema;
  /** The name of the file that a value belongs in, without its ending. */
  readonly nameOf: (value: T) => string;
  /** What such names look like; nothing else is read. */
  readonly names: RegExp;
  /** Told of files that are not as they should be, once of each fault. */
  readonly warn: (message: string) => void;
}

/**
 * Small JSON files of one kind in a folder of the data folder, NAME.json each, readable by their owner only. Each is
 * read anew whenever it is asked for, so what was made or removed beside a running service counts at once. A damaged
 * file costs one of them. What depends on the others is done in `alone`.
 */
export class PrivateFiles<T> {
  readonly folder: string;
  private readonly told = new Set<string>();

  constructor(private readonly options: Options<T>) {
    this.folder = join(options.data, options.folder);
  }

  /** All that may be believed. Throws what the file system says. */
  list(): T[] {
    return orNone(() => readdirSync(this.folder), [])
      .filter((file) => file.endsWith(".json"))
      .flatMap((file) => this.read(file.slice(0, -".json".length)) ?? []);
  }

  /** What is in a file; undefined where there is none that may be believed. */
  read(name: string): T | undefined {
    if (!this.options.names.test(name)) return undefined;
    const path = this.path(name);
    try {
      this.checkFolder();
      const file = orNone(() => openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW), undefined);
      if (file === undefined) return undefined;
      try {
        return this.contentOf(file, name);
      } finally {
        closeSync(file);
      }
    } catch (error) {
      this.tell(`the ${this.options.what} in ${path} does not count: ${messageOf(error)}`);
      return undefined;
    }
  }

  /** Puts it there for good, in place of what was there. Throws what the file system says. */
  write(value: T): void {
    this.put(value, renameSync);
  }

  /** Puts it there for good; false where there is a file of that name, whatever is in it. Throws what the file system says. */
  create(value: T): boolean {
    try {
      this.put(value, linkSync);
      return true;
    } catch (error) {
      if (systemCode(error) === "EEXIST") return false;
      throw error;
    }
  }

  /**
   * Does, at once, what holds only while nobody else changes these files: other processes wait for it. What is done in
   * here does not call it again. Throws CONFLICT where another one does not end, or what the file system says.
   */
  alone<T>(act: () => T): T {
    this.prepareFolder();
    const lock = this.lock();
    try {
      return act();
    } finally {
      lock.release();
    }
  }

  /** Removes files; a power cut does not bring them back. Throws what the file system says. */
  remove(...names: readonly string[]): void {
    if (names.length === 0) return;
    for (const name of names) rmSync(this.path(name), { force: true });
    orNone(() => syncFolder(this.folder), undefined);
  }

  private path(name: string): string {
    return join(this.folder, `${name}.json`);
  }

  private lock(): FileLock {
    try {
      return FileLock.take(join(this.folder, "lock"), `the ${this.options.folder}`, TURN);
    } catch (error) {
      if (!isPerchError(error, "DATA_LOCKED")) throw error;
      throw new PerchError("CONFLICT", error.message, error);
    }
  }

  private prepareFolder(): Pick<Stats, "uid" | "gid"> {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    const { uid, gid } = statSync(this.options.data);
    // Made with sudo, it still has to be the service's to read.
    if (process.getuid?.() === 0) chownSync(this.folder, uid, gid);
    return { uid, gid };
  }

  private put(value: T, place: (draft: string, path: string) => void): void {
    const { uid, gid } = this.prepareFolder();
    const name = this.options.nameOf(value);
    const draft = join(this.folder, `${name}.${process.pid}.new`);
    const file = openSync(draft, "w", 0o600);
    try {
      if (process.getuid?.() === 0) fchownSync(file, uid, gid);
      writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    try {
      place(draft, this.path(name));
    } finally {
      rmSync(draft, { force: true });
    }
    syncFolder(this.folder);
  }

  private contentOf(file: number, name: string): T {
    const { what, schema, nameOf } = this.options;
    const stat = fstatSync(file);
    if (!stat.isFile() || stat.size > LARGEST) throw new Error(`it is no ${what}'s file`);
    refuseForeign(stat, "it");
    if ((stat.mode & 0o077) !== 0) fchmodSync(file, 0o600);
    const value: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (!Value.Check(schema, value) || nameOf(value as T) !== name) throw new Error("it is damaged");
    return value as T;
  }

  private tell(message: string): void {
    if (this.told.has(message)) return;
    this.told.add(message);
    this.options.warn(message);
  }

  private checkFolder(): void {
    const stat = orNone(() => statSync(this.folder), undefined);
    if (!stat) return;
    refuseForeign(stat, this.folder);
    if ((stat.mode & 0o077) !== 0) chmodSync(this.folder, 0o700);
  }
}

/** What others may write may hold something that they made for themselves; what they may only read holds no secret. */
function refuseForeign({ mode, uid }: Stats, what: string): void {
  if ((mode & 0o022) !== 0)
    throw new Error(
      `${what} may be written by others: look whether all of it is yours, remove what is not, then chmod go-rwx`,
    );
  const own = process.getuid?.();
  // Root reads the files of the service's user; everybody reads what root made.
  if (own !== undefined && own !== 0 && uid !== own && uid !== 0)
    throw new Error(`${what} belongs to another user (${uid})`);
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function orNone<T, N>(read: () => T, none: N): T | N {
  try {
    return read();
  } catch (error) {
    if (systemCode(error) === "ENOENT") return none;
    throw error;
  }
}
