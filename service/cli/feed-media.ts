import type { Config } from "../contract/config.ts";
import { RunningService, refusalOf } from "./service.ts";
import { UsageError } from "./usage.ts";

/** Seconds that a microphone is listened to: what the model hears well. */
const SECONDS = 5;

/** What a feed gave. */
export interface FeedMedia {
  readonly kind: "camera" | "microphone";
  readonly bytes: Buffer;
}

/**
 * What a feed of the running service gives now: of a camera the newest picture, as the model gets it, of a microphone
 * the next 5 s. Throws UsageError where there is no such feed, PerchError with the service's own words.
 */
export async function feedMedia(config: Config, id: string, signal: AbortSignal): Promise<FeedMedia> {
  const feed = config.feeds.find((one) => one.id === id);
  if (!feed) {
    const ids = config.feeds.map((one) => one.id).join(", ");
    throw new UsageError(`there is no feed ${id}; the configuration has ${ids === "" ? "none" : ids}`);
  }
  const { kind } = feed;
  if (kind === "microphone" && process.stderr.isTTY)
    process.stderr.write(`Listening to ${id} for ${SECONDS} s …\n`);
  const what = kind === "camera" ? "snapshot.jpg" : `clip.wav?seconds=${SECONDS}`;
  const response = await new RunningService(config).ask(`/api/feeds/${id}/${what}`, { signal });
  if (!response.ok) throw await refusalOf(response);
  return { kind, bytes: Buffer.from(await response.arrayBuffer()) };
}
