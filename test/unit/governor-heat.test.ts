import { describe, expect, it } from "vitest";
import { initialState } from "../../service/governor/policy.ts";
import { LADDER, LIMITS, MINUTE, PolicyBench } from "../support/policy-bench.ts";

describe("heat", () => {
  it("begins with the best level at full pace where the box is cool", () => {
    const bench = new PolicyBench();
    expect(bench.run(1)).toMatchObject({ level: "q8", pace: 1, reason: "start", next: null });
    expect(bench.run(60)).toMatchObject({ level: "q8", pace: 1, reason: "steady", next: null });
    expect(bench.decision.text).toBe(
      "The model may work 100% of the time: tj-thermal is at 50.0 °C, 49.0 °C under its limit of 99.0 °C",
    );
  });

  it("holds the pace down near a limit, and the nearer the lower", () => {
    const paceAt = (celsius: number) => {
      const bench = new PolicyBench();
      bench.celsius = celsius;
      return bench.run(20).pace;
    };
    expect(paceAt(80)).toBe(1);
    expect(paceAt(92)).toBeLessThan(1);
    expect(paceAt(96.5)).toBeLessThan(paceAt(94));
    expect(paceAt(98)).toBe(0);
  });

  it("goes by each zone's own limit: the one with the least room governs, not the hottest", () => {
    const bench = new PolicyBench();
    bench.zones = [
      { id: "cpu", celsius: 90, limit: 105 },
      { id: "nvme", celsius: 67, limit: 70 },
    ];
    expect(bench.run(30).pace).toBeLessThan(1);
    expect(bench.decision.text).toContain("nvme is at 67.0 °C, 3.0 °C under its limit of 70.0 °C");
  });

  it("gives a zone that tells no limit that of its kind", () => {
    const bench = new PolicyBench();
    bench.zones = [{ id: "nvidia0", celsius: 70, limit: null }];
    bench.run(1);
    expect(bench.decision.text).toContain("13.0 °C under its limit of 83.0 °C");
    bench.zones = [{ id: "acpitz", celsius: 70, limit: null }];
    bench.state = initialState(bench.now);
    bench.run(1);
    expect(bench.decision.text).toContain("20.0 °C under its limit of 90.0 °C");
  });

  it("foresees a rise: the same temperature is held lower while it climbs", () => {
    const still = new PolicyBench();
    still.celsius = 88;
    const rising = new PolicyBench();
    let celsius = 73;
    rising.run(15, () => {
      celsius += 1;
      rising.celsius = celsius;
    });
    expect(rising.decision.pace).toBeLessThan(still.run(15).pace);
  });

  it("pauses close to the limit, keeps the level, and goes on when it is cooler", () => {
    const bench = new PolicyBench();
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
    const bench = new PolicyBench();
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
    const wasteful = new PolicyBench();
    wasteful.rungs = LADDER.map((each) => ({ ...each, energy: 1 }));
    wasteful.run(200);
    wasteful.goTo(95.5);
    expect(wasteful.run(1200).level).toBe("q8");

    const idle = new PolicyBench();
    idle.run(200);
    idle.goTo(95.5);
    idle.eager = 0.3;
    expect(idle.run(1200).level).toBe("q8");
  });

  it("steps up when a better level has fitted for some minutes, and says when", () => {
    const bench = new PolicyBench();
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
    const bench = new PolicyBench();
    bench.run(300);
    bench.state = { ...bench.state, climb: { at: bench.now - MINUTE, wait: 2 } };
    bench.goTo(95.5);
    while (bench.decision.level === "q8") bench.run(1);
    expect(bench.decision.next).toBe("q4 when it would stay cool enough for 20 min");
    bench.run(4 * 3600);
    expect(bench.decision.next).toBe("q4 when it would stay cool enough for 5 min");
  });

  it("pauses where the hardware says it is too hot, and only takes care where it says so at a low temperature", () => {
    const hot = new PolicyBench();
    hot.celsius = 93;
    hot.throttling = ["nvidia0: HW thermal slowdown"];
    expect(hot.run(5)).toMatchObject({ pace: 0, reason: "throttling" });
    const cool = new PolicyBench();
    cool.throttling = ["nvidia0: SW thermal slowdown"];
    expect(cool.run(5)).toMatchObject({ pace: LIMITS.safe, reason: "throttling" });
    const capped = new PolicyBench();
    capped.throttling = ["nvidia0: power cap"];
    expect(capped.run(5)).toMatchObject({ pace: 1, reason: "steady" });
  });
});

describe("sensors that are gone or wrong", () => {
  it("holds a safe pace without any, but no more than was held before", () => {
    const bench = new PolicyBench();
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
    const bench = new PolicyBench();
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
    const bench = new PolicyBench();
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
    const bench = new PolicyBench();
    bench.zones = [
      { id: "gpu", celsius: 80, limit: 99 },
      { id: "nvme", celsius: 40, limit: 99 },
    ];
    bench.run(1800);
    bench.zones = bench.zones.slice(0, 1);
    expect(bench.run(30)).toMatchObject({ pace: 1, reason: "steady" });
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, -273, 200])("takes %d for no temperature", (celsius) => {
    const bench = new PolicyBench();
    bench.celsius = celsius;
    expect(bench.run(30)).toMatchObject({ reason: "no_sensors", pace: LIMITS.safe });
  });

  it("believes one reading that is far from the others only when the next says the same", () => {
    const bench = new PolicyBench();
    bench.celsius = 60;
    bench.run(30);
    bench.celsius = 98.8;
    expect(bench.run(1).pace).toBe(1);
    expect(bench.run(1).pace).toBe(0);
  });

  it("believes a sensor that stands still while the model works less and less, where it used to move", () => {
    const bench = new PolicyBench();
    let celsius = 80;
    bench.run(120, () => {
      celsius = 161 - celsius;
      bench.celsius = celsius;
    });
    expect(bench.decision.pace).toBe(1);
    expect(bench.run(200).pace).toBeLessThan(0.5);
  });

  it("holds nothing against a zone that never moves, nor against one that does while nothing is to do", () => {
    const bench = new PolicyBench();
    bench.celsius = 80;
    expect(bench.run(3600)).toMatchObject({ level: "q8", pace: 1 });
    bench.run(60, () => {
      bench.celsius = 80 + (bench.now % 2000 === 0 ? 1 : 0);
    });
    bench.eager = 0;
    expect(bench.run(3600)).toMatchObject({ level: "q8", pace: 1 });
  });
});
