import type { CameraFeed, MicrophoneFeed } from "../../service/contract/config-feeds.ts";
import type { FeedSource } from "../../service/contract/feed-source.ts";
import { type CameraOptions, FfmpegCamera } from "./camera.ts";
import { FfmpegMicrophone } from "./microphone.ts";
import { SnapshotCamera } from "./snapshot-camera.ts";

export { FILE_ENDED, isFileEnded } from "./feed-child.ts";
export type FfmpegFeedOptions = CameraOptions;

/** The source of any feed but a simulated one (`sim:`). */
export function createFfmpegFeed(feed: CameraFeed | MicrophoneFeed, options: FfmpegFeedOptions): FeedSource {
  if (feed.kind === "microphone") return new FfmpegMicrophone(feed, options);
  const snapshots = feed.http === "snapshot" && /^https?:/.test(feed.source);
  return snapshots ? new SnapshotCamera(feed, options) : new FfmpegCamera(feed, options);
}
