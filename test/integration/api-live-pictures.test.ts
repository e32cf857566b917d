import { once } from "node:events";
import { createServer, get, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LiveViews } from "../../service/api/rest/mjpeg.ts";
import { LatestFrames } from "../../service/feeds/latest-frames.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { until } from "../support/until.ts";

/** More than the network holds by itself, bytes. */
const LARGE = 40_000_000;

const latest = new LatestFrames(systemClock);
const clock = new FakeClock();
const plain = new LiveViews(systemClock);
/** How the next viewer is served. */
let views = plain;
let interval = 0;
let allowed = true;
const server = createServer((_, response) => {
  const pictures = {
    newest: () => latest.newest("camera"),
    onPicture: (callback: () => void) => latest.onPicture("camera", callback),
  };
  views.show(response, pictures, { interval, allowed: () => allowed });
});
const connections = () =>
  new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)));

/** The camera sends a picture; `number` is all that it shows. */
function shoot(number: number, bytes = 100): void {
  const jpeg = Buffer.alloc(bytes, number);
  const luma = { width: 1, height: 1, data: new Uint8Array(1) };
  latest.frame({ feed: "camera", at: number, jpeg, luma });
}

beforeEach(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(async () => {
  views = plain;
  interval = 0;
  allowed = true;
  server.closeAllConnections();
  server.close();
  await once(server, "close");
});

async function viewer(): Promise<IncomingMessage> {
  const asked = get({ port: (server.address() as AddressInfo).port, host: "127.0.0.1" });
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  response.on("error", () => undefined);
  return response;
}

const numbers = (text: string) =>
  [...text.matchAll(/X-Captured: (.*)\r/g)].map(([, at]) => Date.parse(at ?? ""));

describe("somebody who looks at live pictures", () => {
  it("and reads slowly skips pictures, and sees the newest next", async () => {
    shoot(1, LARGE);
    const slow = await viewer();
    // The first is on its way: these come while it is not yet taken.
    for (const number of [2, 3, 4]) shoot(number);
    let text = "";
    slow.on("data", (piece: Buffer) => {
      text += piece.toString("latin1").replaceAll("\u0001", "");
    });
    await until(() => numbers(text).length === 2);
    expect(numbers(text)).toEqual([1, 4]);
    slow.destroy();
  });

  it("and reads nothing is given up, while others go on seeing", async () => {
    shoot(1, LARGE);
    views = new LiveViews(systemClock, 300);
    const stuck = await viewer();
    stuck.pause();
    await until(async () => (await connections()) === 0);
    shoot(2);
    const quick = await viewer();
    let text = "";
    quick.on("data", (piece: Buffer) => {
      text += piece.toString("latin1");
    });
    await until(() => numbers(text).includes(2));
    for (const one of [quick, stuck]) one.destroy();
  });

  it("gets no more in a second than asked for, and of those that came the newest", async () => {
    views = new LiveViews(clock);
    interval = 1000;
    shoot(1);
    const steady = await viewer();
    let text = "";
    steady.on("data", (piece: Buffer) => {
      text += piece.toString("latin1");
    });
    await until(() => numbers(text).length === 1);
    clock.advance(900);
    for (const number of [2, 3]) shoot(number);
    clock.advance(200);
    await until(() => numbers(text).length === 2);
    shoot(4);
    // The second one was a tenth of a second late: the third is due by the first one's time.
    clock.advance(900);
    await until(() => numbers(text).length === 3);
    expect(numbers(text)).toEqual([1, 3, 4]);
    steady.destroy();
  });

  it("is dropped within 15 s when its token or login does not count any more", async () => {
    views = new LiveViews(clock);
    shoot(1);
    const one = await viewer();
    let text = "";
    one.on("data", (piece: Buffer) => {
      text += piece.toString("latin1");
    });
    await until(() => numbers(text).length === 1);
    clock.advance(15_000);
    shoot(2);
    await until(() => numbers(text).length === 2);
    allowed = false;
    clock.advance(15_000);
    shoot(3);
    await until(async () => (await connections()) === 0);
    expect(numbers(text)).toEqual([1, 2]);
  });

  it("is refused where sixteen look already, until one of them goes", async () => {
    shoot(1);
    const all = await Promise.all(Array.from({ length: 16 }, viewer));
    expect(() => plain.refuseMore()).toThrow(/16 viewers look at live pictures already/);
    all[0]?.destroy();
    await until(() => {
      try {
        plain.refuseMore();
        return true;
      } catch {
        return false;
      }
    });
    for (const one of all) one.destroy();
  });
});
