import { describe, expect, it } from "vitest";
import { GB, LADDER, LIMITS, PolicyBench, rung } from "../support/policy-bench.ts";

describe("memory", () => {
  it("falls at once when less than the reserve is free, to the best level that leaves it", () => {
    const bench = new PolicyBench();
    bench.run(300, () => bench.taken(4));
    bench.taken(18.7);
    expect(bench.run(1)).toMatchObject({ level: "q4", reason: "memory" });
    expect(bench.decision.text).toMatch(
      /^300\.0 MB of 32\.0 GB of ram left, less than the 512\.0 MB that are to stay free: q4 is taken\. /,
    );
    expect(bench.decision.next).toBe("q8 when 340.0 MB more of ram are free");
  });

  it("unloads where no level fits, says what is missing, and comes back after the dwell time", () => {
    const bench = new PolicyBench();
    bench.run(300, () => bench.taken(4));
    bench.run(70, () => bench.taken(18.8));
    bench.taken(24.6);
    expect(bench.run(1)).toMatchObject({ level: null, pace: 0, reason: "memory" });
    expect(bench.run(10, () => bench.taken(31))).toMatchObject({ level: null, pace: 0, reason: "memory" });
    expect(bench.decision.text).toContain("No level fits: with q4-70 ram lacks 6.0 GB");
    expect(bench.decision.next).toBe("q4-70 when 6.6 GB more of ram are free");
    let seconds = 0;
    while (bench.decision.level === null && seconds < 600) {
      bench.run(1, () => bench.taken(4));
      seconds += 1;
    }
    expect(bench.decision).toMatchObject({ level: "q8", reason: "memory_free" });
    expect(seconds).toBeGreaterThan(100);
  });

  it("comes back up without any temperature to see", () => {
    const bench = new PolicyBench();
    bench.zones = [];
    bench.run(300, () => bench.taken(20));
    expect(bench.decision.level).toBe("q4");
    bench.run(600, () => bench.taken(4));
    expect(bench.decision).toMatchObject({ level: "q8", pace: LIMITS.safe, reason: "no_sensors" });
  });

  it("does not fall twice while the old model is still going", () => {
    const bench = new PolicyBench();
    bench.run(300, () => bench.taken(4));
    const { memory } = bench;
    bench.memory = { ...memory, own: 13 * GB, free: 0.3 * GB };
    expect(bench.run(1).level).toBe("q4");
    expect(bench.run(20).level).toBe("q4");
  });

  it("does not go back where it came from within the dwell time", () => {
    const bench = new PolicyBench();
    bench.run(300, () => bench.taken(20));
    expect(bench.decision.level).toBe("q4");
    bench.run(900, () => bench.taken(4));
    expect(bench.decision.level).toBe("q8");
    bench.state = { ...bench.state, since: bench.now - 90_000 };
    bench.taken(18.8);
    expect(bench.run(1).level).toBe("q4-70");
  });

  it("falls under pressure, and pauses where there is nothing lower", () => {
    const bench = new PolicyBench();
    bench.run(300, () => bench.taken(4));
    bench.pressure = { some: 60, full: 35 };
    expect(bench.run(1)).toMatchObject({ level: "q4", reason: "pressure" });
    bench.run(40);
    bench.run(40);
    expect(bench.decision).toMatchObject({ level: null, pace: 0 });
  });

  it("takes no more than the hour's swaps, and pauses when they are used up", () => {
    const bench = new PolicyBench();
    bench.rungs = Array.from({ length: 12 }, (_, i) => rung(i, `l${i}`, 12 - i, 1, 1 - i / 20));
    bench.run(10);
    let loads = 1;
    let level = bench.decision.level;
    for (let taken = 20; taken < 31; taken += 1)
      bench.run(90, () => {
        bench.taken(taken - 0.3);
        if (bench.decision.level !== level && bench.decision.level !== null) loads += 1;
        level = bench.decision.level;
      });
    expect(loads).toBeLessThanOrEqual(LIMITS.swaps);
    expect(bench.decision).toMatchObject({ level: null, pace: 0 });
  });
});

describe("a level that failed", () => {
  it("is not taken again until memory has changed, and a lower one runs meanwhile", () => {
    const bench = new PolicyBench();
    bench.run(60);
    bench.fail("q8");
    expect(bench.run(1)).toMatchObject({ level: "q4", reason: "level_failed" });
    expect(bench.decision.next).toMatch(/^q8 failed and is tried again with 1600 MB more of ram, or 10 min$/);
    expect(bench.run(500).level).toBe("q4");
    bench.memory = { ...bench.memory, free: bench.memory.free + 2 * GB };
    bench.eager = 0.3;
    expect(bench.run(2400).level).toBe("q8");
  });

  it("never makes a crash loop: each failure doubles the wait, and an hour's swaps bound them all", () => {
    const bench = new PolicyBench();
    const tries: number[] = [];
    bench.run(1);
    for (let second = 0; second < 6 * 3600; second += 1) {
      const { level } = bench.decision;
      if (level !== null) {
        tries.push(bench.now);
        bench.fail(level);
      }
      bench.run(1);
    }
    for (const at of tries)
      expect(tries.filter((other) => other <= at && at - other < 3_600_000).length).toBeLessThanOrEqual(
        LIMITS.swaps,
      );
    expect(tries.length).toBeLessThan(24);
    expect(bench.decision).toMatchObject({ level: null, pace: 0, reason: "level_failed" });
  });

  it("leaves a level that the planner takes out of the ladder, and says why", () => {
    const bench = new PolicyBench();
    bench.run(10);
    bench.rungs = LADDER.map((each) =>
      each.level === "q8" ? { ...each, fits: false, reason: "its file is corrupt" } : each,
    );
    expect(bench.run(1)).toMatchObject({ level: "q4", reason: "level_failed" });
    expect(bench.decision.text).toContain("q8 is out: its file is corrupt: q4 is taken");
  });
});
