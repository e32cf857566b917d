import type { CameraFeed } from "../../service/contract/config-feeds.ts";
import type { FeedSource, FeedStatus } from "../../service/contract/feed-source.ts";
import type { Luma } from "../../service/contract/media.ts";
import type { ImageShape } from "../../service/contract/models.ts";
import type { ChildSpec, RunningChild } from "../../service/kernel/supervised-process.ts";
import { FeedChild, type FeedOptions, silenceOf } from "./feed-child.ts";
import { FramePairs } from "./frame-pairs.ts";
import { cameraFilter, fitsShape } from "./image-filter.ts";
import { sourceInput } from "./source-input.ts";

/** Bytes of one picture at most; a 1120-token picture at this quality has well under one million. */
const MAX_JPEG = 4_000_000;

export interface CameraOptions extends FeedOptions {
  readonly image: ImageShape;
}

/** A camera that ffmpeg reads by itself: device, RTSP, MJPEG over HTTP, or a file. */
export class FfmpegCamera implements FeedSource {
  readonly id: string;
  private readonly child: FeedChild;

  constructor(feed: CameraFeed, options: CameraOptions) {
    this.id = feed.id;
    this.child = new FeedChild({
      ...options,
      feed,
      silence: silenceOf(feed, 1000 / feed.fps),
      output: "picture",
      args: (oldFfmpeg) => {
        const { args, script } = sourceInput(feed, oldFfmpeg);
        const spec = cameraSpec(feed, options.image, args);
        return script === undefined ? spec : { ...spec, input: script };
      },
      attach: (child, alive) => attachFrames(feed, options, child, alive),
    });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }
  status(): FeedStatus {
    return this.child.status();
  }
  start(): void {
    this.child.start();
  }
  stop(): Promise<void> {
    return this.child.stop();
  }
}

/**
 * Arguments of a camera's child: one decode, JPEG pictures on standard output, luma frames on descriptor 3.
 * One thread each: more of them cost more in all, and frame threads hold pictures back.
 */
export function cameraSpec(
  feed: CameraFeed,
  image: ImageShape,
  input: readonly string[],
): Omit<ChildSpec, "command" | "env"> {
  return {
    args: [
      ...["-hide_banner", "-loglevel", "error", "-nostats"],
      ...["-filter_complex_threads", "1"],
      ...decoder(feed),
      ...input,
      ...["-filter_complex", cameraFilter(feed.fps, image)],
      // -vsync 0 rather than -fps_mode: ffmpeg 4.4 of Ubuntu 22.04 (JetPack 6) knows no other.
      ...[
        "-map",
        "[jpeg]",
        "-c:v",
        "mjpeg",
        "-q:v",
        "5",
        "-huffman",
        "default",
        "-threads",
        "1",
        "-vsync",
        "0",
      ],
      ...["-flush_packets", "1", "-f", "image2pipe", "pipe:1"],
      ...["-map", "[luma]", "-c:v", "rawvideo", "-threads", "1", "-vsync", "0"],
      ...["-flush_packets", "1", "-f", "rawvideo", "pipe:3"],
    ],
    extraPipes: 1,
  };
}

function decoder(feed: CameraFeed): string[] {
  switch (feed.hardware) {
    case "none":
      return ["-threads", "1"];
    case "v4l2m2m":
    case "nvv4l2dec":
      return ["-c:v", `h264_${feed.hardware}`];
    default:
      return ["-threads", "1", "-hwaccel", feed.hardware];
  }
}

/** Hands the child's frames to the sink, stamped as they arrive. */
export function attachFrames(
  feed: CameraFeed,
  options: CameraOptions,
  child: RunningChild,
  alive: () => void,
): void {
  const { sink, clock, metrics, logger, image } = options;
  const [lumaPipe] = child.extra;
  if (!lumaPipe) throw new Error("the camera's child was started without its luma pipe");
  new FramePairs(child.stdout, lumaPipe, {
    maxBytes: MAX_JPEG,
    accepts: (width, height) => fitsShape(image, width, height),
    invalid(reason) {
      metrics.drop("frame_invalid");
      logger.debug({ feed: feed.id }, `${feed.id}: dropped ${reason}`);
    },
    pair(jpeg: Buffer, luma: Luma) {
      alive();
      sink.frame({ feed: feed.id, at: clock.now(), jpeg, luma });
    },
  });
}
