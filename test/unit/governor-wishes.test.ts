import { describe, expect, it } from "vitest";
import type { Readings } from "../../service/contract/readings.ts";
import { decide, type PolicyInput } from "../../service/governor/policy.ts";
import { LADDER, LIMITS, MINUTE, PolicyBench } from "../support/policy-bench.ts";

describe("an administrator", () => {
  it("sets level and highest pace for a while, and heat still holds the pace", () => {
    const bench = new PolicyBench();
    bench.run(10);
    bench.manual = { mode: "manual", level: "q4-70", pace: 0.5, until: bench.now + 10 * MINUTE };
    expect(bench.run(1)).toMatchObject({ level: "q4-70", pace: 0.5, reason: "manual" });
    expect(bench.run(60)).toMatchObject({ level: "q4-70", pace: 0.5, reason: "manual" });
    expect(bench.decision.next).toBe("decides again in 9 min");
    bench.goTo(98.5);
    expect(bench.run(5)).toMatchObject({ level: "q4-70", pace: 0 });
    bench.goTo(50);
    bench.eager = 0.2;
    bench.run(3000);
    expect(bench.decision.level).toBe("q8");
  });

  it("freezes the level against heat, not against want of memory", () => {
    const bench = new PolicyBench();
    bench.run(300, () => bench.taken(4));
    bench.manual = { mode: "frozen", until: null };
    bench.goTo(95.5);
    expect(bench.run(1200, () => bench.taken(4)).level).toBe("q8");
    bench.taken(18.8);
    expect(bench.run(1)).toMatchObject({ level: "q4", reason: "memory" });
    expect(bench.decision.next).toBe("decides again when the governor is set free");
  });

  it("pauses the model, until the time is over", () => {
    const bench = new PolicyBench();
    bench.run(10);
    bench.manual = { mode: "manual", level: null, until: bench.now + 5 * MINUTE };
    expect(bench.run(300)).toMatchObject({ level: null, pace: 0, reason: "manual" });
    expect(bench.run(1)).toMatchObject({ level: "q8", reason: "manual" });
    expect(bench.decision.text).toContain("No longer paused by hand, q8 is taken");
  });

  it("is told where the level that was set does not fit", () => {
    const bench = new PolicyBench();
    bench.run(300, () => bench.taken(20));
    bench.manual = { mode: "manual", level: "q8", until: null };
    expect(bench.run(1).level).toBe("q4");
    expect(bench.decision.text).toContain("q8 was set by hand, but memory has no room for it");
    bench.manual = { mode: "manual", level: "q99", until: null };
    expect(bench.run(1).text).toContain("q99 is not in the ladder any more");
  });

  it("turns the governor off", () => {
    const bench = new PolicyBench();
    bench.limits = { ...LIMITS, enabled: false };
    bench.celsius = 98.9;
    expect(bench.run(100)).toMatchObject({
      level: "q8",
      pace: 1,
      reason: "manual",
      text: "The governor is off.",
    });
  });
});

it("waits for nothing longer where the clock is set back", () => {
  const bench = new PolicyBench();
  bench.run(300);
  bench.now -= 24 * 3_600_000;
  bench.goTo(95.5);
  bench.run(600);
  expect(bench.decision.level).not.toBe("q8");
});

it("decides the same for the same input and state, and changes neither", () => {
  const bench = new PolicyBench();
  bench.run(100);
  const readings: Readings = {
    at: bench.now,
    simulated: false,
    zones: bench.zones,
    memories: [bench.memory],
    pressure: null,
    throttling: [],
    watts: null,
    distrusted: [],
  };
  const input: PolicyInput = { now: bench.now, readings, rungs: LADDER, limits: LIMITS, manual: null };
  const before = structuredClone({ input, state: bench.state });
  expect(decide(input, bench.state)).toEqual(decide(input, bench.state));
  expect({ input, state: bench.state }).toEqual(before);
});
