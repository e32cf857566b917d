import { describe, expect, it } from "vitest";
import type { Frame } from "../../service/contract/media.ts";
import { RecentFrames } from "../../service/watch/recent-frames.ts";

const frame = (at: number): Frame => ({
  feed: "camera",
  at,
  jpeg: Buffer.from("jpeg"),
  luma: { width: 1, height: 1, data: new Uint8Array(1) },
});

/** What a question would show after frames at these times: their ages, oldest first. */
function shown(wanted: { frames: number; spacing: number }, times: readonly number[]): number[] | undefined {
  const recent = new RecentFrames(wanted);
  for (const at of times) recent.add(frame(at));
  const newest = recent.newest ?? frame(0);
  return recent.endingWith(newest)?.map(({ at }) => at - newest.at);
}

const every = (period: number, count: number, begin = 0) =>
  Array.from({ length: count }, (_, index) => begin + index * period);

describe("the earlier frames of a question", () => {
  it("are none where it is of one", () => {
    expect(shown({ frames: 1, spacing: 500 }, every(100, 20))).toEqual([0]);
  });

  it.each([
    [2, 500, 100, [-500, 0]],
    [2, 500, 200, [-600, 0]],
    [2, 500, 500, [-500, 0]],
    [4, 50, 50, [-150, -100, -50, 0]],
    [4, 10_000, 1000, [-30_000, -20_000, -10_000, 0]],
  ])("of %i pictures %i ms apart at a frame every %i ms are %j", (frames, spacing, period, ages) => {
    expect(shown({ frames, spacing }, every(period, 100))).toEqual(ages);
  });

  it("are the nearest, off by less than half a spacing, or there is no question", () => {
    const two = { frames: 2, spacing: 500 };
    expect(shown(two, [0, 740])).toBeDefined();
    expect(shown(two, [0, 750])).toBeUndefined();
    expect(shown(two, [0, 251])).toBeDefined();
    expect(shown(two, [0, 250])).toBeUndefined();
    expect(shown(two, [0])).toBeUndefined();
    expect(shown({ frames: 3, spacing: 500 }, [0, 1000])).toBeUndefined();
    expect(shown({ frames: 3, spacing: 500 }, [0, 520, 1000])).toEqual([-1000, -480, 0]);
  });

  it("are never from before a gap or a clock that was set back", () => {
    const two = { frames: 2, spacing: 500 };
    expect(shown(two, [...every(100, 20), 5000])).toBeUndefined();
    expect(shown(two, [...every(100, 20, 5000), 5500])).toBeUndefined();
    expect(shown(two, [...every(100, 20, 5000), ...every(100, 7)])).toEqual([-500, 0]);
  });

  it.each([1, 7, 33, 40, 100])(
    "of a frame every %i ms are close to their times, and few are kept",
    (period) => {
      for (const frames of [2, 3, 4]) {
        const spacing = 500;
        const recent = new RecentFrames({ frames, spacing });
        for (const at of every(period, 4000 / period)) {
          recent.add(frame(at));
          expect(Reflect.get(recent, "kept").length).toBeLessThanOrEqual(frames * 10 + 1);
          const chosen = recent.endingWith(frame(at));
          if (at < (frames - 0.4) * spacing) continue;
          expect(chosen?.length).toBe(frames);
          for (const [index, one] of (chosen ?? []).entries()) {
            const wanted = at - (frames - 1 - index) * spacing;
            expect(Math.abs(one.at - wanted)).toBeLessThanOrEqual((spacing / 10 + period) / 2);
          }
        }
      }
    },
  );
});
