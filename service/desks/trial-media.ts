import type { ListenDesk } from "../api/rest/listen.ts";
import { InvalidRequest } from "../api/validation.ts";
import type { Trial } from "../contract/api-watches.ts";
import type { Feed } from "../contract/config-feeds.ts";
import type { Watch } from "../contract/config-watches.ts";
import type { Picture } from "../contract/media.ts";
import type { ImageShape } from "../contract/models.ts";
import { LARGEST_FILE, prepareAudio, prepareImage, wavOf } from "../inference/media-check.ts";
import { type Clock, sleep } from "../kernel/clock.ts";
import type { Issue } from "../kernel/config-file.ts";
import { isPerchError, PerchError } from "../kernel/errors.ts";

/** Where a trial's media come from where they are not handed in. */
export interface MediaSources {
  /** A camera's newest picture. Throws PerchError where there is none. */
  picture(feed: string): Picture;
  readonly microphones: ListenDesk;
  /** Size of the pictures that the model takes now. */
  image(): ImageShape;
  readonly clock: Clock;
}

/** What one question shows. */
export interface TrialMedia {
  readonly images: readonly Buffer[];
  readonly audio?: Buffer;
}

/**
 * Pictures and sound for a watch that is tried: those that were handed in, checked and brought to the model's size,
 * and from its feeds what is missing. Rejects with InvalidRequest, MEDIA_TOO_LARGE, FEED_UNREACHABLE, QUEUE_FULL,
 * CANCELLED.
 */
export async function trialMedia(
  watch: Watch,
  feeds: readonly Feed[],
  trial: Trial,
  sources: MediaSources,
  signal: AbortSignal,
): Promise<TrialMedia> {
  const asked = feeds.filter(({ id }) => watch.feeds.includes(id));
  const camera = asked.find(({ kind }) => kind === "camera")?.id;
  const microphone = asked.find(({ kind }) => kind === "microphone")?.id;
  const issues = [...imageIssues(watch, camera, trial), ...audioIssues(watch, microphone, trial)];
  if (issues.length > 0) throw new InvalidRequest(issues);
  // The sound first: it takes its time, and the pictures are to show its end.
  const audio = microphone === undefined ? undefined : await soundOf(microphone, trial, sources, signal);
  const images = camera === undefined ? [] : await picturesOf(camera, watch, trial, sources, signal);
  return { images, ...(audio && { audio }) };
}

function imageIssues(
  { id, frames }: Watch,
  camera: string | undefined,
  { images, snapshot }: Trial,
): Issue[] {
  const at = (message: string): Issue[] => [{ path: ["images"], message }];
  const count = `${frames} ${frames === 1 ? "picture" : "pictures"}`;
  if (camera === undefined) return images ? at(`the watch ${id} asks of no camera: leave them out`) : [];
  if (!images)
    return snapshot ? [] : at(`the watch ${id} asks about ${count}: hand in images, or snapshot: true`);
  return images.length === frames
    ? []
    : at(`the watch ${id} asks about ${count}, and these are ${images.length}`);
}

function audioIssues({ id }: Watch, microphone: string | undefined, { audio, snapshot }: Trial): Issue[] {
  const at = (message: string): Issue[] => [{ path: ["audio"], message }];
  if (microphone === undefined)
    return audio === undefined ? [] : at(`the watch ${id} asks of no microphone: leave it out`);
  return audio !== undefined || snapshot
    ? []
    : at(`the watch ${id} asks about sound: hand in audio, or snapshot: true`);
}

async function soundOf(
  microphone: string,
  { audio, seconds }: Trial,
  { microphones }: MediaSources,
  signal: AbortSignal,
): Promise<Buffer> {
  if (audio === undefined) return wavOf(await microphones.take(microphone, seconds, signal));
  return named("audio", () => prepareAudio(bytesOf(audio)));
}

async function picturesOf(
  camera: string,
  { frames, spacing }: Watch,
  { images }: Trial,
  { picture, image, clock }: MediaSources,
  signal: AbortSignal,
): Promise<Buffer[]> {
  const pictures: Buffer[] = [];
  if (images) {
    for (const [index, given] of images.entries())
      pictures.push(await named(`images[${index}]`, () => prepareImage(bytesOf(given), image())));
    return pictures;
  }
  while (pictures.length < frames) {
    if (pictures.length > 0) await sleep(clock, spacing, signal);
    if (signal.aborted) throw new PerchError("CANCELLED", "nobody waits for the answer any more");
    pictures.push(picture(camera).jpeg);
  }
  return pictures;
}

/** Says which of a request's media is wrong. */
async function named<T>(at: string, prepare: () => Promise<T>): Promise<T> {
  try {
    return await prepare();
  } catch (error) {
    if (!isPerchError(error, "MEDIA_INVALID", "MEDIA_TOO_LARGE")) throw error;
    throw new PerchError(error.code, `${at}: ${error.message}`, error);
  }
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

function bytesOf(text: string): Buffer {
  const [, base64 = text] =
    /^data:[a-z]+\/[a-z0-9.+-]+(?:;[^,;]{1,100}){0,4};base64,(.*)$/is.exec(text) ?? [];
  if (/^[a-z][a-z0-9+.-]*:/i.test(base64))
    throw new PerchError("MEDIA_INVALID", "addresses and files are not read: send the content, as base64");
  if (!BASE64.test(base64)) throw new PerchError("MEDIA_INVALID", "this is no base64");
  if (base64.length > (LARGEST_FILE / 3) * 4 + 4)
    throw new PerchError("MEDIA_TOO_LARGE", `${LARGEST_FILE / 1e6} MB are taken at most`);
  return Buffer.from(base64, "base64");
}
