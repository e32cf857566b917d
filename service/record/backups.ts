import { type ChildProcess, spawn } from "node:child_process";
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
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Backup } from "../contract/api-record.ts";
import { type Clock, iso } from "../kernel/clock.ts";
import { messageOf, PerchError } from "../kernel/errors.ts";
import type { Logger } from "../kernel/logger.ts";
import { DATABASE } from "./faults.ts";

/** Backups that are kept; a new one takes the place of the oldest. */
const MOST = 5;
/** Bytes that the disk has to have left beside a backup. */
const SPARE = 64e6;
const ID = /^\d{8}T\d{9}Z$/;
/** Files that a backup comes with, beside ID.json. */
const OURS = /^(\d{8}T\d{9}Z)\.(db|db\.unfinished.*|json\.new)$/;
/** Characters of what a process said that failed. */
const LONGEST_FAULT = 500;

interface Options {
  /** The data folder. */
  readonly folder: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Bytes that the record fills, and that the disk has left. Throws PerchError while the database is not open. */
  readonly room: () => { readonly used: number; readonly free: number };
}

interface Running {
  readonly id: string;
  readonly at: string;
  /** Bytes it will have, about. */
  readonly expected: number;
  child?: ChildProcess;
}

/**
 * Copies of the database in data/backups: ID.db, and ID.json with its hash once it is made, checked and on the disk.
 * What has no ID.json is none.
 */
export class Backups {
  private running: Running | undefined;
  private failed: Backup | undefined;
  /** Never rejects. */
  private made: Promise<void> = Promise.resolve();

  constructor(private readonly options: Options) {}

  private get folder(): string {
    return join(this.options.folder, "backups");
  }

  /** Removes what an earlier run left unfinished. */
  tidy(): void {
    try {
      const names = this.names();
      const unfinished = ({ 1: id = "", 2: kind }: RegExpExecArray) =>
        kind !== "db" || !names.includes(`${id}.json`);
      for (const name of names) {
        const match = OURS.exec(name);
        if (match && unfinished(match)) rmSync(join(this.folder, name), { force: true });
      }
    } catch (error) {
      this.options.logger.warn({ part: "record" }, `data/backups cannot be tidied: ${messageOf(error)}`);
    }
  }

  /** Begins one. Throws PerchError CONFLICT while one is made, and DATA_FULL where there is too little room. */
  begin(): Backup {
    if (this.running)
      throw new PerchError("CONFLICT", `the backup ${this.running.id} is being made: wait until it is done`);
    const { used, free } = this.options.room();
    if (free < used + SPARE)
      throw new PerchError(
        "DATA_FULL",
        `a backup takes about ${megabytes(used)} and has to leave ${megabytes(SPARE)}; the disk has ${megabytes(free)}: free some, or remove an old backup`,
      );
    const at = iso(this.options.clock.now());
    const id = at.replace(/[-:.]/g, "");
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    this.failed = undefined;
    const running: Running = { id, at, expected: used };
    this.running = running;
    this.made = this.make(running);
    return this.progress(running);
  }

  /** The newest first: the one that is made now, or failed last, and those that are done. */
  list(): Backup[] {
    const now = this.running ? [this.progress(this.running)] : this.failed ? [this.failed] : [];
    return [...now, ...this.done()];
  }

  /** Where a finished one lies. Throws PerchError NOT_FOUND, and CONFLICT while it is made. */
  file(id: string): { path: string; backup: Backup } {
    this.refuseRunning(id);
    const backup = this.done().find((one) => one.id === id);
    if (!backup) throw new PerchError("NOT_FOUND", `there is no backup ${id}: GET /api/backups lists them`);
    return { path: join(this.folder, `${id}.db`), backup };
  }

  /** Throws PerchError NOT_FOUND, and CONFLICT while it is made. */
  remove(id: string): void {
    this.file(id);
    // The other way round one that is half removed would look whole.
    rmSync(join(this.folder, `${id}.json`));
    rmSync(join(this.folder, `${id}.db`), { force: true });
  }

  /** Ends the one that is made. */
  async stop(): Promise<void> {
    this.running?.child?.kill("SIGKILL");
    await this.made;
  }

  private async make(running: Running): Promise<void> {
    const { id, at } = running;
    const { logger } = this.options;
    const unfinished = join(this.folder, `${id}.db.unfinished`);
    try {
      const { bytes, sha256 } = await this.copied(running, unfinished);
      renameSync(unfinished, join(this.folder, `${id}.db`));
      this.writeDurably(`${id}.json`, { id, at, bytes, sha256 });
      for (const old of this.done().slice(MOST)) this.remove(old.id);
      logger.info({ part: "record" }, `the backup ${id} is made: ${megabytes(bytes)}, sha256 ${sha256}`);
    } catch (error) {
      const fault = messageOf(error);
      this.failed = { id, at, state: "failed", progress: 0, bytes: null, sha256: null, fault };
      for (const name of [`${id}.db.unfinished`, `${id}.db.unfinished-journal`, `${id}.db`])
        rmSync(join(this.folder, name), { force: true });
      logger.error({ part: "record" }, `the backup ${id} failed: ${fault}`);
    } finally {
      this.running = undefined;
    }
  }

  /** Has another process make the copy. */
  private copied(running: Running, target: string): Promise<{ bytes: number; sha256: string }> {
    const program = fileURLToPath(import.meta.url).replace(/backups(\.\w+)$/, "backup-copy$1");
    const loader = extname(program) === ".ts" ? ["--import", "tsx"] : [];
    const child = spawn(process.execPath, [...loader, program, join(this.options.folder, DATABASE), target], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.child = child;
    let said = "";
    let complained = "";
    child.stdout.on("data", (text) => (said += String(text)));
    child.stderr.on("data", (text) => (complained = (complained + String(text)).slice(-20_000)));
    return new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => {
        if (code === 0) resolve(JSON.parse(said) as { bytes: number; sha256: string });
        else reject(new Error(signal ? `it was ended (${signal})` : faultIn(complained)));
      });
    });
  }

  private done(): Backup[] {
    return this.names()
      .filter((name) => name.endsWith(".json"))
      .flatMap((name) => this.read(name) ?? [])
      .sort((a, b) => b.id.localeCompare(a.id));
  }

  private read(name: string): Backup | undefined {
    try {
      const { id, at, bytes, sha256 } = JSON.parse(readFileSync(join(this.folder, name), "utf8")) as Backup;
      if (!ID.test(id) || name !== `${id}.json`) return undefined;
      if (statSync(join(this.folder, `${id}.db`)).size !== bytes) return undefined;
      return { id, at, state: "done", progress: 1, bytes, sha256 };
    } catch {
      // Somebody put it there or took its half away: it is no backup.
      return undefined;
    }
  }

  private progress({ id, at, expected }: Running): Backup {
    const path = join(this.folder, `${id}.db.unfinished`);
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    const progress = Math.round(Math.min(0.99, size / expected) * 100) / 100;
    return { id, at, state: "running", progress, bytes: null, sha256: null };
  }

  private refuseRunning(id: string): void {
    if (this.running?.id === id)
      throw new PerchError(
        "CONFLICT",
        `the backup ${id} is still being made: GET /api/backups says how far it is`,
      );
  }

  private names(): string[] {
    return existsSync(this.folder) ? readdirSync(this.folder) : [];
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

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

/** The error's own line of what Node prints of one that nothing caught. */
function faultIn(complained: string): string {
  const lines = complained.split("\n");
  const line = lines.find((one) => /^\w*Error\b.*:/.test(one)) ?? lines.find((one) => one.trim() !== "");
  return (line ?? "it ended without a word").slice(0, LONGEST_FAULT);
}
