import { createHash } from "node:crypto";
import { createReadStream, existsSync, statfsSync } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Response } from "undici";
import { isPerchError, messageOf, PerchError, systemCode } from "../kernel/errors.ts";
import { FileProgress } from "./models-progress.ts";
import { type RunningService, refusalOf } from "./service.ts";
import { UsageError } from "./usage.ts";

/** Tries in a row that bring nothing. */
const TRIES = 5;
/** Ms until progress is shown, and between two tries. */
const PATIENT = 2_000;
const AGAIN = 1_000;
/** Bytes that are read at once to check the file. */
const PIECE = 1 << 20;

export interface Wanted {
  readonly id: string;
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
  /** Where it shall lie. */
  readonly to: string;
  readonly signal: AbortSignal;
}

/**
 * Brings a backup into a file, which is there when all of it has come and its hash is right. Until then it is
 * TO.ID.unfinished, from which the next call goes on. Throws PerchError, or the signal's reason.
 */
export async function fetchBackup(service: RunningService, wanted: Wanted): Promise<void> {
  const { to, id } = wanted;
  if (existsSync(to)) throw new UsageError(`${to} is there already: remove it, or name another by --out`);
  const path = `${to}.${id}.unfinished`;
  const file = await opened(path);
  try {
    await new Download(service, wanted, file).run();
    await onDisk(to, () => file.sync());
  } finally {
    await file.close();
  }
  if ((await hashOf(path, wanted)) !== wanted.sha256) {
    await rm(path);
    throw new PerchError(
      "DATA_CORRUPT",
      `what came is not what the service has made, and was removed: fetch ${id} again`,
    );
  }
  await onDisk(to, () => rename(path, to));
}

/** The bytes that are missing, from as many connections as it takes. */
class Download {
  private have = 0;
  private readonly begun = performance.now();
  private readonly progress = new FileProgress();

  constructor(
    private readonly service: RunningService,
    private readonly wanted: Wanted,
    private readonly file: FileHandle,
  ) {}

  async run(): Promise<void> {
    const { bytes, to, signal } = this.wanted;
    this.have = (await this.file.stat()).size;
    if (this.have > bytes) await this.beginAnew();
    if (this.have > 0) this.progress.note(`goes on after ${this.have} of ${bytes} bytes`);
    refuseTooLarge(to, bytes - this.have);
    let tries = 0;
    while (this.have < bytes) {
      const before = this.have;
      try {
        await this.take();
      } catch (error) {
        signal.throwIfAborted();
        tries = this.have > before ? 1 : tries + 1;
        if (!isBroken(error) || tries >= TRIES) throw error;
        this.progress.note(`the connection broke after ${this.have} bytes; it goes on in ${tries} s`);
        await new Promise((wake) => setTimeout(wake, tries * AGAIN));
      }
    }
    this.progress.clear();
  }

  /** Takes what one connection gives. */
  private async take(): Promise<void> {
    const { id, sha256, signal } = this.wanted;
    const headers = { range: `bytes=${this.have}-`, "if-range": `"${sha256}"` };
    const response = await this.service.ask(`/api/backups/${id}`, { headers, signal });
    if (!response.ok || !response.body) throw await refusalOf(response);
    if (!goesOnAt(response, this.have)) await this.beginAnew();
    for await (const piece of response.body) await this.write(piece as Uint8Array);
  }

  private async write(piece: Uint8Array): Promise<void> {
    const { to, bytes } = this.wanted;
    for (let done = 0; done < piece.length; ) {
      const { bytesWritten } = await onDisk(to, () =>
        this.file.write(piece, done, piece.length - done, this.have),
      );
      done += bytesWritten;
      this.have += bytesWritten;
    }
    if (performance.now() - this.begun > PATIENT) this.progress.progress({ file: to, bytes }, this.have);
  }

  private async beginAnew(): Promise<void> {
    await this.file.truncate(0);
    this.have = 0;
  }
}

/** Whether an answer is the part that was asked for; otherwise it is the whole. */
function goesOnAt(response: Response, have: number): boolean {
  const from = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1];
  return response.status === 206 && Number(from) === have;
}

/** Whether the connection was at fault: fetch says no more than that it failed. */
const isBroken = (error: unknown): boolean =>
  isPerchError(error, "SERVICE_UNREACHABLE") || error instanceof TypeError;

const opened = (path: string): Promise<FileHandle> =>
  onDisk(path, async () => {
    try {
      return await open(path, "r+");
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
      return open(path, "wx", 0o600);
    }
  });

function refuseTooLarge(to: string, missing: number): void {
  const { bavail, bsize } = statfsSync(dirname(resolve(to)));
  if (bavail * bsize < missing)
    throw new PerchError(
      "DATA_FULL",
      `${missing} bytes are to come, and the disk of ${to} has ${bavail * bsize}`,
    );
}

async function hashOf(path: string, { to, bytes }: Wanted): Promise<string> {
  const hash = createHash("sha256");
  const progress = new FileProgress();
  const begun = performance.now();
  let read = 0;
  for await (const piece of createReadStream(path, { highWaterMark: PIECE })) {
    hash.update(piece as Buffer);
    read += (piece as Buffer).length;
    if (performance.now() - begun > PATIENT) progress.progress({ file: `checking ${to}`, bytes }, read);
  }
  progress.clear();
  return hash.digest("hex");
}

/** What the file system says, in words. */
async function onDisk<T>(to: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOSPC" || code === "EDQUOT")
      throw new PerchError(
        "DATA_FULL",
        `the disk of ${to} is full: free some space, and fetch again; it goes on from here`,
      );
    if (code === "EFBIG")
      throw new PerchError(
        "DATA_UNWRITABLE",
        `the disk of ${to} cannot hold a file of this size (FAT: 4 GB)`,
      );
    throw code === undefined
      ? error
      : new PerchError("DATA_UNWRITABLE", `${to} cannot be written: ${messageOf(error)}`);
  }
}
