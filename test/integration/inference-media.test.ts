import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { imageSize } from "../../service/inference/image-size.ts";
import {
  checkJpeg,
  checkWav,
  prepareAudio,
  prepareImage,
  wavOf,
} from "../../service/inference/media-check.ts";
import { ffmpeg, picture, tone } from "../support/engine-media.ts";
import { SQUARE, SQUARE_AND_WIDE } from "../support/image-shapes.ts";

const BUDGET = { kind: "budget", tokens: 70 } as const;
const still = (size: string, codec: string, format: string) =>
  ffmpeg("-f", "lavfi", "-i", `testsrc=s=${size}`, "-frames:v", "1", "-c:v", codec, "-f", format);

const invalid = (message: RegExp) => ({ code: "MEDIA_INVALID", message: expect.stringMatching(message) });

describe("a picture that someone hands in", () => {
  it.each([
    ["JPEG", () => picture(1, 480)],
    ["PNG", () => still("640x360", "png", "image2pipe")],
    ["WebP", () => still("640x360", "libwebp", "image2pipe")],
  ])("may be %s, and becomes a JPEG of the grid's size", async (_, paint) => {
    const jpeg = await prepareImage(paint(), SQUARE);
    expect(imageSize(jpeg)).toEqual({ format: "jpeg", width: 240, height: 240 });
    checkJpeg(jpeg);
  });

  it("takes the grid that is nearest to its aspect, with bars where it is not near", async () => {
    const sized = async (size: string) =>
      imageSize(await prepareImage(still(size, "png", "image2pipe"), SQUARE_AND_WIDE));
    expect(await sized("1280x720")).toMatchObject({ width: 336, height: 192 });
    expect(await sized("480x480")).toMatchObject({ width: 240, height: 240 });
    expect(await sized("480x640")).toMatchObject({ width: 240, height: 240 });
    const wide = await prepareImage(whitePicture("1280x720"), SQUARE_AND_WIDE);
    expect(Math.min(...greys(wide))).toBeGreaterThan(200);
    const tall = greys(await prepareImage(whitePicture("480x640"), SQUARE_AND_WIDE));
    // 30 of the 240 columns on either side are bars.
    expect(tall.filter((grey) => grey < 50).length / tall.length).toBeCloseTo(0.25, 1);
  });

  it("keeps its aspect within a token budget and is never made larger", async () => {
    const large = imageSize(await prepareImage(still("1920x1080", "png", "image2pipe"), BUDGET));
    expect(large).toEqual({ format: "jpeg", width: 536, height: 302 });
    const small = imageSize(await prepareImage(still("64x32", "png", "image2pipe"), BUDGET));
    expect(small).toEqual({ format: "jpeg", width: 64, height: 32 });
  });

  it.each([
    ["empty", () => Buffer.alloc(0), invalid(/is empty/)],
    ["text", () => Buffer.from("#EXTM3U\nfile:///etc/passwd\n".repeat(9)), invalid(/no JPEG, PNG or WebP/)],
    ["a sound", () => tone(440, 1), invalid(/no JPEG, PNG or WebP/)],
    ["cut off", () => picture(1, 480).subarray(0, 3000), invalid(/cannot be decoded/)],
    ["damaged", () => damaged(picture(1, 480)), invalid(/cannot be decoded/)],
    ["tiny", () => still("8x8", "png", "image2pipe"), invalid(/8 x 8 pixels; it takes at least 16 x 16/)],
    [
      "a header of a huge one",
      () => hugePng(),
      { code: "MEDIA_TOO_LARGE", message: expect.stringMatching(/60000 x 60000/) },
    ],
    [
      "too many bytes",
      () => Buffer.alloc(21e6, 1),
      { code: "MEDIA_TOO_LARGE", message: expect.stringMatching(/21.0 MB; 20 MB/) },
    ],
  ])("is refused when it is %s", async (_, make, fault) => {
    await expect(prepareImage(make(), SQUARE)).rejects.toMatchObject(fault);
  });
});

describe("sound that someone hands in", () => {
  it.each([
    ["WAV", ["-f", "wav"]],
    ["MP3", ["-f", "mp3"]],
    ["Ogg", ["-c:a", "libopus", "-f", "ogg"]],
    ["FLAC", ["-f", "flac"]],
    ["WebM", ["-c:a", "libopus", "-f", "webm"]],
  ])("may be %s in stereo, and becomes 16 kHz mono", async (_, how) => {
    const file = ffmpeg("-f", "lavfi", "-i", "sine=d=1:r=48000", "-ac", "2", ...how);
    const wav = await prepareAudio(file);
    checkWav(wav);
    expect((wav.length - 44) / 32_000).toBeGreaterThan(0.9);
    expect((wav.length - 44) / 32_000).toBeLessThan(1.2);
  });

  it.each([
    ["empty", () => Buffer.alloc(0), invalid(/is empty/)],
    ["a WAV without samples", () => oneSample(0), invalid(/cannot be decoded|0.000 s long/)],
    ["a WAV of one sample", () => oneSample(1), invalid(/0.000 s long; it takes at least 0.1 s/)],
    ["a picture", () => picture(), invalid(/cannot be decoded/)],
    ["text", () => Buffer.from("nothing to hear".repeat(99)), invalid(/cannot be decoded/)],
    [
      "too long",
      () => ffmpeg("-f", "lavfi", "-i", "sine=d=40:r=8000", "-f", "wav"),
      { code: "MEDIA_TOO_LARGE", message: expect.stringMatching(/longer than 30 s/) },
    ],
  ])("is refused when it is %s", async (_, make, fault) => {
    await expect(prepareAudio(make())).rejects.toMatchObject(fault);
  });
});

describe("media of our own on the way to the engine", () => {
  it("are refused when a clip is too short or a frame is cut off", () => {
    expect(() => wavOf(new Int16Array(1))).toThrow(/0.000 s long/);
    expect(() => checkWav(oneSample(1))).toThrow(/0.000 s long/);
    expect(() => checkWav(Buffer.alloc(0))).toThrow(/no WAV/);
    expect(() => checkJpeg(picture().subarray(0, -20))).toThrow(/cut off/);
    expect(() => checkJpeg(Buffer.alloc(500))).toThrow(/no JPEG/);
    checkJpeg(picture());
    checkWav(tone(440, 0.1));
  });
});

const whitePicture = (size: string): Buffer =>
  ffmpeg("-f", "lavfi", "-i", `color=white:s=${size}`, "-frames:v", "1", "-f", "mjpeg");

/** Luma of every pixel, 0 to 255. */
const greys = (jpeg: Buffer): Buffer =>
  execFileSync("ffmpeg", ["-v", "error", "-i", "pipe:0", "-f", "rawvideo", "-pix_fmt", "gray", "pipe:1"], {
    input: jpeg,
  });

function damaged(jpeg: Buffer): Buffer {
  const copy = Buffer.from(jpeg);
  for (let index = Math.floor(copy.length / 2); index < copy.length - 400; index += 1)
    copy[index] = index % 251;
  return copy;
}

function hugePng(): Buffer {
  const png = still("16x16", "png", "image2pipe");
  png.writeUInt32BE(60_000, 16);
  png.writeUInt32BE(60_000, 20);
  return png;
}

function oneSample(count: number): Buffer {
  const wav = tone(440, 0.1).subarray(0, 44 + count * 2);
  wav.writeUInt32LE(36 + count * 2, 4);
  wav.writeUInt32LE(count * 2, 40);
  return Buffer.from(wav);
}
