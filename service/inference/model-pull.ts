import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { bytesText } from "../contract/units.ts";
import { messageOf, type PerchError } from "../kernel/errors.ts";
import { download } from "./model-download.ts";
import { type FileTask, faultOf, filesOf, type LadderFile } from "./model-files.ts";
import { ModelServer, PATIENCE, type Patience } from "./model-http.ts";
import { type Mirror, sourceOf } from "./model-source.ts";
import { cancelled, makeFolder, needSpace, StagingFile } from "./model-staging.ts";

export interface PullTask extends FileTask {
  readonly mirror?: Mirror;
  readonly patience?: Patience;
}

/**
 * Brings the files of a ladder that are not there, or not right, into its folder; resolves to those that
 * were brought. A wrong file stays until the right one is whole. Rejects with the first fault:
 * MODEL_MISSING (nobody says where it comes from), MODEL_UNREACHABLE, MODEL_CORRUPT, DATA_FULL,
 * DATA_UNWRITABLE, DATA_LOCKED, CANCELLED; whatever had come by then stays for the next pull.
 */
export async function pull(task: PullTask): Promise<readonly LadderFile[]> {
  const { store, ladder, mirror, patience = PATIENCE } = task;
  const wanted: LadderFile[] = [];
  for (const file of filesOf(ladder, store.ladders)) {
    const fault = await faultOf(file, task);
    if (!fault) continue;
    await refuseSameFile(file, fault, task);
    if (fault.code === "MODEL_CORRUPT")
      task.reporter.note(`${fault.message.split(";")[0]}; it stays until the right one is whole`);
    wanted.push(file);
  }
  const sources = wanted.map((file) => ({ file, url: sourceOf(file, mirror) }));
  if (wanted.length === 0) return wanted;
  const folder = store.folder(ladder);
  await makeFolder(folder);
  await needSpace(folder, wanted);
  const server = new ModelServer(patience);
  try {
    for (const { file, url } of sources) await pullFile(file, url, server, task);
  } finally {
    await server.close();
  }
  return wanted;
}

async function pullFile(file: LadderFile, url: URL, server: ModelServer, task: PullTask): Promise<void> {
  const { store, ladder, mirror, patience = PATIENCE, reporter, signal } = task;
  const path = join(store.folder(ladder), file.file);
  const staging = await StagingFile.open(path, file, signal);
  try {
    // Another pull may have brought it since it was looked for.
    if (!(await faultOf(file, task))) return;
    if (staging.size > 0) reporter.note(`${bytesText(staging.size)} of ${file.file} are here already`);
    const token = mirror?.token;
    await download(
      { file, path, url, server, patience, reporter, signal, ...(token !== undefined && { token }) },
      staging,
    );
    await staging.finish();
  } finally {
    await staging.close();
  }
  await orThrow(faultOf(file, task));
}

/**
 * A file with the right sha256 that cannot be used all the same: models.yaml is wrong about it, and
 * fetching it once more would bring the same.
 */
async function refuseSameFile(file: LadderFile, fault: PerchError, task: FileTask): Promise<void> {
  if (fault.code !== "MODEL_CORRUPT") return;
  const path = join(task.store.folder(task.ladder), file.file);
  const hash = createHash("sha256");
  try {
    if ((await stat(path)).size !== file.bytes) return;
    for await (const piece of createReadStream(path, { highWaterMark: 1 << 20, signal: task.signal }))
      hash.update(piece);
  } catch (error) {
    if (task.signal.aborted) throw cancelled(path);
    // What cannot be read is not the same for certain; a new one takes its place.
    task.reporter.note(`${path} cannot be read: ${messageOf(error)}`);
    return;
  }
  if (hash.digest("hex") === file.sha256) throw fault;
}

/** What has come is checked once more as the engine will find it, and remembered as right. */
export async function orThrow(pending: Promise<PerchError | undefined>): Promise<void> {
  const fault = await pending;
  if (fault) throw fault;
}
