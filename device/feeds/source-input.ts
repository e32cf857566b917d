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
 */
export function sourceInput(feed: CameraFeed | MicrophoneFeed): SourceInput {
  const { source } = feed;
  const [scheme = "", rest = ""] = split(source);
  if (scheme === "file") return { args: fileArgs(feed, rest) };
  if (scheme === "v4l2") return { args: ["-f", "v4l2", "-i", rest] };
  if (scheme === "alsa") return { args: [...soundDevice("alsa"), "-i", rest] };
  // Unasked, PulseAudio hands sound over in pieces of up to two seconds. 40 ms, in bytes:
  if (scheme === "pulse")
    return { args: [...soundDevice("pulse"), "-fragment_size", String((SAMPLE_RATE / 25) * 2), "-i", rest] };
  return networkInput(feed);
}

function networkInput(feed: CameraFeed | MicrophoneFeed): SourceInput {
  const address = fullAddress(feed.source, feed);
  const rtsp = /^rtsps?:/.test(feed.source);
  const url = rtsp ? `${address}${address.includes("?") ? "&" : "?"}${feed.transport}` : address;
  return {
    args: [
      // MJPEG over HTTP carries no times.
      ...(rtsp ? [] : ["-use_wallclock_as_timestamps", "1"]),
      ...["-fflags", "nobuffer"],
      ...[
        "-f",
        "concat",
        "-safe",
        "0",
        "-protocol_whitelist",
        "pipe,rtsp,rtsps,rtp,srtp,udp,tcp,tls,http,https",
      ],
      ...["-i", "pipe:0"],
    ],
    script: `ffconcat version 1.0\nfile '${url}'\n`,
  };
}

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
