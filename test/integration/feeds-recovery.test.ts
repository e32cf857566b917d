import { existsSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createFfmpegFeed } from "../../device/feeds/ffmpeg-feed.ts";
import type { CameraFeed } from "../../service/contract/config-feeds.ts";
import { type Clock, systemClock } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { cameraFeed, FeedRecorder, microphoneFeed } from "../support/feed-recorder.ts";
import { sendMjpeg, startHttpCamera } from "../support/http-camera.ts";
import { hurriedClock } from "../support/hurried-clock.ts";
import { SQUARE } from "../support/image-shapes.ts";
import { MediaFolder } from "../support/media-fixtures.ts";

let media: MediaFolder;
let video: string;
let picture: Buffer;
const cleanups: (() => Promise<void>)[] = [];

beforeAll(async () => {
  media = await MediaFolder.create();
  video = await media.risingVideo("rising.mp4", 50, { fps: 10, size: "320x180" });
  picture = await media.picture("grey.jpg", 128);
});
afterAll(() => media.remove());
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function play(feed: CameraFeed, clock: Clock = systemClock, ffmpeg = "ffmpeg") {
  const recorder = new FeedRecorder();
  const metrics = new Metrics();
  const source = createFfmpegFeed(feed, {
    image: SQUARE,
    sink: recorder,
    clock,
    logger: silentLogger,
    metrics,
    ffmpeg,
  });
  cleanups.push(() => source.stop());
  source.start();
  return { recorder, source, metrics };
}

/** A camera that sends so many pictures to each client and then keeps the connection open in silence. */
async function fallsSilent(pictures = 12) {
  let clients = 0;
  const server = await startHttpCamera((_, response: ServerResponse) => {
    clients += 1;
    let left = pictures;
    const stop = new AbortController();
    sendMjpeg(
      response,
      () => {
        left -= 1;
        if (left <= 0) stop.abort();
        return picture;
      },
      50,
      stop.signal,
    );
  });
  cleanups.push(() => server.stop());
  return { url: server.url, clients: () => clients };
}

test("a killed child is started again, and the feed says what happened", async () => {
  const { recorder, source, metrics } = play(cameraFeed(`file:${video}`, { loop: true }));
  await recorder.state("live");
  const first = source.pid ?? 0;
  process.kill(first, "SIGKILL");
  expect((await recorder.state("offline")).reason).toBe("ffmpeg was ended by SIGKILL: starting it again");
  await recorder.until(() => recorder.statuses.at(-1)?.state === "live");
  expect(source.pid).not.toBe(first);
  expect(await metrics.total(metrics.restarts)).toBe(1);
});

test("a camera that stalls is started again", async () => {
  const camera = await fallsSilent();
  const { recorder } = play(cameraFeed(`${camera.url}/stream`), hurriedClock(4));
  const stalled = await recorder.state("stalled");
  expect(stalled.reason).toBe("no picture for 10 s: trying again");
  await recorder.until(() => recorder.statuses.at(-1)?.state === "live");
  expect(camera.clients()).toBeGreaterThan(1);
});

test("a camera that may be idle is left alone in its silence", async () => {
  const camera = await fallsSilent();
  const clock = new FakeClock();
  const { recorder, source } = play(cameraFeed(`${camera.url}/stream`, { idle: true }), clock);
  await recorder.state("live");
  const child = source.pid;
  clock.advance(24 * 3_600_000);
  expect(recorder.statuses.at(-1)?.state).toBe("live");
  expect(source.pid).toBe(child);
  expect(camera.clients()).toBe(1);
});

test("a file that ended is not started again, however long it is over", async () => {
  const clock = new FakeClock();
  const { recorder, source } = play(cameraFeed(`file:${video}`, { realtime: false }), clock);
  await recorder.state("offline");
  clock.advance(24 * 3_600_000);
  expect(source.pid).toBeUndefined();
  expect(recorder.statuses.at(-1)?.reason).toBe("the file ended");
});

test("where ffmpeg is not installed the feed says so", async () => {
  const { recorder } = play(cameraFeed(`file:${video}`), systemClock, "/nowhere/ffmpeg");
  expect((await recorder.state("offline")).reason).toBe("ffmpeg is not installed: apt-get install ffmpeg");
});

test("a sink that is slow holds the child back instead of filling memory", async () => {
  const recorder = new FeedRecorder();
  const shared = { image: SQUARE, clock: systemClock, logger: silentLogger, metrics: new Metrics() };
  let most = 0;
  const slow = {
    frame: (frame: Parameters<FeedRecorder["frame"]>[0]) => {
      const until = performance.now() + 2;
      while (performance.now() < until) most = Math.max(most, process.memoryUsage().external);
      recorder.frame(frame);
    },
    sound: () => undefined,
    status: (feed: string, status: Parameters<FeedRecorder["status"]>[1]) => recorder.status(feed, status),
  };
  const feed = cameraFeed(`file:${video}`, { realtime: false, loop: true, fps: 30 });
  const before = process.memoryUsage().external;
  const source = createFfmpegFeed(feed, { ...shared, sink: slow });
  cleanups.push(() => source.stop());
  source.start();
  let seen = 0;
  await recorder.until(() => {
    seen += recorder.frames.splice(0).length;
    return seen > 300;
  });
  // Two pipes of 64 kB and a few pictures; a video of five seconds decodes to far more.
  expect(most - before).toBeLessThan(64_000_000);
});

test("stop() leaves no child behind, even one that does not answer SIGTERM", async () => {
  const { recorder, source } = play(cameraFeed(`file:${video}`, { loop: true }), hurriedClock(10));
  await recorder.state("live");
  const pid = source.pid ?? 0;
  process.kill(pid, "SIGSTOP");
  await source.stop();
  expect(existsSync(`/proc/${pid}`)).toBe(false);
});

test("a microphone that is no longer there says so while it is tried again", async () => {
  const recorder = new FeedRecorder();
  const shared = {
    image: SQUARE,
    sink: recorder,
    clock: systemClock,
    logger: silentLogger,
    metrics: new Metrics(),
  };
  const source = createFfmpegFeed(microphoneFeed("alsa:hw:9,0"), shared);
  cleanups.push(() => source.stop());
  source.start();
  expect((await recorder.state("offline")).reason).toContain("no such sound device hw:9,0");
});

test("a camera device that is not there says so", async () => {
  const { recorder } = play(cameraFeed("v4l2:/dev/video99"));
  expect((await recorder.state("offline")).reason).toBe(
    "no such device /dev/video99: is the camera plugged in?",
  );
});
