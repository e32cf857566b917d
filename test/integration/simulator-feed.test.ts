import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { Playing } from "../../device/simulator/course/playing.ts";
import { readScenario } from "../../device/simulator/course/scenario.ts";
import { frameTruth, picturesTruthBetween } from "../../device/simulator/course/seen.ts";
import { Timeline } from "../../device/simulator/course/timeline.ts";
import { createSimulatedFeed } from "../../device/simulator/simulated-feed.ts";
import { CHUNK, CHUNK_SAMPLES, Soundtrack } from "../../device/simulator/sound/sound.ts";
import type { CameraFeed, MicrophoneFeed } from "../../service/contract/config-feeds.ts";
import type { FeedSource, FeedStatus } from "../../service/contract/feed-source.ts";
import type { Frame, Sound } from "../../service/contract/media.ts";
import { imageSize } from "../../service/inference/image-size.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import { systemCode } from "../../service/kernel/errors.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { packageRoot } from "../../service/kernel/paths.ts";

const FPS = 10;
const started: FeedSource[] = [];

afterEach(async () => {
  await Promise.all(started.splice(0).map((feed) => feed.stop()));
});

describe("a simulated camera", () => {
  it("sends frames that show what the timeline says of their time", async () => {
    const { feed, frames } = open(camera("sim:cell?seed=7"));
    await until(() => frames.length >= 15);
    const timeline = new Timeline(7);
    for (const frame of frames) {
      expect(frame.feed).toBe("camera");
      expect(frame.at % (1000 / FPS)).toBe(0);
      expect(frame.truth).toEqual(frameTruth(timeline.sceneAt(frame.at), frame.at));
      expect(frame.jpeg.subarray(0, 3)).toEqual(Buffer.of(0xff, 0xd8, 0xff));
      expect(frame.luma).toMatchObject({ width: 64, height: 36 });
      expect(frame.luma.data).toHaveLength(64 * 36);
    }
    const [first = 0, second = 0] = [frames[0]?.at, frames[5]?.at];
    expect(feed.truth?.(first, second)).toEqual(picturesTruthBetween(timeline, first, second));
  });

  it("sends pictures of the size that is asked for", async () => {
    const { frames } = open(camera("sim:cell?size=336x192"));
    await until(() => frames.length >= 1);
    expect(imageSize(frames[0]?.jpeg ?? Buffer.of())).toMatchObject({ width: 336, height: 192 });
  });

  it("sends each frame once, in order, near its time and at most as many as asked for", async () => {
    const { frames } = open(camera("sim:cell"));
    await until(() => frames.length >= 15);
    const times = frames.map(({ at }) => at);
    expect(new Set(times).size).toBe(times.length);
    expect([...times].sort((a, b) => a - b)).toEqual(times);
    const span = (times.at(-1) ?? 0) - (times[0] ?? 0);
    expect(times.length).toBeLessThanOrEqual(span / (1000 / FPS) + 1);
    expect(Math.abs(Date.now() - (times.at(-1) ?? 0))).toBeLessThan(5000);
  });

  it("comes back when its process is killed, and says so in between", async () => {
    const { feed, frames, states, metrics } = open(camera("sim:cell?seed=3"));
    await until(() => frames.length >= 2);
    const first = feed.pid;
    if (first === undefined) throw new Error("there should be a process");
    process.kill(first, "SIGKILL");
    await until(() => states.at(-1)?.state === "offline");
    expect(states.at(-1)?.reason).toContain("SIGKILL");
    const before = frames.length;
    await until(() => frames.length >= before + 2);
    expect(feed.pid).not.toBe(first);
    expect(states.map(({ state }) => state)).toEqual(["starting", "live", "offline", "live"]);
    expect(await metrics.totalsBy(metrics.restarts, "child")).toEqual({ "feed camera": 1 });
  });

  it("comes back when its process stops answering", async () => {
    const { feed, frames, states } = open(camera("sim:cell?seed=3"));
    await until(() => frames.length >= 2);
    const first = feed.pid;
    if (first === undefined) throw new Error("there should be a process");
    process.kill(first, "SIGSTOP");
    await until(() => states.some(({ state }) => state === "stalled"));
    const before = frames.length;
    await until(() => frames.length >= before + 2);
    expect(feed.pid).not.toBe(first);
    expect(feed.status().state).toBe("live");
  });

  it("ends its process when it is stopped", async () => {
    const { feed, frames } = open(camera("sim:cell"));
    await until(() => frames.length >= 1);
    const { pid } = feed;
    if (pid === undefined) throw new Error("there should be a process");
    await feed.stop();
    expect(alive(pid)).toBe(false);
    expect(feed.pid).toBeUndefined();
    expect(feed.status().state).toBe("offline");
  });

  it("refuses a source that no simulator has", () => {
    expect(() => open(camera("sim:ward"))).toThrow("allowed is sim:cell");
  });
});

describe("a simulated microphone", () => {
  it("sends the timeline's sound without gaps", async () => {
    const { feed, sounds } = open(microphone("sim:cell?seed=7"));
    await until(() => sounds.length >= 100);
    const timeline = new Timeline(7);
    const soundtrack = new Soundtrack(timeline);
    for (const [i, sound] of sounds.entries()) {
      expect(sound.samples).toHaveLength(CHUNK_SAMPLES);
      expect(sound.at).toBe((sounds[0]?.at ?? 0) + i * CHUNK);
      expect(sound.samples).toEqual(soundtrack.chunk(sound.at / CHUNK));
    }
    const { from, to } = timeline.stretchAt(sounds[0]?.at ?? 0);
    expect(feed.truth?.(from, from + 400)).toMatchObject({ sound: "silence", words: "" });
    expect(feed.truth?.(from, to)).toBeUndefined();
  });
});

describe("a scenario's feeds", () => {
  const file = join(packageRoot, "config/examples/scenarios/clinic-call.yaml");
  const source = `sim:${file}?size=336x192`;

  it("show and sound as the scenario has it from the moment it began, and agree with each other", async () => {
    // Somebody falls and calls for help 24 to 30 s after the beginning.
    const begin = Math.floor(Date.now() / 1000) * 1000 - 23_000;
    const eye = open(camera(source), begin);
    const ear = open(microphone(source), begin);
    await until(() => eye.frames.some(({ truth }) => truth?.lying === true) && ear.sounds.length >= 100);
    const playing = new Playing(readScenario(file), begin);
    for (const { at, truth } of eye.frames) expect(truth).toEqual(frameTruth(playing.sceneAt(at), at));
    const soundtrack = new Soundtrack(playing);
    for (const { at, samples } of ear.sounds) expect(samples).toEqual(soundtrack.chunk(at / CHUNK));
    const called = { sound: "speech", words: "help", loudness: "loud", help: true };
    expect(ear.feed.truth?.(begin + 25_800, begin + 27_200)).toMatchObject(called);
    expect(eye.feed.truth?.(begin + 25_000, begin + 26_500)).toMatchObject({ people: 2, lying: true });
  });

  it("are refused with what is wrong with the scenario", () => {
    expect(() => open(camera("sim:none.yaml"))).toThrow("none.yaml: there is no such file");
  });
});

interface Opened {
  readonly feed: FeedSource;
  readonly frames: Frame[];
  readonly sounds: Sound[];
  readonly states: FeedStatus[];
  readonly metrics: Metrics;
}

function open(config: CameraFeed | MicrophoneFeed, begin?: number): Opened {
  const frames: Frame[] = [];
  const sounds: Sound[] = [];
  const states: FeedStatus[] = [];
  const metrics = new Metrics();
  const sink = {
    frame: (frame: Frame) => frames.push(frame),
    sound: (sound: Sound) => sounds.push(sound),
    status: (_feed: string, status: FeedStatus) => states.push(status),
  };
  const parts = { sink, metrics, clock: systemClock, logger: silentLogger };
  const feed = createSimulatedFeed(config, { ...parts, ...(begin !== undefined && { begin }) });
  started.push(feed);
  feed.start();
  return { feed, frames, sounds, states, metrics };
}

const common = { enabled: true, transport: "tcp", loop: false, realtime: true, idle: false } as const;

function camera(source: string): CameraFeed {
  const gate = { kind: "interval", interval: 1000, heartbeat: 0 } as const;
  return { kind: "camera", id: "camera", ...common, source, http: "mjpeg", fps: FPS, hardware: "none", gate };
}

function microphone(source: string): MicrophoneFeed {
  const gate = { kind: "interval", interval: 1000, length: 1000 } as const;
  return { kind: "microphone", id: "microphone", ...common, source, gate };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    if (systemCode(error) === "ESRCH") return false;
    throw error;
  }
}
