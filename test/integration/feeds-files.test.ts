import { writeFile } from "node:fs/promises";
import { createCanvas, loadImage } from "@napi-rs/canvas";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createFfmpegFeed, isFileEnded } from "../../device/feeds/ffmpeg-feed.ts";
import type { CameraFeed, MicrophoneFeed } from "../../service/contract/config-feeds.ts";
import type { FeedSource } from "../../service/contract/feed-source.ts";
import type { ImageShape } from "../../service/contract/models.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { cameraFeed, FeedRecorder, microphoneFeed } from "../support/feed-recorder.ts";
import { SQUARE, SQUARE_AND_WIDE } from "../support/image-shapes.ts";
import { MediaFolder } from "../support/media-fixtures.ts";

let media: MediaFolder;
let video: string;
const started: FeedSource[] = [];

beforeAll(async () => {
  media = await MediaFolder.create();
  video = await media.risingVideo("rising.mp4", 40, { fps: 20, size: "640x360" });
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((source) => source.stop()));
});
afterAll(() => media.remove());

function play(feed: CameraFeed | MicrophoneFeed, image: ImageShape = SQUARE) {
  const recorder = new FeedRecorder();
  const metrics = new Metrics();
  const options = { image, sink: recorder, clock: systemClock, logger: silentLogger, metrics };
  const source = createFfmpegFeed(feed, options);
  started.push(source);
  source.start();
  return { recorder, source, metrics };
}

/** Width and height in a JPEG's frame header. */
function sizeOf(jpeg: Buffer): [number, number] {
  const at = jpeg.indexOf(Buffer.from([0xff, 0xc0]));
  return [jpeg.readUInt16BE(at + 7), jpeg.readUInt16BE(at + 5)];
}

test("a video file gives its frames at the feed's rate, then is offline because it ended, with no child left", async () => {
  const { recorder, source } = play(cameraFeed(`file:${video}`, { realtime: false }));
  const ended = await recorder.state("offline");
  expect(recorder.statuses.map(({ state }) => state)).toEqual(["starting", "live", "offline"]);
  expect(ended.reason).toBe("the file ended");
  expect(isFileEnded(ended)).toBe(true);
  // Two seconds at 5 a second.
  expect(recorder.frames.length).toBeGreaterThanOrEqual(10);
  expect(recorder.frames.length).toBeLessThanOrEqual(11);
  expect(source.pid).toBeUndefined();
});

test("a grid is filled with the letterboxed picture, while luma shows the picture without its bars", async () => {
  const { recorder } = play(cameraFeed(`file:${video}`, { realtime: false }));
  await recorder.until(() => recorder.frames.length > 0);
  const [frame] = recorder.frames;
  expect(frame && sizeOf(frame.jpeg)).toEqual([240, 240]);
  expect(frame?.luma.data.length).toBe(64 * 36);
  // Grey 16 is black; were the bars in it, they would be the same. A later frame is not black anywhere.
  await recorder.until(() => recorder.frames.length > 5);
  const later = recorder.frames[5]?.luma.data ?? new Uint8Array();
  expect(Math.min(...later)).toBeGreaterThan(60);
});

const sources: [string, [number, number], string][] = [
  ["640x360", [336, 192], "without bars"],
  ["352x288", [240, 240], "with bars"],
  ["480x480", [240, 240], "without bars"],
  ["1280x360", [336, 192], "with bars"],
];
for (const [size, expected, bars] of sources)
  test(`of two grids a ${size} picture takes ${expected.join(" x ")}, ${bars}`, async () => {
    const path = await media.risingVideo(`${size}.mp4`, 12, { fps: 5, size, step: 15 });
    const { recorder } = play(cameraFeed(`file:${path}`, { realtime: false }), SQUARE_AND_WIDE);
    await recorder.state("offline");
    expect(recorder.frames.map(({ jpeg }) => sizeOf(jpeg))).toEqual(Array(12).fill(expected));
    const light = await loadImage(recorder.frames[11]?.jpeg ?? "");
    const canvas = createCanvas(light.width, light.height);
    const context = canvas.getContext("2d");
    context.drawImage(light, 0, 0);
    const corner = context.getImageData(0, 0, 1, 1).data[0] ?? 0;
    expect(corner > 150).toBe(bars === "without bars");
  });

const budgets: [number, string, [number, number]][] = [
  [280, "1280x720", [1056, 576]],
  [70, "640x480", [432, 336]],
  [70, "480x640", [336, 432]],
];
for (const [tokens, size, expected] of budgets)
  test(`a budget of ${tokens} tokens makes a ${size} picture ${expected.join(" x ")}`, async () => {
    const path = await media.risingVideo(`${size}-${tokens}.mp4`, 2, { fps: 5, size });
    const { recorder } = play(cameraFeed(`file:${path}`, { realtime: false }), { kind: "budget", tokens });
    await recorder.state("offline");
    expect(recorder.frames.map(({ jpeg }) => sizeOf(jpeg))).toEqual([expected, expected]);
  });

test("each JPEG comes with the luma of the same moment", async () => {
  const { recorder } = play(cameraFeed(`file:${video}`, { realtime: false, fps: 20 }));
  await recorder.state("offline");
  // The video's grey rises with every frame, and so must the brightness that both forms show.
  const greys = recorder.frames.map(({ luma }) => luma.data[64 * 18 + 32] ?? 0);
  expect(greys).toEqual([...greys].sort((a, b) => a - b));
  expect(new Set(greys).size).toBe(40);
  expect(new Set(recorder.frames.map(({ jpeg }) => jpeg.toString("base64"))).size).toBe(40);
});

test("a camera slower than the feed's rate has no picture repeated", async () => {
  const slow = await media.risingVideo("slow.mp4", 4, { fps: 2, size: "320x240", step: 30 });
  const { recorder } = play(cameraFeed(`file:${slow}`, { realtime: false, fps: 10 }));
  await recorder.state("offline");
  expect(recorder.frames).toHaveLength(4);
});

test("a looped file goes on after its end", async () => {
  const { recorder } = play(cameraFeed(`file:${video}`, { realtime: false, loop: true }));
  await recorder.until(() => recorder.frames.length > 30);
  expect(recorder.statuses.map(({ state }) => state)).toEqual(["starting", "live"]);
});

test("a WAV file of any rate becomes 16 kHz mono in 20 ms pieces with times counted in samples", async () => {
  const path = await media.tone("tone.wav", 1, 44_100);
  const { recorder } = play(microphoneFeed(`file:${path}`, { realtime: false }));
  expect((await recorder.state("offline")).reason).toBe("the file ended");
  expect(recorder.samples.length).toBeGreaterThan(15_900);
  expect(recorder.samples.length).toBeLessThanOrEqual(16_000);
  expect(recorder.sounds.slice(0, -1).every(({ samples }) => samples.length === 320)).toBe(true);
  const times = recorder.sounds.map(({ at }) => at);
  expect((times[10] ?? 0) - (times[0] ?? 0)).toBeCloseTo(200, 3);
  expect(Math.max(...recorder.samples)).toBeGreaterThan(3000);
});

test("a WAV file without samples ends without any sound", async () => {
  const path = await media.tone("empty.wav", 0);
  const { recorder } = play(microphoneFeed(`file:${path}`, { realtime: false }));
  const ended = await recorder.state("offline");
  expect(ended.reason).toBe("the file ended without any sound");
  expect(isFileEnded(ended)).toBe(true);
});

test("a WAV file of one sample gives that sample", async () => {
  const path = await media.tone("one.wav", 1 / 16_000);
  const { recorder } = play(microphoneFeed(`file:${path}`, { realtime: false }));
  expect((await recorder.state("offline")).reason).toBe("the file ended");
  expect(recorder.samples).toHaveLength(1);
});

test("a file that is not there is offline, and live when it comes", async () => {
  const path = media.file("late.wav");
  const { recorder } = play(microphoneFeed(`file:${path}`));
  expect((await recorder.state("offline")).reason).toBe(`file not found: ${path}`);
  await media.tone("late.wav", 2);
  await recorder.state("live");
});

test("a file that is no video is offline with a reason", async () => {
  const path = media.file("words.mp4");
  await writeFile(path, "no video at all\n".repeat(100));
  const { recorder } = play(cameraFeed(`file:${path}`));
  expect((await recorder.state("offline")).reason).toContain("nothing that can be decoded");
});

test("a video without sound is no microphone", async () => {
  const { recorder } = play(microphoneFeed(`file:${video}`));
  expect((await recorder.state("offline")).reason).toContain("holds none of what the feed needs");
});

test("a feed that is switched off is disabled and has no child", () => {
  const { recorder, source } = play(cameraFeed(`file:${video}`, { enabled: false }));
  expect(recorder.statuses.map(({ state }) => state)).toEqual(["disabled"]);
  expect(source.pid).toBeUndefined();
});
