import type { CameraFeed, MicrophoneFeed } from "../../service/contract/config-feeds.ts";
import { SAMPLE_RATE } from "../../service/contract/media.ts";
import { fullAddress } from "./address.ts";

/** How a child opens a source: arguments up to and with -i, and what it reads from standard input. */
export interface SourceInput {
  readonly args: readonly string[];
  readonly script?: string;
}

/**
 * Arguments by the source's scheme. A network address goes to the child as a one-line ffconcat script on
 * standard input: it may hold user and password, and arguments stand in every process list.
 *
 * @param oldFfmpeg ffmpeg 4, whose ffconcat knows no options: it takes seconds longer to begin
 */
export function sourceInput(feed: CameraFeed | MicrophoneFeed, oldFfmpeg: boolean): SourceInput {
  const { source } = feed;
  const [scheme = "", rest = ""] = split(source);
  if (scheme === "file") return { args: fileArgs(feed, rest) };
  if (scheme === "v4l2") return { args: ["-f", "v4l2", "-i", rest] };
  if (scheme === "alsa") return { args: [...soundDevice("alsa"), "-i", rest] };
  // Unasked, PulseAudio hands sound over in pieces of up to two seconds. 40 ms, in bytes:
  if (scheme === "pulse")
    return { args: [...soundDevice("pulse"), "-fragment_size", String((SAMPLE_RATE / 25) * 2), "-i", rest] };
  return networkInput(feed, oldFfmpeg);
}

function networkInput(feed: CameraFeed | MicrophoneFeed, oldFfmpeg: boolean): SourceInput {
  const address = fullAddress(feed.source, feed);
  const rtsp = /^rtsps?:/.test(feed.source);
  // "?tcp" is ffmpeg's own, and not sent to the camera; of all versions' ways to say it in a script the only one.
  const url = rtsp ? `${address}${address.includes("?") ? "&" : "?"}${feed.transport}` : address;
  const media = feed.kind === "camera" ? "video" : "audio";
  // Nothing here needs the rate of the frames, and to guess it takes ffmpeg three seconds.
  const options = ["fpsprobesize 0", ...(rtsp ? [`allowed_media_types ${media}`] : [])];
  const lines = [
    "ffconcat version 1.0",
    `file '${url}'`,
    ...(oldFfmpeg ? [] : options.map((option) => `option ${option}`)),
  ];
  return {
    args: [
      // MJPEG over HTTP carries no times.
      ...(rtsp ? [] : ["-use_wallclock_as_timestamps", "1"]),
      ...["-fflags", "nobuffer", "-fpsprobesize", "0"],
      ...["-f", "concat", "-safe", "0", "-protocol_whitelist", PROTOCOLS],
      ...["-i", "pipe:0"],
    ],
    script: `${lines.join("\n")}\n`,
  };
}

/** What an address may lead to: never to a file. */
const PROTOCOLS = "pipe,rtsp,rtsps,rtp,srtp,udp,tcp,tls,http,https";

function fileArgs(feed: CameraFeed | MicrophoneFeed, path: string): string[] {
  return [
    ...(feed.loop ? ["-stream_loop", "-1"] : []),
    ...(feed.realtime ? ["-re"] : []),
    "-i",
    `file:${path}`,
  ];
}

const soundDevice = (format: string): string[] => [
  ...["-f", format, "-channels", "1", "-sample_rate", String(SAMPLE_RATE)],
];

function split(source: string): [string, string] {
  const colon = source.indexOf(":");
  return [source.slice(0, colon), source.slice(colon + 1)];
}
