import { Value } from "typebox/value";
import { describe, expect, it } from "vitest";
import { Governor } from "../../service/contract/config-governor.ts";
import { Decision, type Manual, type Rung } from "../../service/contract/decision.ts";
import type { Memory, Readings, Zone } from "../../service/contract/readings.ts";
import { decide, initialState, levelFailed, type PolicyInput } from "../../service/governor/policy.ts";
import { decodeUnits, fillDefaults } from "../../service/kernel/config-schema.ts";

const LIMITS = decodeUnits(Governor, fillDefaults(Governor, {})) as Governor;
const GB = 1e9;
const MINUTE = 60_000;

const rung = (rank: number, level: string, gigabytes: number, speed: number, energy: number): Rung => ({
  level,
  rank,
  fits: true,
  reason: null,
  needs: [{ memory: "ram", bytes: gigabytes * GB }],
  speed,
  energy,
});
const LADDER = [rung(0, "q8", 13, 1, 1), rung(1, "q4", 7.5, 1.6, 0.63), rung(2, "q4-70", 7, 2, 0.5)];

/** A box whose zones and memory are set by hand, asked every second. */
class Bench {
  now = 1_750_000_000_000;
  zones: Zone[] = [{ id: "tj-thermal", celsius: 50, limit: 99 }];
  memory: Memory = { id: "ram", total: 32 * GB, free: 28 * GB, own: 0 };
  pressure: Readings["pressure"] = null;
  throttling: string[] = [];
  rungs: readonly Rung[] = LADDER;
  limits = LIMITS;
  manual: Manual | null = null;
  /** Share of the pace that the model uses. */
  eager = 1;
  state = initialState(this.now);
  decision: Decision = { level: null, pace: 1, reason: "start", text: "", next: null };

  /** Asks every second for `seconds`; returns the last decision. */
  run(seconds: number, each?: () => void): Decision {
    for (let i = 0; i < seconds; i += 1) {
      each?.();
      this.decide();
      this.now += 1000;
    }
    return this.decision;
  }

  set celsius(celsius: number) {
    this.zones = this.zones.map((zone) => ({ ...zone, celsius }));
  }

  /** Heats or cools the box as fast as a chip may. */
  goTo(celsius: number): void {
    const from = this.zones[0]?.celsius ?? celsius;
    const steps = Math.ceil(Math.abs(celsius - from) / 3);
    for (let i = 1; i <= steps; i += 1) {
      this.celsius = from + ((celsius - from) * i) / steps;
      this.run(1);
    }
  }

  fail(level: string): void {
    const memories = [this.memory];
    this.state = levelFailed(this.state, { level, now: this.now, memories, running: null });
  }

  /** Memory as it is with what runs, and so much taken by others. */
  taken(gigabytes: number): void {
    const own = this.rungs.find(({ level }) => level === this.decision.level)?.needs[0]?.bytes ?? 0;
    this.memory = { ...this.memory, own, free: Math.max(0, this.memory.total - own - gigabytes * GB) };
  }

  private decide(): void {
    const readings: Readings = {
      at: this.now,
      simulated: false,
      zones: this.zones,
      memories: [this.memory],
      pressure: this.pressure,
      throttling: this.throttling,
      watts: null,
      distrusted: [],
    };
    const { now, rungs, limits, manual } = this;
    const input: PolicyInput = {
      now,
      readings,
      rungs,
      limits,
      manual,
      worked: this.decision.pace * this.eager,
    };
    const { decision, state } = decide(input, this.state);
    expect(Value.Errors(Decision, decision)).toEqual([]);
    this.decision = decision;
    this.state = state;
  }
}

describe("heat", () => {
  it("begins with the best level at full pace where the box is cool", () => {
    const bench = new Bench();
    expect(bench.run(1)).toMatchObject({ level: "q8", pace: 1, reason: "start", next: null });
    expect(bench.run(60)).toMatchObject({ level: "q8", pace: 1, reason: "steady", next: null });
    expect(bench.decision.text).toBe(
      "The model may work 100% of the time: tj-thermal is at 50.0 °C, 49.0 °C under its limit of 99.0 °C",
    );
  });

  it("holds the pace down near a limit, and the nearer the lower", () => {
    const paceAt = (celsius: number) => {
      const bench = new Bench();
      bench.celsius = celsius;
      return bench.run(20).pace;
    };
    expect(paceAt(80)).toBe(1);
    expect(paceAt(92)).toBeLessThan(1);
    expect(paceAt(96.5)).toBeLessThan(paceAt(94));
    expect(paceAt(98)).toBe(0);
  });

  it("goes by each zone's own limit: the one with the least room governs, not the hottest", () => {
    const bench = new Bench();
    bench.zones = [
      { id: "cpu", celsius: 90, limit: 105 },
      { id: "nvme", celsius: 67, limit: 70 },
    ];
    expect(bench.run(30).pace).toBeLessThan(1);
    expect(bench.decision.text).toContain("nvme is at 67.0 °C, 3.0 °C under its limit of 70.0 °C");
  });

  it("gives a zone that tells no limit that of its kind", () => {
    const bench = new Bench();
    bench.zones = [{ id: "nvidia0", celsius: 70, limit: null }];
    bench.run(1);
    expect(bench.decision.text).toContain("13.0 °C under its limit of 83.0 °C");
    bench.zones = [{ id: "acpitz", celsius: 70, limit: null }];
    bench.state = initialState(bench.now);
    bench.run(1);
    expect(bench.decision.text).toContain("20.0 °C under its limit of 90.0 °C");
  });

  it("foresees a rise: the same temperature is held lower while it climbs", () => {
    const still = new Bench();
    still.celsius = 88;
    const rising = new Bench();
    let celsius = 73;
    rising.run(15, () => {
      celsius += 1;
      rising.celsius = celsius;
    });
    expect(rising.decision.pace).toBeLessThan(still.run(15).pace);
  });

  it("pauses close to the limit, keeps the level, and goes on when it is cooler", () => {
    const bench = new Bench();
    bench.run(200);
    bench.goTo(98.5);
    expect(bench.run(1)).toMatchObject({ level: "q8", pace: 0, reason: "critical" });
    expect(bench.decision.text).toMatch(/^The model pauses: tj-thermal .* too close to go on$/);
    bench.celsius = 97;
    expect(bench.run(3).pace).toBe(0);
    bench.goTo(90);
    expect(bench.run(10)).toMatchObject({ level: "q8" });
    expect(bench.decision.pace).toBeGreaterThan(0);
  });

  it("steps down after the dwell time where a lower level gives more for the same heat", () => {
    const bench = new Bench();
    bench.run(300);
    bench.goTo(95.5);
    let held = 0;
    while (bench.decision.level === "q8") held += bench.run(1).pace < 1 ? 1 : 0;
    expect(held).toBeGreaterThanOrEqual(120);
    expect(bench.decision).toMatchObject({ level: "q4-70", reason: "heat" });
    expect(bench.decision.text).toMatch(
      /^Heat has held the pace at \d+% for 2 min: q4-70 takes 50% less heat an answer\. The model may work /,
    );
    expect(bench.decision.next).toBe("q4 when it would stay cool enough for 5 min");
  });

  it("stays where no lower level takes less heat an answer, and where there is less to do than it may", () => {
    const wasteful = new Bench();
    wasteful.rungs = LADDER.map((each) => ({ ...each, energy: 1 }));
    wasteful.run(200);
    wasteful.goTo(95.5);
    expect(wasteful.run(1200).level).toBe("q8");

    const idle = new Bench();
    idle.run(200);
    idle.goTo(95.5);
    idle.eager = 0.3;
    expect(idle.run(1200).level).toBe("q8");
  });

  it("steps up when a better level has fitted for some minutes, and says when", () => {
    const bench = new Bench();
    bench.run(300);
    bench.goTo(95.5);
    while (bench.decision.level === "q8") bench.run(1);
    bench.goTo(55);
    bench.eager = 0.3;
    let announced = "";
    while (bench.decision.level !== "q8" && bench.decision.reason !== "cooler") {
      announced = bench.decision.next ?? announced;
      bench.run(1);
    }
    expect(announced).toMatch(/^q4 in [01] s if it stays as cool$/);
    bench.run(7200);
    expect(bench.decision).toMatchObject({ level: "q8", next: null });
  });

  it("waits twice as long after heat undid the last step up", () => {
    const bench = new Bench();
    bench.run(300);
    bench.state = { ...bench.state, climb: { at: bench.now - MINUTE, wait: 2 } };
    bench.goTo(95.5);
    while (bench.decision.level === "q8") bench.run(1);
    expect(bench.decision.next).toBe("q4 when it would stay cool enough for 20 min");
    bench.run(4 * 3600);
    expect(bench.decision.next).toBe("q4 when it would stay cool enough for 5 min");
  });

  it("pauses where the hardware says it is too hot, and only takes care where it says so at a low temperature", () => {
    const hot = new Bench();
    hot.celsius = 93;
    hot.throttling = ["nvidia0: HW thermal slowdown"];
    expect(hot.run(5)).toMatchObject({ pace: 0, reason: "throttling" });
    const cool = new Bench();
    cool.throttling = ["nvidia0: SW thermal slowdown"];
    expect(cool.run(5)).toMatchObject({ pace: LIMITS.safe, reason: "throttling" });
    const capped = new Bench();
    capped.throttling = ["nvidia0: power cap"];
    expect(capped.run(5)).toMatchObject({ pace: 1, reason: "steady" });
  });
});

describe("sensors that are gone or wrong", () => {
  it("holds a safe pace without any, but no more than was held before", () => {
    const bench = new Bench();
    bench.run(60);
    const { zones } = bench;
    bench.zones = [];
    expect(bench.run(30)).toMatchObject({ level: "q8", pace: LIMITS.safe, reason: "no_sensors" });
    expect(bench.decision.text).toContain("no temperature can be acted on: tj-thermal is gone");
    bench.zones = zones;
    expect(bench.run(60)).toMatchObject({ pace: 1, reason: "steady" });

    bench.celsius = 97.7;
    bench.run(5);
    bench.zones = [];
    expect(bench.run(5).pace).toBeLessThanOrEqual(LIMITS.floor);
  });

  it("lets a near zone stand in for the one that governed, with what lay between them", () => {
    const bench = new Bench();
    const zones = (gpu: number, cpu: number) => [
      { id: "gpu", celsius: gpu, limit: 99 },
      { id: "cpu", celsius: cpu, limit: 99 },
    ];
    bench.zones = zones(85, 79);
    bench.run(60);
    bench.zones = zones(0, 90).slice(1);
    expect(bench.run(30).pace).toBeLessThan(1);
    expect(bench.decision.text).toContain("gpu is gone and cpu stands in for it");
  });

  it("does not let a far zone stand in", () => {
    const bench = new Bench();
    bench.zones = [
      { id: "gpu", celsius: 90, limit: 99 },
      { id: "nvme", celsius: 40, limit: 99 },
    ];
    bench.run(60);
    bench.zones = bench.zones.slice(1);
    expect(bench.run(30)).toMatchObject({ reason: "no_sensors" });
    expect(bench.decision.pace).toBeLessThanOrEqual(LIMITS.safe);
  });

  it("does not care for a zone that is gone and never was near its limit", () => {
    const bench = new Bench();
    bench.zones = [
      { id: "gpu", celsius: 80, limit: 99 },
      { id: "nvme", celsius: 40, limit: 99 },
    ];
    bench.run(1800);
    bench.zones = bench.zones.slice(0, 1);
    expect(bench.run(30)).toMatchObject({ pace: 1, reason: "steady" });
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, -273, 200])("takes %d for no temperature", (celsius) => {
    const bench = new Bench();
    bench.celsius = celsius;
    expect(bench.run(30)).toMatchObject({ reason: "no_sensors", pace: LIMITS.safe });
  });

  it("believes one reading that is far from the others only when the next says the same", () => {
    const bench = new Bench();
    bench.celsius = 60;
    bench.run(30);
    bench.celsius = 98.8;
    expect(bench.run(1).pace).toBe(1);
    expect(bench.run(1).pace).toBe(0);
  });

  it("believes a sensor that stands still while the model works less and less, where it used to move", () => {
    const bench = new Bench();
    let celsius = 80;
    bench.run(120, () => {
      celsius = 161 - celsius;
      bench.celsius = celsius;
    });
    expect(bench.decision.pace).toBe(1);
    expect(bench.run(200).pace).toBeLessThan(0.5);
  });

  it("holds nothing against a zone that never moves, nor against one that does while nothing is to do", () => {
    const bench = new Bench();
    bench.celsius = 80;
    expect(bench.run(3600)).toMatchObject({ level: "q8", pace: 1 });
    bench.run(60, () => {
      bench.celsius = 80 + (bench.now % 2000 === 0 ? 1 : 0);
    });
    bench.eager = 0;
    expect(bench.run(3600)).toMatchObject({ level: "q8", pace: 1 });
  });
});

describe("memory", () => {
  it("falls at once when less than the reserve is free, to the best level that leaves it", () => {
    const bench = new Bench();
    bench.run(300, () => bench.taken(4));
    bench.taken(18.7);
    expect(bench.run(1)).toMatchObject({ level: "q4", reason: "memory" });
    expect(bench.decision.text).toMatch(
      /^300 MB of 32\.0 GB of ram left, less than the 512 MB that are to stay free: q4 is taken\. /,
    );
    expect(bench.decision.next).toBe("q8 when 340 MB more of ram are free");
  });

  it("unloads where no level fits, says what is missing, and comes back after the dwell time", () => {
    const bench = new Bench();
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
    const bench = new Bench();
    bench.zones = [];
    bench.run(300, () => bench.taken(20));
    expect(bench.decision.level).toBe("q4");
    bench.run(600, () => bench.taken(4));
    expect(bench.decision).toMatchObject({ level: "q8", pace: LIMITS.safe, reason: "no_sensors" });
  });

  it("does not fall twice while the old model is still going", () => {
    const bench = new Bench();
    bench.run(300, () => bench.taken(4));
    const { memory } = bench;
    bench.memory = { ...memory, own: 13 * GB, free: 0.3 * GB };
    expect(bench.run(1).level).toBe("q4");
    expect(bench.run(20).level).toBe("q4");
  });

  it("does not go back where it came from within the dwell time", () => {
    const bench = new Bench();
    bench.run(300, () => bench.taken(20));
    expect(bench.decision.level).toBe("q4");
    bench.run(900, () => bench.taken(4));
    expect(bench.decision.level).toBe("q8");
    bench.state = { ...bench.state, since: bench.now - 90_000 };
    bench.taken(18.8);
    expect(bench.run(1).level).toBe("q4-70");
  });

  it("falls under pressure, and pauses where there is nothing lower", () => {
    const bench = new Bench();
    bench.run(300, () => bench.taken(4));
    bench.pressure = { some: 60, full: 35 };
    expect(bench.run(1)).toMatchObject({ level: "q4", reason: "pressure" });
    bench.run(40);
    bench.run(40);
    expect(bench.decision).toMatchObject({ level: null, pace: 0 });
  });

  it("takes no more than the hour's swaps, and pauses when they are used up", () => {
    const bench = new Bench();
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
    const bench = new Bench();
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
    const bench = new Bench();
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
    const bench = new Bench();
    bench.run(10);
    bench.rungs = LADDER.map((each) =>
      each.level === "q8" ? { ...each, fits: false, reason: "its file is corrupt" } : each,
    );
    expect(bench.run(1)).toMatchObject({ level: "q4", reason: "level_failed" });
    expect(bench.decision.text).toContain("q8 is out: its file is corrupt: q4 is taken");
  });
});

describe("an administrator", () => {
  it("sets level and highest pace for a while, and heat still holds the pace", () => {
    const bench = new Bench();
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
    const bench = new Bench();
    bench.run(300, () => bench.taken(4));
    bench.manual = { mode: "frozen", until: null };
    bench.goTo(95.5);
    expect(bench.run(1200, () => bench.taken(4)).level).toBe("q8");
    bench.taken(18.8);
    expect(bench.run(1)).toMatchObject({ level: "q4", reason: "memory" });
    expect(bench.decision.next).toBe("decides again when the governor is set free");
  });

  it("pauses the model, until the time is over", () => {
    const bench = new Bench();
    bench.run(10);
    bench.manual = { mode: "manual", level: null, until: bench.now + 5 * MINUTE };
    expect(bench.run(300)).toMatchObject({ level: null, pace: 0, reason: "manual" });
    expect(bench.run(1)).toMatchObject({ level: "q8", reason: "manual" });
    expect(bench.decision.text).toContain("No longer paused by hand, q8 is taken");
  });

  it("is told where the level that was set does not fit", () => {
    const bench = new Bench();
    bench.run(300, () => bench.taken(20));
    bench.manual = { mode: "manual", level: "q8", until: null };
    expect(bench.run(1).level).toBe("q4");
    expect(bench.decision.text).toContain("q8 was set by hand, but memory has no room for it");
    bench.manual = { mode: "manual", level: "q99", until: null };
    expect(bench.run(1).text).toContain("q99 is not in the ladder any more");
  });

  it("turns the governor off", () => {
    const bench = new Bench();
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
  const bench = new Bench();
  bench.run(300);
  bench.now -= 24 * 3_600_000;
  bench.goTo(95.5);
  bench.run(600);
  expect(bench.decision.level).not.toBe("q8");
});

it("decides the same for the same input and state, and changes neither", () => {
  const bench = new Bench();
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
