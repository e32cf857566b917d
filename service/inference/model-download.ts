import { setTimeout as wait } from "node:timers/promises";
import { bytesText } from "../contract/units.ts";
import { Backoff } from "../kernel/backoff.ts";
import { messageOf, PerchError } from "../kernel/errors.ts";
import type { LadderFile, Reporter } from "./model-files.ts";
import { Interrupted, type ModelServer, type Patience } from "./model-http.ts";
import { shownUrl } from "./model-source.ts";
import { cancelled, type StagingFile } from "./model-staging.ts";

interface Download {
  readonly file: LadderFile;
  /** Absolute path that the file gets. */
  readonly path: string;
  readonly url: URL;
  readonly token?: string;
  readonly server: ModelServer;
  readonly patience: Patience;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
}

/** A server that was never reached is given up after so many tries: most likely its name is wrong. */
const TRIES_OF_STRANGER = 3;
/** What a try must bring to count as one that went on: this many bytes, or this share of the file. */
const WORTHWHILE = { bytes: 1 << 20, share: 0.01 };

/**
 * Fetches what a staging file lacks, from where it ends, again and again while tries bring something.
 * Rejects with MODEL_UNREACHABLE, MODEL_CORRUPT or CANCELLED; what has come stays in the staging file.
 */
export async function download(task: Download, staging: StagingFile): Promise<void> {
  const { file, url, patience, reporter, signal } = task;
  const backoff = new Backoff(patience.firstWait, patience.longestWait);
  const worthwhile = Math.min(WORTHWHILE.bytes, file.bytes * WORTHWHILE.share);
  const connection: Connection = { reached: false };
  let most = staging.size;
  for (let fruitless = 0; staging.size < file.bytes; ) {
    try {
      await fetchRest(task, staging, connection);
    } catch (error) {
      if (signal.aborted) throw cancelled(task.path);
      if (!(error instanceof Interrupted)) throw error;
      // Counted by the most that ever was here: a server that always begins anew does not go on.
      const wentOn = staging.size >= most + worthwhile;
      fruitless = wentOn ? 0 : fruitless + 1;
      if (wentOn) backoff.reset();
      most = Math.max(most, staging.size);
      const tries = connection.reached ? patience.tries : Math.min(TRIES_OF_STRANGER, patience.tries);
      if (fruitless >= tries) throw givenUp(url, staging, error);
      const pause = Math.max(error.wait, backoff.next());
      reporter.note(`${error.message}; trying again in ${Math.ceil(pause / 1000)} s`);
      await wait(pause, undefined, { signal }).catch(() => undefined);
    }
    if (signal.aborted) throw cancelled(task.path);
  }
}

/** What is known of the server from one try to the next. */
interface Connection {
  reached: boolean;
  etag?: string;
}

async function fetchRest(task: Download, staging: StagingFile, connection: Connection): Promise<void> {
  const { file, url, token, server, reporter, signal } = task;
  const { etag } = connection;
  const wanted = {
    url,
    from: staging.size,
    bytes: file.bytes,
    ...(token !== undefined && { token }),
    ...(etag !== undefined && { etag }),
  };
  const part = await server.open(wanted, signal);
  connection.reached = true;
  if (part.etag !== undefined) connection.etag = part.etag;
  if (part.from < staging.size) {
    reporter.note(
      `${url.host} only gives ${file.file} from its beginning: ${bytesText(staging.size)} are fetched again`,
    );
    await staging.restart();
  }
  for await (const piece of part.body) {
    await staging.append(piece);
    reporter.progress(file, staging.size);
  }
  if (staging.size < file.bytes) throw new Interrupted(`${url.host} ended the file early`);
}

const givenUp = (url: URL, staging: StagingFile, error: Error): PerchError =>
  new PerchError(
    "MODEL_UNREACHABLE",
    `${shownUrl(url)} cannot be fetched: ${messageOf(error)}${staging.size > 0 ? `; ${bytesText(staging.size)} of it are kept, and another pull goes on from there` : ""}`,
    error,
  );
