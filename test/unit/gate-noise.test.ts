import { describe, expect, it } from "vitest";
import type { MotionGate } from "../../service/contract/config-feeds.ts";
import { type Frame, LUMA_HEIGHT, LUMA_WIDTH } from "../../service/contract/media.ts";
import { FrameGate } from "../../service/gate/frame-gate.ts";

const AT = 1_760_000_000_000;
const SECOND = 1000;
const MOTION: MotionGate = {
  kind: "motion",
  threshold: 18,
  area: 0.004,
  masks: [],
  interval: SECOND,
  heartbeat: 30 * SECOND,
};

/** Pseudo-random numbers from 0 to 1, the same in every run. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) >>> 0;
    return (state + 1) / 2 ** 32;
  };
}

/** A room with light and dark furniture. */
const scene = (x: number, y: number) =>
  60 + 80 * (x / LUMA_WIDTH) + (x > 20 && x < 30 && y > 15 ? -40 : 0) + (y < 8 ? 50 : 0);

interface Picture {
  /** Sensor noise, luma. */
  readonly sigma?: number;
  readonly gain?: number;
  readonly offset?: number;
  /** Left edge of somebody dark, 5 x 14 pixels. */
  readonly person?: number;
}

/** A camera whose noise is the same in every run. */
function camera(): (at: number, picture?: Picture) => Frame {
  const random = randomOf(7);
  const gaussian = () => Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
  return (at, { sigma = 6, gain = 1, offset = 0, person = -100 } = {}) => {
    const data = Uint8Array.from({ length: LUMA_WIDTH * LUMA_HEIGHT }, (_, index) => {
      const [x, y] = [index % LUMA_WIDTH, Math.floor(index / LUMA_WIDTH)];
      const covered = x >= person && x < person + 5 && y >= 10 && y < 24;
      const level = (covered ? 25 : scene(x, y)) * gain + offset + sigma * gaussian();
      return Math.max(0, Math.min(255, Math.round(level)));
    });
    const luma = { width: LUMA_WIDTH, height: LUMA_HEIGHT, data };
    return { feed: "camera", at, jpeg: Buffer.alloc(0), luma };
  };
}

/** A gate that has watched the empty room for six seconds at 5 frames a second, and the time then. */
function settled(picture: Picture = {}, config: MotionGate = MOTION) {
  const gate = new FrameGate(config);
  const frame = camera();
  let at = AT;
  for (; at < AT + 6 * SECOND; at += 200) gate.decide(frame(at, picture));
  return { gate, frame, at };
}

describe("the motion gate under sensor noise of 6 luma", () => {
  it("passes nothing of a still scene but the first frame and heartbeats", () => {
    const gate = new FrameGate(MOTION);
    const frame = camera();
    const passed: string[] = [];
    for (let at = AT; at < AT + 125 * SECOND; at += 200) {
      const { pass, reason } = gate.decide(frame(at));
      if (pass) passed.push(`${reason} ${(at - AT) / SECOND}`);
    }
    expect(passed).toEqual(["first 0", "heartbeat 30", "heartbeat 60", "heartbeat 90", "heartbeat 120"]);
  });

  it("passes somebody who enters, and again as they walk", () => {
    const { gate, frame, at } = settled();
    const passed = [0, 1, 2, 3].map((n) => gate.decide(frame(at + n * SECOND, { person: 5 + 12 * n })));
    expect(passed).toEqual(Array(4).fill({ pass: true, reason: "motion" }));
  });

  it("takes somebody who stays into the background, and sees them leave", () => {
    const { gate, frame, at } = settled();
    const decisions = Array.from({ length: 400 }, (_, n) => gate.decide(frame(at + n * 200, { person: 30 })));
    expect(decisions.slice(0, 5).some(({ pass, reason }) => pass && reason === "motion")).toBe(true);
    expect(decisions.slice(300).some(({ pass, reason }) => pass && reason === "motion")).toBe(false);
    const left = [0, 1].map((n) => gate.decide(frame(at + 80 * SECOND + n * SECOND)));
    expect(left.some(({ pass, reason }) => pass && reason === "motion")).toBe(true);
  });
});

describe("light that changes over the whole picture", () => {
  const changes: [string, Picture][] = [
    ["a lamp adds light", { offset: 45 }],
    ["a lamp takes light", { offset: -35 }],
    ["exposure grows by half", { gain: 1.5 }],
    ["exposure shrinks by two fifths", { gain: 0.6 }],
    ["exposure and black level follow each other", { gain: 1.3, offset: -20 }],
  ];
  it.each(changes)("is no motion: %s", (_, change) => {
    const { gate, frame, at } = settled({ sigma: 2 });
    const passes = Array.from({ length: 20 }, (__, n) =>
      gate.decide(frame(at + n * 200, { sigma: 2, ...change })),
    ).filter(({ pass }) => pass);
    expect(passes).toEqual([]);
  });

  it.each(changes)("hides nobody who enters with it: %s", (_, change) => {
    const { gate, frame, at } = settled({ sigma: 2 });
    const { pass } = gate.decide(frame(at, { sigma: 2, ...change, person: 30 }));
    expect(pass).toBe(true);
  });
});
