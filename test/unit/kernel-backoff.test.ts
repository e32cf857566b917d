import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Backoff } from "../../service/kernel/backoff.ts";

const waits = (backoff: Backoff, count: number) => Array.from({ length: count }, () => backoff.next());

describe("waits between tries", () => {
  it("double up to the longest", () => {
    expect(waits(new Backoff(100, 1000, () => 1), 6)).toEqual([100, 200, 400, 800, 1000, 1000]);
  });

  it("have up to half taken off, by chance", () => {
    expect(waits(new Backoff(100, 1000, () => 0), 5)).toEqual([50, 100, 200, 400, 500]);
    expect(new Set(waits(new Backoff(1000, 1000), 20)).size).toBeGreaterThan(1);
  });

  it("begin anew after a try that worked", () => {
    const backoff = new Backoff(100, 1000, () => 1);
    waits(backoff, 4);
    backoff.reset();
    expect(waits(backoff, 2)).toEqual([100, 200]);
  });

  it("are never longer than the longest nor shorter than half the first, after any number of tries", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 100 }), (first, factor) => {
        for (const wait of waits(new Backoff(first, first * factor), 2000)) {
          expect(wait).toBeLessThanOrEqual(first * factor);
          expect(wait).toBeGreaterThanOrEqual(first / 2);
        }
      }),
      { numRuns: 10 },
    );
  });
});
