import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chown, type FileHandle, mkdir, open, rename, rm, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ModelFile } from "../contract/models.ts";
import { bytesText } from "../contract/units.ts";
import { messageOf, PerchError, systemCode } from "../kernel/errors.ts";
import { FileLock } from "../kernel/file-lock.ts";

/** Bytes read at once. */
const PIECE = 1 << 20;

export const partialOf = (path: string): string => `${path}.partial`;

/**
 * A file on its way: `NAME.partial` beside the place where it will be, written by one process at a time,
 * which gets its name when every byte of it is right and on the disk. Every method rejects with DATA_FULL
 * or DATA_UNWRITABLE where the disk does not take it.
 */
export class StagingFile {
  private hash = createHash("sha256");
  private written = 0;

  private constructor(
    private readonly path: string,
    private readonly expected: ModelFile,
    private readonly handle: FileHandle,
    private readonly lock: FileLock,
  ) {}

  /**
   * Opens the one that a former process left, or a new one, and hashes what there is of it. Rejects with
   * DATA_LOCKED where another process writes it, CANCELLED when the signal aborts.
   */
  static async open(path: string, expected: ModelFile, signal: AbortSignal): Promise<StagingFile> {
    return onDisk(path, async () => {
      const partial = partialOf(path);
      const lock = FileLock.take(`${partial}.lock`, path);
      let handle: FileHandle | undefined;
      try {
        const isNew = !existsSync(partial);
        handle = await open(partial, isNew ? "wx+" : "r+", 0o600);
        if (isNew) await belongAsFolderDoes(partial);
        const staging = new StagingFile(path, expected, handle, lock);
        await staging.hashWhatIsThere(signal);
        return staging;
      } catch (error) {
        await handle?.close();
        lock.release();
        throw error;
      }
    });
  }

  /** Bytes that are here. */
  get size(): number {
    return this.written;
  }

  /** Rejects with MODEL_CORRUPT where there are more bytes than the file has. */
  async append(bytes: Uint8Array): Promise<void> {
    if (this.written + bytes.length > this.expected.bytes) {
      await this.restart();
      throw this.wrong(`more than its ${this.expected.bytes} bytes came`);
    }
    await onDisk(this.path, () => writeAll(this.handle, bytes, this.written));
    this.hash.update(bytes);
    this.written += bytes.length;
  }

  /** Drops what is here. */
  async restart(): Promise<void> {
    await onDisk(this.path, () => this.handle.truncate(0));
    this.hash = createHash("sha256");
    this.written = 0;
  }

  /** Gives the file its name. Rejects with MODEL_CORRUPT, and the bytes are dropped, where they are not the right ones. */
  async finish(): Promise<void> {
    const { bytes, sha256 } = this.expected;
    const found = this.hash.digest("hex");
    if (this.written !== bytes || found !== sha256) {
      await this.restart();
      throw this.wrong(`sha256 ${found}, not ${sha256}`);
    }
    await onDisk(this.path, async () => {
      // The weights are public, and the service may run as another user than whoever fetched them.
      await this.handle.chmod(0o644);
      await this.handle.sync();
      await rename(partialOf(this.path), this.path);
      await syncFolder(dirname(this.path));
    });
  }

  /** What is here stays for the next try; nothing is left of nothing. */
  async close(): Promise<void> {
    await this.handle.close();
    if (this.written === 0) await rm(partialOf(this.path), { force: true });
    this.lock.release();
  }

  private async hashWhatIsThere(signal: AbortSignal): Promise<void> {
    const { size } = await this.handle.stat();
    if (size > this.expected.bytes) return this.restart();
    const piece = Buffer.allocUnsafe(PIECE);
    while (this.written < size) {
      const { bytesRead } = await this.handle.read(piece, 0, PIECE, this.written);
      if (bytesRead === 0) return;
      if (signal.aborted) throw cancelled(this.path);
      this.hash.update(piece.subarray(0, bytesRead));
      this.written += bytesRead;
    }
  }

  private wrong(fault: string): PerchError {
    return new PerchError(
      "MODEL_CORRUPT",
      `what came as ${this.expected.file} is not the file that models.yaml names: ${fault}; it was dropped`,
    );
  }
}

export const cancelled = (path: string): PerchError =>
  new PerchError(
    "CANCELLED",
    `stopped; what there is of it is kept in ${partialOf(path)}, and the same command goes on from there`,
  );

/** Makes a folder and those above it, private as the service makes them. Rejects with DATA_UNWRITABLE. */
export async function makeFolder(folder: string): Promise<void> {
  if (existsSync(folder)) return;
  await makeFolder(dirname(folder));
  await onDisk(folder, async () => {
    const made = await mkdir(folder, { recursive: true, mode: 0o700 });
    if (made !== undefined) await belongAsFolderDoes(folder);
  });
}

/** What root makes in the service's folder has to be the service's. */
async function belongAsFolderDoes(path: string): Promise<void> {
  if (process.geteuid?.() !== 0) return;
  const { uid, gid } = await stat(dirname(path));
  await chown(path, uid, gid);
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/** A new name is on the disk only once its folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Does it, with the file system's errors as faults that say what to do. */
async function onDisk<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const code = systemCode(error);
    if (error instanceof PerchError || !/^E[A-Z0-9]+$/.test(code ?? "")) throw error;
    if (code === "ENOSPC" || code === "EDQUOT")
      throw new PerchError(
        "DATA_FULL",
        `the disk of ${dirname(path)} is full: free some space and try again; what there is of the file is kept`,
        error,
      );
    throw new PerchError(
      "DATA_UNWRITABLE",
      `${path} cannot be written (${messageOf(error)}): it takes the user whose folder ${dirname(path)} is`,
      error,
    );
  }
}

/** Rejects with DATA_FULL where a folder's disk has not the room for what these files still lack. */
export async function needSpace(folder: string, files: readonly ModelFile[]): Promise<void> {
  const sizes = files.map(async ({ file, bytes }) => {
    const partial = await stat(partialOf(join(folder, file))).catch(() => ({ size: 0 }));
    return bytes - Math.min(bytes, partial.size);
  });
  const needed = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  const { bavail, bsize } = await onDisk(folder, () => statfs(folder));
  const free = bavail * bsize;
  if (free >= needed) return;
  throw new PerchError(
    "DATA_FULL",
    `${folder} has ${bytesText(free)} free and ${bytesText(needed)} are to come: ${bytesText(needed - free)} are missing`,
  );
}
