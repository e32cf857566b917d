import type { IncomingMessage, ServerResponse } from "node:http";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createFfmpegFeed } from "../../device/feeds/ffmpeg-feed.ts";
import { answerChallenge } from "../../device/feeds/http-auth.ts";
import type { CameraFeed } from "../../service/contract/config-feeds.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { cameraFeed, FeedRecorder } from "../support/feed-recorder.ts";
import { sendMjpeg, startHttpCamera } from "../support/http-camera.ts";
import { SQUARE } from "../support/image-shapes.ts";
import { MediaFolder } from "../support/media-fixtures.ts";

let media: MediaFolder;
/** Plain pictures, each of its own grey. */
let dark: Buffer;
let bright: Buffer;
let png: Buffer;
const cleanups: (() => Promise<void>)[] = [];

beforeAll(async () => {
  media = await MediaFolder.create();
  dark = await media.picture("dark.jpg", 40);
  bright = await media.picture("bright.jpg", 220);
  png = await media.picture("grey.png", 128);
});
afterAll(() => media.remove());
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function watch(
  listener: (request: IncomingMessage, response: ServerResponse) => void,
  changes: Partial<CameraFeed>,
) {
  const server = await startHttpCamera(listener);
  cleanups.push(() => server.stop());
  const recorder = new FeedRecorder();
  const metrics = new Metrics();
  const options = { image: SQUARE, sink: recorder, clock: systemClock, logger: silentLogger, metrics };
  const source = createFfmpegFeed(cameraFeed(`${server.url}/picture?pwd=hidden`, changes), options);
  cleanups.push(() => source.stop());
  source.start();
  return { recorder, source, metrics, server };
}

const greys = (recorder: FeedRecorder): number[] =>
  recorder.frames.map(({ luma }) => luma.data[64 * 18 + 32] ?? 0);
const isGrey = (value: number | undefined, grey: number): boolean => Math.abs((value ?? -99) - grey) < 8;
const jpegHeader = { "content-type": "image/jpeg" };

test("MJPEG over HTTP gives pictures", async () => {
  const { recorder } = await watch((_, response) => sendMjpeg(response, () => bright, 100), {});
  await recorder.until(() => recorder.frames.length >= 4);
  expect(greys(recorder).every((grey) => isGrey(grey, 220))).toBe(true);
});

test("a picture that is broken inside the stream is dropped and counted, and the stream goes on", async () => {
  let sent = 0;
  const broken = Buffer.concat([bright.subarray(0, 30), Buffer.from("no picture".repeat(20))]);
  const next = () => {
    sent += 1;
    return sent % 5 === 0 ? broken : bright;
  };
  const { recorder, metrics, source } = await watch((_, response) => sendMjpeg(response, next, 50), {
    fps: 20,
  });
  await recorder.until(() => recorder.frames.length >= 5);
  const pid = source.pid;
  await recorder.until(() => recorder.frames.length >= 20);
  expect(source.pid).toBe(pid);
  expect((await metrics.totalsBy(metrics.drops, "reason")).frame_invalid).toBeGreaterThan(0);
  expect(greys(recorder).every((grey) => isGrey(grey, 220))).toBe(true);
});

test("a snapshot URL is asked at the feed's pace, and each picture comes before the next is asked for", async () => {
  const served: number[] = [];
  const listener = (_: IncomingMessage, response: ServerResponse) => {
    served.push(served.length % 2 === 0 ? 40 : 220);
    response.writeHead(200, jpegHeader).end(served.at(-1) === 40 ? dark : bright);
  };
  const { recorder, source } = await watch(listener, { http: "snapshot", fps: 2 });
  const seen: boolean[] = [];
  for (let count = 1; count <= 5; count += 1) {
    await recorder.until(() => recorder.frames.length >= count);
    seen.push(isGrey(greys(recorder)[count - 1], served.at(-1) ?? 0));
  }
  expect(seen).toEqual([true, true, true, true, true]);
  expect(source.pid).toBeDefined();
});

test("a snapshot in PNG is a picture too", async () => {
  const { recorder } = await watch((_, response) => response.writeHead(200).end(png), { http: "snapshot" });
  await recorder.until(() => recorder.frames.length >= 2);
  expect(isGrey(greys(recorder)[1], 128)).toBe(true);
});

test("a snapshot that is a web page is refused with a reason that says what to do", async () => {
  const page = (_: IncomingMessage, response: ServerResponse) =>
    response.writeHead(200).end("<html>log in</html>");
  const { recorder } = await watch(page, { http: "snapshot" });
  const { reason } = await recorder.state("offline");
  expect(reason).toMatch(/picture sent no JPEG or PNG picture: set http: mjpeg/);
  expect(reason).not.toContain("hidden");
});

test("a snapshot that is broken is counted, and the next good one is a picture", async () => {
  let asked = 0;
  const listener = (_: IncomingMessage, response: ServerResponse) => {
    asked += 1;
    const broken = Buffer.concat([bright.subarray(0, 200), Buffer.alloc(300, 1)]);
    response.writeHead(200, jpegHeader).end(asked === 3 ? broken : bright);
  };
  const { recorder } = await watch(listener, { http: "snapshot" });
  await recorder.until(() => asked > 6 && recorder.frames.length >= 4);
});

test("a snapshot without end is given up at its limit", async () => {
  const endless = (_: IncomingMessage, response: ServerResponse) => {
    response.writeHead(200, jpegHeader);
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(1_000_000, 255)));
    };
    response.on("drain", more);
    more();
  };
  const { recorder } = await watch(endless, { http: "snapshot" });
  expect((await recorder.state("offline")).reason).toContain("sent more than");
});

test("a snapshot camera that is away is offline, and live when it is back", async () => {
  let away = true;
  const listener = (_: IncomingMessage, response: ServerResponse) =>
    away ? response.writeHead(404).end() : response.writeHead(200, jpegHeader).end(bright);
  const { recorder } = await watch(listener, { http: "snapshot" });
  expect((await recorder.state("offline")).reason).toContain("has no such stream");
  away = false;
  await recorder.state("live");
});

describe("a snapshot camera that asks for a login", () => {
  const login = { user: "viewer", password: "p'a ss" };
  const challenges = { Basic: 'Basic realm="cam"', Digest: 'Digest realm="cam", nonce="abc", qop="auth"' };
  for (const [scheme, challenge] of Object.entries(challenges))
    test(`by ${scheme} gets it, and its pictures come`, async () => {
      const listener = ({ headers, url }: IncomingMessage, response: ServerResponse) => {
        const given = headers.authorization ?? "";
        const cnonce = /cnonce="([^"]*)"/.exec(given)?.[1] ?? "";
        const right = answerChallenge(challenge, login, "GET", url ?? "", cnonce);
        if (given === right) response.writeHead(200, jpegHeader).end(bright);
        else response.writeHead(401, { "www-authenticate": challenge }).end();
      };
      const { recorder } = await watch(listener, { http: "snapshot", ...login });
      await recorder.until(() => recorder.frames.length >= 2);
    });

  test("says so when the password is wrong", async () => {
    const refuse = (_: IncomingMessage, response: ServerResponse) =>
      response.writeHead(401, { "www-authenticate": 'Basic realm="cam"' }).end();
    const { recorder } = await watch(refuse, { http: "snapshot", ...login });
    const { reason } = await recorder.state("offline");
    expect(reason).toContain("wrong user or password");
    expect(reason).not.toContain(login.password);
  });
});
