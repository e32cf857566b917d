import { Value } from "typebox/value";
import { describe, expect, it } from "vitest";
import { GovernorState } from "../../service/contract/governor.ts";
import { PerchError } from "../../service/kernel/errors.ts";
import { GovernorBench } from "../support/governed.ts";

async function started(...limits: ConstructorParameters<typeof GovernorBench>): Promise<GovernorBench> {
  const bench = new GovernorBench(...limits);
  await bench.start();
  await bench.pass(1);
  return bench;
}

describe("the governor", () => {
  it("starts the best level that fits, and tells so once", async () => {
    const bench = await started();
    expect(bench.levels.asked).toEqual(["q8 after"]);
    await bench.pass(20);
    expect(bench.levels.asked).toHaveLength(1);
    expect(bench.decisions.map(({ reason }) => reason)).toEqual(["start"]);
    expect(bench.states.every((state) => Value.Check(GovernorState, state))).toBe(true);
    expect(bench.states.at(-1)).toMatchObject({ level: "q8", running: "q8", mode: "auto", pace: 1 });
    expect(bench.governor.health()).toMatchObject({ state: "ok", detail: { level: "q8", mode: "auto" } });
  });

  it("tells when the level that it wanted runs, and not only with the next news", async () => {
    const bench = new GovernorBench();
    bench.levels.slow = true;
    const starting = bench.start();
    await bench.pass(3);
    await starting;
    expect(bench.states.at(-1)).toMatchObject({ level: "q8", running: null });
    bench.levels.loaded();
    await bench.pass(2);
    expect(bench.states.at(-1)).toMatchObject({ level: "q8", running: "q8" });
    const told = bench.states.length;
    await bench.pass(5);
    expect(bench.states).toHaveLength(told);
  });

  it("takes a lower level at once where memory goes, and waits for no answer under way", async () => {
    const bench = await started();
    await bench.pass(90);
    bench.free(0.2);
    await bench.pass(1);
    expect(bench.levels.asked.at(-1)).toBe("q4 at once");
    expect(bench.decisions.at(-1)).toMatchObject({ level: "q4", reason: "memory" });
  });

  it("changes level beside the old one where both have room", async () => {
    const bench = await started();
    bench.free(16);
    bench.governor.obey({ mode: "manual", level: "q4" });
    await bench.pass(1);
    expect(bench.levels.asked.at(-1)).toBe("q4 beside");
    bench.free(6);
    bench.governor.obey({ mode: "manual", level: "q2", for: "10m" });
    await bench.pass(1);
    expect(bench.levels.asked.at(-1)).toBe("q2 beside");
    bench.free(4);
    bench.governor.obey('{"mode":"manual","level":"q4"}');
    await bench.pass(1);
    expect(bench.levels.asked.at(-1)).toBe("q4 after");
  });

  it("gives up what it loads when memory does not wait for it", async () => {
    const bench = new GovernorBench();
    bench.levels.slow = true;
    const starting = bench.start();
    await bench.pass(3);
    await starting;
    expect(bench.levels.level).toBeUndefined();
    bench.levels.slow = false;
    bench.free(6);
    await bench.pass(4);
    expect(bench.levels.asked).toEqual(["q8 after", "q2 at once"]);
    expect(bench.levels.level).toBe("q2");
  });

  it("goes down the ladder past a level that does not come up, and never loops", async () => {
    const bench = new GovernorBench();
    bench.levels.faults.set("q8", new PerchError("ENGINE_FAILED", "it does not load"));
    bench.levels.faults.set("q4", new PerchError("ENGINE_MEMORY", "no memory"));
    await bench.start();
    await bench.pass(300);
    expect(bench.levels.asked).toEqual(["q8 after", "q4 after", "q2 after"]);
    expect(bench.levels.level).toBe("q2");
    expect(bench.spoiled).toEqual([]);
  });

  it("leaves a level out whose file is wrong until the file is another, and says why nothing runs", async () => {
    const bench = new GovernorBench();
    for (const level of ["q8", "q4", "q2"])
      bench.levels.faults.set(level, new PerchError("MODEL_CORRUPT", `${level}.gguf is not the file`));
    await bench.start();
    await bench.pass(5);
    expect(bench.spoiled).toEqual(["q8", "q4", "q2"]);
    expect(bench.levels.level).toBeUndefined();
    expect(bench.levels.reason).toContain("q8.gguf is not the file");
    bench.levels.faults.clear();
    bench.rungs = bench.rungs.map((rung) => ({ ...rung, fits: true, reason: null }));
    await bench.pass(2);
    expect(bench.levels.level).toBe("q8");
  });

  it("takes another level for one that died of want of memory, at once, and for one that dies too often", async () => {
    const bench = await started();
    bench.governor.died("q8", new PerchError("ENGINE_MEMORY", "out of memory"), 1);
    await bench.pass(1);
    expect(bench.levels.level).toBe("q4");
    const crash = new PerchError("ENGINE_FAILED", "it crashed");
    bench.governor.died("q4", crash, 1);
    bench.governor.died("q4", crash, 2);
    await bench.pass(1);
    expect(bench.levels.level).toBe("q4");
    bench.governor.died("q4", crash, 3);
    await bench.pass(1);
    expect(bench.levels.level).toBe("q2");
  });

  it("pauses at the limit, keeps the level loaded, and goes on when it has cooled", async () => {
    const bench = await started();
    for (let celsius = 50; celsius < 99; celsius += 3) {
      bench.readings = { ...bench.readings, zones: [{ id: "tj-thermal", celsius, limit: 99 }] };
      await bench.pass(1);
    }
    expect(bench.paces.at(-1)).toBe(0);
    expect(bench.levels.level).toBe("q8");
    bench.readings = { ...bench.readings, zones: [{ id: "tj-thermal", celsius: 85, limit: 99 }] };
    await bench.pass(5);
    expect(bench.paces.at(-1)).toBeGreaterThan(0);
  });

  it("remembers what a level took once it has worked for a while", async () => {
    const bench = await started();
    bench.free(15);
    await bench.pass(20);
    expect(bench.took).toEqual([{ level: "q8", needs: [{ memory: "ram", bytes: 13e9 }] }]);
  });

  it("takes no level and never changes it where it is off", async () => {
    const bench = await started({ enabled: false });
    expect(bench.levels.level).toBe("q8");
    bench.free(0.1);
    bench.readings = { ...bench.readings, zones: [{ id: "tj-thermal", celsius: 120, limit: 99 }] };
    await bench.pass(90);
    expect(bench.levels.asked).toEqual(["q8 after"]);
    expect(bench.paces.at(-1)).toBe(1);
    expect(() => bench.governor.obey({ mode: "frozen" })).toThrow("governor.enabled");
  });

  it("tells new readings every half a minute, and a sensor that is not believed any more at once", async () => {
    const bench = await started();
    await bench.pass(12);
    const before = bench.states.length;
    await bench.pass(60);
    expect(bench.states.length - before).toBe(2);
    bench.readings = { ...bench.readings, distrusted: [{ sensor: "gpu-thermal", reason: "froze" }] };
    await bench.pass(1);
    expect(bench.states.length - before).toBe(3);
  });
});

describe("an administrator's wish", () => {
  it("holds for its time, and the governor decides again afterwards", async () => {
    const bench = await started();
    bench.free(16);
    const state = bench.governor.obey({ mode: "manual", level: "q4", pace: 0.5, for: "2m" });
    expect(state).toMatchObject({ mode: "manual", level: "q4", pace: 0.5 });
    expect(Date.parse(state.until ?? "")).toBe(bench.clock.now() + 120_000);
    await bench.pass(60);
    expect(bench.governor.view()).toMatchObject({ mode: "manual", running: "q4", pace: 0.5 });
    await bench.pass(70);
    expect(bench.governor.view()).toMatchObject({ mode: "auto", until: null, pace: 1 });
  });

  it("may be that nothing runs, or that the level stays", async () => {
    const bench = await started();
    bench.governor.obey({ mode: "manual", level: null });
    await bench.pass(1);
    expect(bench.levels.asked.at(-1)).toBe("pause");
    bench.governor.obey({ mode: "auto" });
    await bench.pass(2);
    expect(bench.levels.level).toBe("q8");
    bench.governor.obey({ mode: "frozen" });
    expect(bench.governor.view()).toMatchObject({ mode: "frozen", level: "q8" });
  });

  it.each([
    ["{", "no JSON"],
    [{}, "mode"],
    [{ mode: "faster" }, "mode"],
    [{ mode: "manual" }, "needs a level, a pace or both"],
    [{ mode: "manual", level: "q5" }, 'no level "q5" here; there are: q8, q4, q2'],
    [{ mode: "manual", pace: 2 }, "pace"],
    [{ mode: "frozen", level: "q4" }, "takes neither"],
    [{ mode: "frozen", for: "forever" }, "for"],
    [{ mode: "frozen", for: "31d" }, "at most 30d"],
    [{ mode: "frozen", for: "0s" }, "more than nothing"],
    [{ mode: "auto", speed: 1 }, "speed is not known"],
    [[], "object"],
    [null, "object"],
  ])("%j is refused, and nothing changes", async (command, why) => {
    const bench = await started();
    expect(() => bench.governor.obey(command)).toThrow(why);
    expect(bench.governor.view().mode).toBe("auto");
  });

  it("that came by MQTT and was refused is shown with the reason until one is obeyed", async () => {
    const bench = await started();
    bench.governor.refuse("there is no such level");
    expect(bench.states.at(-1)?.refused?.why).toBe("there is no such level");
    bench.governor.obey({ mode: "auto" });
    expect(bench.states.at(-1)?.refused).toBeNull();
  });
});
