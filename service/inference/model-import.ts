import { createReadStream } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { bytesText } from "../contract/units.ts";
import { isPerchError, messageOf, PerchError, systemCode } from "../kernel/errors.ts";
import { type FileTask, faultOf, filesOf, type LadderFile } from "./model-files.ts";
import { orThrow } from "./model-pull.ts";
import { cancelled, makeFolder, needSpace, StagingFile } from "./model-staging.ts";

export interface Imported {
  /** What was copied. */
  readonly files: readonly LadderFile[];
  /** Names of all files of the ladder that are here and right now. */
  readonly right: ReadonlySet<string>;
  /** What in the folder should have been a file of the ladder and was not. */
  readonly faults: readonly PerchError[];
}

interface Found {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
}

/**
 * Copies the files of a ladder that are not there, or not right, from another folder, as far as it has
 * them. They are known by their size and sha256, so a file may have another name there. Rejects with
 * MODEL_MISSING (that folder cannot be read, or is the ladder's own), DATA_FULL, DATA_UNWRITABLE,
 * DATA_LOCKED, CANCELLED.
 */
export async function importFrom(from: string, task: FileTask): Promise<Imported> {
  const { store, ladder, reporter } = task;
  const folder = store.folder(ladder);
  const there = await filesIn(from);
  if ((await realpath(from)) === (await realpath(folder).catch(() => undefined)))
    throw new PerchError("MODEL_MISSING", `${from} is the ladder's own folder: there is nothing to copy`);
  const all = filesOf(ladder);
  const offers: { file: LadderFile; candidates: readonly Found[] }[] = [];
  const faults: PerchError[] = [];
  const missing: LadderFile[] = [];
  for (const file of all) if (await faultOf(file, task)) missing.push(file);
  const right = new Set(all.filter((file) => !missing.includes(file)).map(({ file }) => file));
  for (const file of missing) {
    const candidates = candidatesFor(file, there);
    const named = there.find(({ name }) => name === file.file);
    if (candidates.length > 0) offers.push({ file, candidates });
    else if (named) faults.push(otherSize(named, file, all));
    else reporter.note(`${file.file} is not in ${from}`);
  }
  if (offers.length === 0) return { files: [], right, faults };

  await makeFolder(folder);
  await needSpace(
    folder,
    offers.map(({ file }) => file),
  );
  const files: LadderFile[] = [];
  for (const { file, candidates } of offers) {
    const fault = await copyFirstRight(file, candidates, task);
    if (fault) faults.push(fault);
    else files.push(file);
  }
  for (const { file } of files) right.add(file);
  return { files, right, faults };
}

/** Rejects with MODEL_MISSING. */
async function filesIn(folder: string): Promise<Found[]> {
  try {
    const names = await readdir(folder);
    const found = names.map(async (name) => {
      const path = join(folder, name);
      // Of a link that leads nowhere, or what may not even be looked at, nothing is known.
      const about = await stat(path).catch(() => undefined);
      return about?.isFile() ? { name, path, bytes: about.size } : undefined;
    });
    return (await Promise.all(found)).filter((file) => file !== undefined);
  } catch (error) {
    const why: Record<string, string> = {
      ENOENT: `there is no folder ${folder}`,
      ENOTDIR: `${folder} is a file: name the folder that it lies in`,
    };
    const message = why[systemCode(error) ?? ""] ?? `${folder} cannot be read: ${messageOf(error)}`;
    throw new PerchError("MODEL_MISSING", message, error);
  }
}

/** What has the right size, the right name first. */
function candidatesFor(file: LadderFile, there: readonly Found[]): Found[] {
  const sameSize = there.filter(({ bytes }) => bytes === file.bytes);
  return sameSize.toSorted((a, b) => Number(b.name === file.file) - Number(a.name === file.file));
}

function otherSize({ path, bytes }: Found, file: LadderFile, all: readonly LadderFile[]): PerchError {
  const alike = all.find((other) => other.bytes === bytes);
  const what = alike
    ? `it looks like ${alike.file}`
    : bytes < file.bytes
      ? "it was cut off"
      : "it is another file";
  return new PerchError("MODEL_CORRUPT", `${path} has ${bytes} bytes, not ${file.bytes}: ${what}`);
}

/** The fault of the last candidate where none was right. */
async function copyFirstRight(
  file: LadderFile,
  candidates: readonly Found[],
  task: FileTask,
): Promise<PerchError | undefined> {
  let fault: PerchError | undefined;
  for (const candidate of candidates) {
    try {
      await copy(file, candidate, task);
      if (candidate.name !== file.file)
        task.reporter.note(`${candidate.path} is ${file.file} under another name, by its sha256`);
      return undefined;
    } catch (error) {
      if (!isPerchError(error, "MODEL_CORRUPT", "MODEL_MISSING")) throw error;
      fault = new PerchError(error.code, `${candidate.path}: ${error.message}`, error);
    }
  }
  return fault;
}

/** Rejects with MODEL_CORRUPT where it is not the right one, MODEL_MISSING where it cannot be read. */
async function copy(file: LadderFile, { path }: Found, task: FileTask): Promise<void> {
  try {
    await copyOnce(file, path, task);
  } catch (error) {
    if (!(error instanceof ResumedWrong)) throw error;
    // What a former import or pull had left was wrong, perhaps, and not this one: all of it, then.
    await copyOnce(file, path, task);
  }
  await orThrow(faultOf(file, task));
}

/** What was there before and this together are not the file. */
class ResumedWrong extends Error {}

async function copyOnce(
  file: LadderFile,
  path: string,
  { store, ladder, reporter, signal }: FileTask,
): Promise<void> {
  const target = join(store.folder(ladder), file.file);
  const staging = await StagingFile.open(target, file, signal);
  const before = staging.size;
  if (before > 0) reporter.note(`${bytesText(before)} of ${file.file} are here already`);
  try {
    const pieces = createReadStream(path, { start: before, highWaterMark: 1 << 20, signal });
    for await (const piece of readable(pieces, path)) {
      await staging.append(piece);
      reporter.progress(file, staging.size);
    }
    await staging.finish();
  } catch (error) {
    if (signal.aborted) throw cancelled(target);
    if (before > 0 && isPerchError(error, "MODEL_CORRUPT")) throw new ResumedWrong(messageOf(error));
    throw error;
  } finally {
    await staging.close();
  }
}

async function* readable(pieces: AsyncIterable<Buffer>, path: string): AsyncGenerator<Buffer> {
  try {
    yield* pieces;
  } catch (error) {
    throw new PerchError("MODEL_MISSING", `${path} cannot be read: ${messageOf(error)}`, error);
  }
}
