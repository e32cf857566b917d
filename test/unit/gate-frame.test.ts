import fc from "fast-check";
import { expect, test } from "vitest";
import type { CameraGate } from "../../service/contract/config-feeds.ts";
import { type Frame, LUMA_HEIGHT, LUMA_WIDTH } from "../../service/contract/media.ts";
import { FrameGate } from "../../service/gate/frame-gate.ts";

const START = 1_750_000_000_000;
const motion: CameraGate = {
  kind: "motion",
  threshold: 18,
  area: 0.004,
  masks: [],
  interval: 1000,
  heartbeat: 30_000,
};
const paced: CameraGate = { kind: "interval", interval: 1000, heartbeat: 30_000 };

/** A grey picture `ms` after the start; `moved`: with something bright in it. */
function frame(ms: number, moved = false): Frame {
  const data = new Uint8Array(LUMA_WIDTH * LUMA_HEIGHT).fill(90);
  if (moved)
    for (let row = 5; row < 15; row += 1) data.fill(200, row * LUMA_WIDTH + 5, row * LUMA_WIDTH + 15);
  return {
    feed: "camera",
    at: START + ms,
    jpeg: Buffer.alloc(0),
    luma: { width: LUMA_WIDTH, height: LUMA_HEIGHT, data },
  };
}

/** What passes of five frames a second until `end` ms, as [ms, reason]. */
function passes(
  config: CameraGate,
  end: number,
  moves: (ms: number) => boolean = () => false,
): [number, string][] {
  const gate = new FrameGate(config);
  const passed: [number, string][] = [];
  for (let ms = 0; ms <= end; ms += 200) {
    const { pass, reason } = gate.decide(frame(ms, moves(ms)));
    if (pass) passed.push([ms, reason]);
  }
  return passed;
}

test("the first frame passes, then in a still scene only the heartbeat", () => {
  expect(passes(motion, 61_000)).toEqual([
    [0, "first"],
    [30_000, "heartbeat"],
    [60_000, "heartbeat"],
  ]);
});

test("a heartbeat of 0 is none", () => {
  expect(passes({ ...motion, heartbeat: 0 }, 300_000)).toEqual([[0, "first"]]);
});

test("motion passes at once, and then once an interval while it lasts", () => {
  const moving = (ms: number) => ms >= 5000 && ms < 7000;
  expect(passes(motion, 10_000, moving).slice(0, 3)).toEqual([
    [0, "first"],
    [5000, "motion"],
    [6000, "motion"],
  ]);
});

test("motion within the interval after a pass is seen when the interval is over", () => {
  expect(passes(motion, 5000, (ms) => ms === 400)).toEqual([
    [0, "first"],
    [1000, "motion"],
  ]);
});

test("the interval gate passes one frame an interval, moving or not", () => {
  expect(passes(paced, 3000).map(([ms]) => ms)).toEqual([0, 1000, 2000, 3000]);
});

test("no two frames pass closer than the interval, whatever moves and when frames come", () => {
  const frames = fc.array(fc.tuple(fc.integer({ min: 0, max: 3000 }), fc.boolean()), { maxLength: 60 });
  fc.assert(
    fc.property(frames, fc.constantFrom(motion, paced), (steps, config) => {
      const gate = new FrameGate(config);
      let ms = 0;
      let last = -Infinity;
      for (const [step, moved] of steps) {
        ms += step;
        if (!gate.decide(frame(ms, moved)).pass) continue;
        expect(ms - last).toBeGreaterThanOrEqual(config.interval);
        last = ms;
      }
    }),
  );
});

test("a clock that is set back by an hour does not silence the gate", () => {
  const gate = new FrameGate(motion);
  gate.decide(frame(0));
  expect(gate.decide(frame(-3_600_000)).pass).toBe(true);
  expect(gate.decide(frame(-3_599_800)).pass).toBe(false);
});
