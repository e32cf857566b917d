import type { CameraFeed, MicrophoneFeed } from "../../service/contract/config-feeds.ts";
import { isNetworkSource, redact, shownAddress } from "./address.ts";

type Feed = CameraFeed | MicrophoneFeed;

/** What a text of ffmpeg's or Node's means, and what to do; `at` is the address as it may be shown. */
const NETWORK: readonly (readonly [RegExp, (at: string) => string])[] = [
  [
    /\b401\b|authorization failed/i,
    (at) => `wrong user or password for ${at}: set the feed's user and password`,
  ],
  [/\b403\b|forbidden/i, (at) => `${at} forbids it: give the feed's user the right to view`],
  [/\b404\b|not found/i, (at) => `${at} has no such stream: check the path in the feed's source`],
  [
    /ECONNREFUSED|connection refused/i,
    (at) => `nothing answers at ${at} (connection refused): check that it is on, and the port`,
  ],
  [
    /EHOSTUNREACH|ENETUNREACH|no route to host|unreachable/i,
    (at) => `${at} cannot be reached: check its cable and the network`,
  ],
  [
    /ENOTFOUND|EAI_AGAIN|failed to resolve|name or service not known/i,
    (at) => `the host of ${at} has no address: check its name, or write its IP address`,
  ],
  [/ETIMEDOUT|timed? ?out/i, (at) => `${at} did not answer in time: check that it is on`],
  [
    /certificate|self.signed|\btls\b/i,
    (at) => `${at} could not be reached securely: its certificate is not trusted`,
  ],
  [/ECONNRESET|connection reset|broken pipe|other side closed/i, (at) => `${at} closed the connection`],
];

const CAMERA_DEVICE: typeof NETWORK = [
  [/no such file|no such device/i, (at) => `no such device ${at}: is the camera plugged in?`],
  [/permission denied/i, (at) => `may not open ${at}: add the user to the video group`],
  [/resource busy/i, (at) => `${at} is in use by another program`],
];

const SOUND_DEVICE: typeof NETWORK = [
  [/resource busy/i, (at) => `the sound device ${at} is in use by another program`],
  [/permission denied/i, (at) => `may not open the sound device ${at}: add the user to the audio group`],
  [/unknown input format/i, () => "this ffmpeg was built without that kind of sound device"],
  [
    /connection refused|no such process/i,
    (at) => `no PulseAudio server answers for ${at}: is it running for this user?`,
  ],
  [/cannot open|no such|unknown pcm/i, (at) => `no such sound device ${at}: is the microphone plugged in?`],
];

const FILE: typeof NETWORK = [
  [/no such file|is a directory/i, (at) => `file not found: ${at}`],
  [/permission denied/i, (at) => `may not read ${at}: give the user the right to read it`],
];

const MEDIA: typeof NETWORK = [
  [/matches no streams|does not contain any stream/i, (at) => `${at} holds none of what the feed needs`],
  [
    /invalid data|moov atom|could not find codec|unspecified size/i,
    (at) => `${at} sends nothing that can be decoded`,
  ],
  [
    /hwaccel|unknown decoder|device creation failed|no device available/i,
    () => "the feed's hardware decoder does not work here: set hardware: none",
  ],
];

/**
 * Why a child of a feed ended, for whoever runs the box, without secrets.
 *
 * @param texts lines of ffmpeg's standard error, or messages of errors, oldest first
 */
export function faultReason(feed: Feed, texts: readonly string[], otherwise: string): string {
  const at = shownAddress(feed.source);
  const all = texts.join("\n");
  for (const [pattern, words] of [...tableOf(feed.source), ...MEDIA]) if (pattern.test(all)) return words(at);
  const last = texts.at(-1);
  return last === undefined ? otherwise : `${otherwise}: ${redact(last, feed.source, feed)}`;
}

function tableOf(source: string): typeof NETWORK {
  if (isNetworkSource(source)) return NETWORK;
  if (source.startsWith("v4l2:")) return CAMERA_DEVICE;
  return source.startsWith("file:") ? FILE : SOUND_DEVICE;
}
