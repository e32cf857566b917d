import { PATCH, SAMPLE_RATE } from "../contract/media.ts";
import type { ImageShape } from "../contract/models.ts";
import { PerchError } from "../kernel/errors.ts";
import { gridFilter } from "../kernel/grid-filter.ts";
import { runFfmpeg } from "./ffmpeg-once.ts";
import { imageSize, type PictureSize } from "./image-size.ts";

/** Largest file that is taken, bytes. */
export const LARGEST_FILE = 20e6;
/** Width and height of a picture, pixels. */
const EDGE = { least: 16, most: 8192 } as const;
/** Length of sound, seconds: a shorter WAV aborts llama-server, a longer one the model does not take. */
const LENGTH = { least: 0.1, most: 30 } as const;
const WAV_HEADER = 44;
/** What ffmpeg may take a sound file for: formats that name no other files. */
export const SOUND_FORMATS = "wav,w64,aiff,mp3,ogg,flac,aac,mov,matroska,amr";

/**
 * A picture that someone handed in (JPEG, PNG or WebP), decoded and encoded anew as a JPEG of the
 * level's size: put on the nearest grid as a camera's is, or scaled down to a token budget with its aspect
 * kept. Rejects with MEDIA_INVALID or MEDIA_TOO_LARGE.
 */
export async function prepareImage(bytes: Buffer, shape: ImageShape): Promise<Buffer> {
  refuseSize(bytes, "picture");
  const size = imageSize(bytes);
  if (!size) throw new PerchError("MEDIA_INVALID", "this is no JPEG, PNG or WebP picture that can be read");
  refuseEdges(size);
  const jpeg = await runFfmpeg(
    [
      // A picture that is broken in part is broken. (A WAV that was streamed has a wrong length, and is not.)
      ...["-xerror", "-err_detect", "explode"],
      ...["-f", `${size.format}_pipe`, "-i", "pipe:0", "-frames:v", "1"],
      ...["-vf", sizing(size, shape)],
      ...["-q:v", "3", "-f", "mjpeg", "pipe:1"],
    ],
    bytes,
    { what: "picture" },
  );
  checkJpeg(jpeg);
  return jpeg;
}

/**
 * Sound that someone handed in (WAV, MP3, Ogg, FLAC, M4A, WebM …), as 16 kHz mono WAV. Rejects with
 * MEDIA_INVALID or MEDIA_TOO_LARGE.
 */
export async function prepareAudio(bytes: Buffer): Promise<Buffer> {
  refuseSize(bytes, "sound file");
  const pcm = await runFfmpeg(
    [
      ...["-format_whitelist", SOUND_FORMATS, "-i", "pipe:0"],
      ...["-vn", "-sn", "-dn", "-map", "0:a:0", "-t", String(LENGTH.most + 1)],
      ...["-ac", "1", "-ar", String(SAMPLE_RATE), "-f", "s16le", "pipe:1"],
    ],
    bytes,
    { what: "sound file" },
  );
  // A copy, because samples must begin at an even address.
  const samples = new Int16Array(new Uint8Array(pcm.subarray(0, pcm.length & ~1)).buffer);
  if (samples.length > LENGTH.most * SAMPLE_RATE)
    throw new PerchError("MEDIA_TOO_LARGE", `the sound is longer than ${LENGTH.most} s; cut it`);
  return wavOf(samples);
}

/** A WAV file of samples (mono, 16 kHz). Throws MEDIA_INVALID below 0.1 s: so short a sound aborts the engine. */
export function wavOf(samples: Int16Array): Buffer {
  const seconds = samples.length / SAMPLE_RATE;
  if (seconds < LENGTH.least) {
    throw new PerchError(
      "MEDIA_INVALID",
      `the sound is ${seconds.toFixed(3)} s long; it takes at least ${LENGTH.least} s`,
    );
  }
  const data = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
  return Buffer.concat([wavHeader(data.length), data]);
}

/** What goes before so many bytes of samples in a WAV file (mono, 16 kHz, signed 16 bit). */
export function wavHeader(bytes: number): Buffer {
  const header = Buffer.alloc(WAV_HEADER);
  header.write("RIFF", 0, "latin1");
  header.writeUInt32LE(WAV_HEADER - 8 + bytes, 4);
  header.write("WAVEfmt ", 8, "latin1");
  header.writeUInt32LE(16, 16);
  // PCM, one channel.
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(SAMPLE_RATE, 24);
  header.writeUInt32LE(SAMPLE_RATE * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write("data", 36, "latin1");
  header.writeUInt32LE(bytes, 40);
  return header;
}

/**
 * Whether bytes of our own encoder are a whole JPEG: its start, a frame header with a size that can be,
 * and its end. Throws MEDIA_INVALID; does not decode.
 */
export function checkJpeg(bytes: Buffer): void {
  const size = imageSize(bytes);
  if (size?.format !== "jpeg") throw new PerchError("MEDIA_INVALID", "the picture is no JPEG");
  refuseEdges(size);
  // Some encoders fill up with zeros after the end marker.
  let end = bytes.length;
  while (end > 2 && bytes[end - 1] === 0) end -= 1;
  if (bytes[end - 2] !== 0xff || bytes[end - 1] !== 0xd9)
    throw new PerchError("MEDIA_INVALID", "the JPEG is cut off: its end marker is missing");
}

/** Throws what is wrong with a WAV file that goes to the engine: it must be what wavOf makes. */
export function checkWav(bytes: Buffer): void {
  const isOurs =
    bytes.length > WAV_HEADER &&
    bytes.toString("latin1", 0, 4) === "RIFF" &&
    bytes.toString("latin1", 8, 16) === "WAVEfmt " &&
    bytes.readUInt16LE(20) === 1 &&
    bytes.readUInt16LE(22) === 1 &&
    bytes.readUInt32LE(24) === SAMPLE_RATE &&
    bytes.readUInt16LE(34) === 16 &&
    bytes.toString("latin1", 36, 40) === "data";
  if (!isOurs) throw new PerchError("MEDIA_INVALID", "the sound is no WAV of 16 kHz, mono, 16 bit");
  const seconds = Math.min(bytes.readUInt32LE(40), bytes.length - WAV_HEADER) / 2 / SAMPLE_RATE;
  if (seconds < LENGTH.least || seconds > LENGTH.most) {
    throw new PerchError(
      "MEDIA_INVALID",
      `the sound is ${seconds.toFixed(3)} s long; it takes ${LENGTH.least} to ${LENGTH.most} s`,
    );
  }
}

function refuseSize(bytes: Buffer, what: string): void {
  if (bytes.length === 0) throw new PerchError("MEDIA_INVALID", `the ${what} is empty`);
  if (bytes.length > LARGEST_FILE) {
    const found = (bytes.length / 1e6).toFixed(1);
    throw new PerchError(
      "MEDIA_TOO_LARGE",
      `the ${what} has ${found} MB; ${LARGEST_FILE / 1e6} MB are taken`,
    );
  }
}

function refuseEdges({ width, height }: PictureSize): void {
  if (Math.min(width, height) < EDGE.least)
    throw new PerchError(
      "MEDIA_INVALID",
      `the picture has ${width} x ${height} pixels; it takes at least ${EDGE.least} x ${EDGE.least}`,
    );
  if (Math.max(width, height) > EDGE.most)
    throw new PerchError(
      "MEDIA_TOO_LARGE",
      `the picture has ${width} x ${height} pixels; ${EDGE.most} x ${EDGE.most} are taken at most`,
    );
}

/** Fills a grid, or what a budget's patches cover at the picture's aspect; that never larger than it is. */
function sizing({ width, height }: PictureSize, shape: ImageShape): string {
  if (shape.kind === "grid") {
    const { scale, pad } = gridFilter(shape.grids, "area");
    return `${scale},format=yuvj420p,${pad}`;
  }
  const scale = Math.min(1, Math.sqrt((shape.tokens * PATCH * PATCH) / (width * height)));
  const edge = (pixels: number) => Math.max(EDGE.least, Math.round((pixels * scale) / 2) * 2);
  return `scale=${edge(width)}:${edge(height)}:flags=area,format=yuvj420p`;
}
