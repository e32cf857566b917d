import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { iso, sleep, systemClock } from "../../service/kernel/clock.ts";
import { FakeClock } from "../support/fake-clock.ts";

describe("sleeping", () => {
  it("ends when its time has come", async () => {
    const clock = new FakeClock();
    let awake = false;
    const slept = sleep(clock, 1000).then(() => {
      awake = true;
    });
    clock.advance(999);
    await Promise.resolve();
    expect(awake).toBe(false);
    clock.advance(1);
    await slept;
    expect(awake).toBe(true);
  });

  it("ends when its signal aborts, at once where it has already", async () => {
    const ending = new AbortController();
    const slept = sleep(new FakeClock(), 1000, ending.signal);
    ending.abort();
    await slept;
    await sleep(new FakeClock(), 1000, ending.signal);
  });
});

describe("the system's clock", () => {
  const DAY = 86_400_000;
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("waits for months where it is asked to, and calls back once", () => {
    let called = 0;
    systemClock.after(60 * DAY, () => (called += 1));
    vi.advanceTimersByTime(60 * DAY - 1);
    expect(called).toBe(0);
    vi.advanceTimersByTime(1);
    expect(called).toBe(1);
    vi.advanceTimersByTime(120 * DAY);
    expect(called).toBe(1);
  });

  it("can be taken back at any moment of a long wait", () => {
    const taken = systemClock.after(60 * DAY, () => expect.unreachable("it was taken back"));
    vi.advanceTimersByTime(40 * DAY);
    taken();
    vi.advanceTimersByTime(60 * DAY);
  });
});

it("a time as messages hold it is ISO 8601 in UTC with ms", () => {
  expect(iso(1_760_000_000_007)).toBe("2025-10-09T08:53:20.007Z");
});

describe("a time as it is written", () => {
  const written = (ms: number) => {
    try {
      return iso(ms);
    } catch (error) {
      return error instanceof RangeError ? "no time" : error;
    }
  };
  const expected = (ms: number) => {
    const date = new Date(ms);
    return Number.isNaN(date.getTime()) ? "no time" : date.toISOString();
  };

  it("is what Date writes, on whatever day the last one was", () => {
    const near = fc.integer({ min: -90_000_000, max: 90_000_000 });
    const any = fc.oneof(near, fc.double(), fc.integer({ min: -9e15, max: 9e15 }));
    fc.assert(
      fc.property(fc.array(any, { minLength: 1 }), (times) => {
        for (const time of times) expect(written(time)).toBe(expected(time));
      }),
      { numRuns: 2_000 },
    );
  });

  it("is right at the ends of days, years and of time", () => {
    for (const time of [
      0,
      -1,
      86_399_999,
      86_400_000,
      1.5,
      -1.5,
      253_402_300_800_000,
      8.64e15,
      -8.64e15,
      8.64e15 + 1,
    ])
      expect(written(time)).toBe(expected(time));
  });
});
