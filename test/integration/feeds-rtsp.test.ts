import { readdirSync, readFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import pino from "pino";
import { afterEach, describe, expect, test } from "vitest";
import { createFfmpegFeed } from "../../device/feeds/ffmpeg-feed.ts";
import type { CameraFeed, MicrophoneFeed } from "../../service/contract/config-feeds.ts";
import type { Clock } from "../../service/kernel/clock.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { cameraFeed, FeedRecorder, microphoneFeed } from "../support/feed-recorder.ts";
import { hurriedClock } from "../support/hurried-clock.ts";
import { SQUARE } from "../support/image-shapes.ts";
import { type RtspCamera, startRtspCamera } from "../support/rtsp-camera.ts";

const USER = "us@er";
const PASSWORD = "p'a ss:w/rd%1";
const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function play(feed: CameraFeed | MicrophoneFeed, clock: Clock = systemClock) {
  const recorder = new FeedRecorder();
  const log: string[] = [];
  const logger = pino({ level: "trace" }, { write: (line: string) => log.push(line) });
  const source = createFfmpegFeed(feed, {
    image: SQUARE,
    sink: recorder,
    clock,
    logger,
    metrics: new Metrics(),
  });
  cleanups.push(() => source.stop());
  source.start();
  return { recorder, source, log };
}

async function camera(...login: Parameters<typeof startRtspCamera>): Promise<RtspCamera> {
  const server = await startRtspCamera(...login);
  cleanups.push(() => server.stop());
  return server;
}

const addressOf = ({ port }: RtspCamera): string => `rtsp://127.0.0.1:${port}/cam`;

/** Command lines of every process that can be seen. */
const commandLines = (): string =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8");
      } catch {
        // It ended while it was looked at.
        return "";
      }
    })
    .join("\n");

test("an RTSP camera is live with pictures at the feed's rate", async () => {
  const { recorder } = play(cameraFeed(addressOf(await camera())));
  await recorder.until(() => recorder.frames.length >= 5);
  expect(recorder.statuses.at(-1)?.state).toBe("live");
});

test("the sound of an RTSP camera is a microphone", async () => {
  const { recorder } = play(microphoneFeed(addressOf(await camera())));
  await recorder.until(() => recorder.sounds.length >= 50);
  expect(Math.max(...recorder.samples)).toBeGreaterThan(3000);
});

test("RTSP over UDP works where the feed asks for it", async () => {
  const { recorder } = play(cameraFeed(addressOf(await camera()), { transport: "udp" }));
  await recorder.until(() => recorder.frames.length >= 2);
});

describe.each(["basic", "digest"] as const)("a camera that asks for a login by %s", (scheme) => {
  test("is seen, and its password stands in no process list, log or status", async () => {
    const server = await camera(scheme, USER, PASSWORD);
    const { recorder, source, log } = play(cameraFeed(addressOf(server), { user: USER, password: PASSWORD }));
    await recorder.until(() => recorder.frames.length >= 2);
    const own = readFileSync(`/proc/${source.pid}/cmdline`, "utf8");
    expect(own).toContain("ffmpeg");
    const shown = own + log.join("") + JSON.stringify(recorder.statuses);
    for (const secret of [USER, PASSWORD, encodeURIComponent(PASSWORD), "w%2Frd"])
      expect(shown).not.toContain(secret);
  });

  test("says so when the password is wrong, without showing it", async () => {
    const server = await camera(scheme, USER, PASSWORD);
    const wrong = { user: "somebody", password: "wrong-secret" };
    const { recorder, log } = play(cameraFeed(addressOf(server), wrong));
    const { reason } = await recorder.state("offline");
    expect(reason).toBe(`wrong user or password for ${addressOf(server)}: set the feed's user and password`);
    expect(log.join("")).toContain("401");
    expect(log.join("") + commandLines()).not.toContain("wrong-secret");
  });
});

test("a password inside the URL is used and shown nowhere", async () => {
  const server = await camera("digest", "viewer", "inside-url");
  const address = `rtsp://viewer:inside-url@127.0.0.1:${server.port}/cam`;
  const { recorder, log } = play(cameraFeed(address));
  await recorder.until(() => recorder.frames.length >= 1);
  expect(log.join("") + JSON.stringify(recorder.statuses) + commandLines()).not.toContain("inside-url@");
});

test("a path that the camera does not have is said", async () => {
  const server = await camera();
  const { recorder } = play(cameraFeed(`rtsp://127.0.0.1:${server.port}/other`));
  expect((await recorder.state("offline")).reason).toContain("has no such stream");
});

test("a camera that is switched off is offline, and live again when it is back", async () => {
  const server = await camera();
  const { recorder } = play(cameraFeed(addressOf(server)), hurriedClock(3));
  await recorder.state("live");
  await server.stop();
  await recorder.state("offline", /connection refused/);
  const seen = recorder.frames.length;
  const again = await startRtspCamera("none", "", "", server.port);
  cleanups.push(() => again.stop());
  await recorder.until(() => recorder.frames.length > seen && recorder.statuses.at(-1)?.state === "live");
});

test("a camera that accepts the connection and never answers is offline with a reason, and tried again", async () => {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => sockets.delete(socket));
  });
  const again = new Promise<void>((resolve) => {
    server.on("connection", () => sockets.size > 1 && resolve());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(
    () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  );
  const bound = server.address();
  const port = bound !== null && typeof bound === "object" ? bound.port : 0;
  const { recorder } = play(cameraFeed(`rtsp://127.0.0.1:${port}/cam`), hurriedClock(10));
  const { reason } = await recorder.state("offline");
  expect(reason).toBe(
    `rtsp://127.0.0.1:${port}/cam sent no picture within 10 s: check that it is on and answers`,
  );
  await again;
});
