import { afterEach, expect, test } from "vitest";
import { SwitchedFeed } from "../../device/feeds/switched-feed.ts";
import { createSimulatedFeed } from "../../device/simulator/simulated-feed.ts";
import type { CameraFeed } from "../../service/contract/config-feeds.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { cameraFeed, FeedRecorder } from "../support/feed-recorder.ts";

const feeds: SwitchedFeed[] = [];
afterEach(async () => {
  await Promise.all(feeds.splice(0).map((feed) => feed.stop()));
});

function switched(feed: CameraFeed) {
  const recorder = new FeedRecorder();
  const shared = { clock: systemClock, logger: silentLogger, metrics: new Metrics() };
  const camera = new SwitchedFeed({
    ...{ feed, sink: recorder, clock: systemClock },
    make: (of, sink) => createSimulatedFeed(of, { ...shared, sink }),
  });
  feeds.push(camera);
  return { camera, recorder };
}
const states = ({ statuses }: FeedRecorder) => statuses.map(({ state }) => state);

test("a feed that is switched off says so once, sends nothing more, and has no child; switched on it begins anew", async () => {
  const { camera, recorder } = switched(cameraFeed("sim:cell?seed=7"));
  camera.start();
  await recorder.until(() => recorder.frames.length > 0);
  await camera.switch(false);
  expect(states(recorder)).toEqual(["starting", "live", "disabled"]);
  expect(camera.status()).toMatchObject({ state: "disabled", reason: "switched off" });
  expect(camera.pid).toBeUndefined();
  const frames = recorder.frames.length;
  // Each waits for the one before it.
  await Promise.all([camera.switch(true), camera.switch(false), camera.switch(true)]);
  await recorder.until(() => recorder.frames.length > frames);
  expect(states(recorder).slice(3)).toEqual(["starting", "disabled", "starting", "live"]);
});

test("a feed that begins switched off runs nothing until it is switched on, before the service runs or while it does", async () => {
  const { camera, recorder } = switched(cameraFeed("sim:cell?seed=7", { enabled: false }));
  await camera.switch(true);
  await camera.switch(false);
  expect(states(recorder)).toEqual([]);
  camera.start();
  expect(states(recorder)).toEqual(["disabled"]);
  await camera.switch(true);
  await recorder.until(() => recorder.frames.length > 0);
});

test("a feed whose source is gone since the configuration was read is offline with the reason, and stops nobody", () => {
  const { camera, recorder } = switched(cameraFeed("sim:/nowhere/gone.yaml"));
  camera.start();
  expect(recorder.statuses).toEqual([
    { state: "offline", reason: expect.stringContaining("gone.yaml"), since: expect.any(Number) },
  ]);
});
