import fc from "fast-check";
import { Value } from "typebox/value";
import { describe, expect, it } from "vitest";
import { Box, type Surroundings } from "../../device/simulator/box/box.ts";
import { dayOf } from "../../device/simulator/box/day.ts";
import { type BoxPreset, PRESETS } from "../../device/simulator/box/preset.ts";
import { createSimulatedBox, readingOf } from "../../device/simulator/box/simulated-box.ts";
import { Memory, Zone } from "../../service/contract/readings.ts";
import { FakeClock } from "../support/fake-clock.ts";

const [NANO, AGX, LAPTOP] = PRESETS;
const HOUR = 3600;
const cool: Surroundings = { air: 25, others: 0, taken: 0 };

function settled(preset: BoxPreset, duty: number, around = cool): Box {
  const box = new Box(preset, around);
  box.step(8 * HOUR, { level: preset.ladder[0]?.level ?? null, duty }, around);
  return box;
}

describe.each(PRESETS)("$title", (preset) => {
  it("settles where what it draws is what it gives off", () => {
    const box = settled(preset, 0.5);
    const conductance = 1 / preset.sink.still + box.fan * (1 / preset.sink.blown - 1 / preset.sink.still);
    expect((box.sink - cool.air) * conductance).toBeCloseTo(box.watts, 1);
    for (const [i, spot] of preset.spots.entries()) {
      const watts = spot.idle + 0.5 * (preset.ladder[0]?.watts ?? 0) * spot.model;
      expect((box.celsius[i] ?? 0) - box.sink).toBeCloseTo(watts * spot.resistance, 1);
    }
  });

  it("is under its limits at rest in the hottest air, and over them at full work without throttling", () => {
    const around = { air: preset.air.hottest, others: 0.1, taken: 0 };
    expect(settled(preset, 0, around).headroom).toBeGreaterThan(5);
    const box = settled(preset, 1, around);
    expect(box.clock).toBeLessThan(1);
    expect(box.headroom).toBeGreaterThan(-3);
  });

  it("answers as often as its level takes seconds, and more slowly when it throttles", () => {
    const [best] = preset.ladder;
    if (!best) throw new Error("no ladder");
    const free = new Box(preset, cool);
    free.step(120, { level: best.level, duty: 0 }, cool);
    free.step(60, { level: best.level, duty: 1 }, cool);
    expect(free.answers).toBeCloseTo(60 / best.seconds, 6);

    const throttling = settled(preset, 1, { air: preset.air.hottest + 10, others: 0.1, taken: 0 });
    const before = throttling.answers;
    throttling.step(
      60,
      { level: best.level, duty: 1 },
      { air: preset.air.hottest + 10, others: 0.1, taken: 0 },
    );
    expect(throttling.answers - before).toBeLessThan(free.answers);
  });

  it("goes the same way twice, in steps of any size", () => {
    const day = dayOf(preset, 3, 2 * HOUR);
    const level = preset.ladder[1]?.level ?? null;
    const run = (step: number) => {
      const box = new Box(preset, day.around(0));
      for (let at = 0; at < day.seconds; at += step)
        box.step(step, { level, duty: day.demand(Math.floor(at)) }, day.around(Math.floor(at)));
      return box;
    };
    expect(run(1).celsius).toEqual(run(1).celsius);
    for (const [i, celsius] of run(0.5).celsius.entries())
      expect(celsius).toBeCloseTo(run(1).celsius[i] ?? 0, 6);
  });

  it("has the same day for a seed, another for another, and air and memory that are possible", () => {
    const day = dayOf(preset, 11);
    const same = dayOf(preset, 11);
    const other = dayOf(preset, 12);
    let differs = false;
    for (let second = 0; second < day.seconds; second += 97) {
      const { air, others, taken } = day.around(second);
      expect(same.around(second)).toEqual({ air, others, taken });
      differs ||= other.around(second).air !== air;
      expect(air).toBeGreaterThan(preset.air.coolest - 4);
      expect(air).toBeLessThan(preset.air.hottest + 4);
      expect(others).toBeGreaterThanOrEqual(0);
      expect(others).toBeLessThanOrEqual(1);
      expect(taken).toBeLessThan(0.5 * preset.memory.total);
      expect(day.demand(second)).toBeGreaterThan(0);
      expect(day.demand(second)).toBeLessThanOrEqual(1);
    }
    expect(differs).toBe(true);
  });
});

describe("a simulated box", () => {
  it("heats in seconds on the chip and in minutes on the sink", () => {
    const box = settled(AGX, 0);
    const [gpu = 0] = box.celsius;
    const { sink } = box;
    box.step(20, { level: AGX.ladder[0].level, duty: 1 }, cool);
    expect((box.celsius[0] ?? 0) - gpu).toBeGreaterThan(5);
    expect(box.sink - sink).toBeLessThan(2);
  });

  it("speeds its fan up by the profile's steps, and slows it down only when cooler by the hysteresis", () => {
    const box = settled(AGX, 0.6, { ...cool, air: 35 });
    const fast = box.fan;
    expect(fast).toBeGreaterThan(0.2);
    const step = AGX.fan.find(({ speed }) => Math.abs(speed - fast) < 0.01);
    expect(step).toBeDefined();
    const kept: number[] = [];
    let slower = Number.NaN;
    for (let i = 0; i < 20_000 && Number.isNaN(slower); i += 1) {
      box.warm(0.25, 0, { ...cool, air: 20 });
      if (box.fan < fast - 0.005) slower = box.hottest;
      else kept.push(box.hottest);
    }
    expect(slower).toBeLessThan((step?.celsius ?? 0) - (step?.hysteresis ?? 0));
    expect(Math.min(...kept)).toBeLessThan(step?.celsius ?? 0);
  });

  it("loads a model at the speed of its disk, and answers only when it is there", () => {
    const box = new Box(LAPTOP, cool);
    const [best] = LAPTOP.ladder;
    box.step(1, { level: best.level, duty: 1 }, cool);
    expect(box).toMatchObject({ ready: null, answers: 0, own: LAPTOP.memory.load });
    box.step(10, { level: best.level, duty: 1 }, cool);
    expect(box).toMatchObject({ ready: best.level, own: best.bytes });
    expect(box.answers).toBeGreaterThan(0);
  });

  it("loses a model that finds no memory, running or loading, and has room again afterwards", () => {
    const [{ level }] = NANO.ladder;
    const crowded = { ...cool, taken: 2e9 };
    const running = new Box(NANO, cool);
    running.step(20, { level, duty: 0 }, cool);
    expect(running.ready).toBe(level);
    running.step(0.25, { level, duty: 0 }, crowded);
    expect(running).toMatchObject({ failed: level, ready: null, own: 0 });
    expect(running.free).toBeGreaterThan(4e9);
    running.step(20, { level, duty: 0 }, crowded);
    expect(running).toMatchObject({ failed: null, ready: null, own: 0 });

    const loading = new Box(NANO, crowded);
    const failures: string[] = [];
    for (let i = 0; i < 20; i += 1) {
      loading.step(1, { level, duty: 1 }, crowded);
      if (loading.failed !== null) failures.push(loading.failed);
    }
    expect(failures).toEqual([level]);
    expect(loading.answers).toBe(0);
  });

  it("never has less than no memory, whatever others take and whatever is loaded", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(4), fc.double({ min: 0, max: 9e9, noNaN: true })), { maxLength: 30 }),
        (moves) => {
          const box = new Box(NANO, cool);
          for (const [rung, taken] of moves) {
            box.step(2, { level: NANO.ladder[rung]?.level ?? null, duty: 1 }, { ...cool, taken });
            expect(box.free).toBeGreaterThanOrEqual(0);
            expect(box.own).toBeGreaterThanOrEqual(0);
            expect(box.hottest).toBeGreaterThan(20);
          }
        },
      ),
    );
  });

  it("tells what its sensors tell, in their steps, as the contract has it", () => {
    const box = settled(LAPTOP, 0.5);
    const reading = readingOf(box);
    for (const zone of reading.zones ?? []) {
      expect(Value.Errors(Zone, zone)).toEqual([]);
      expect(Number.isInteger(zone.celsius)).toBe(true);
    }
    for (const memory of reading.memories ?? []) expect(Value.Errors(Memory, memory)).toEqual([]);
    expect(reading).toMatchObject({ throttling: [], pressure: { some: 0, full: 0 } });
    expect(readingOf(settled(LAPTOP, 1, { air: 45, others: 0, taken: 0 })).throttling).toEqual([
      expect.stringMatching(/^rtx-4070-laptop: thermal, clock at \d+%$/),
    ]);
  });

  it("is a sensor whose temperature follows the work that the real model does", async () => {
    const clock = new FakeClock();
    let duty = 0;
    const sensor = createSimulatedBox(AGX, clock, { work: () => ({ level: "q4_0", duty }), seed: 1 });
    const read = async () => (await sensor.read(new AbortController().signal)).zones?.[1]?.celsius ?? 0;
    expect(await sensor.probe()).toBe(true);
    expect(sensor.name).toBe(`simulated ${AGX.title}`);
    const settle = async () => {
      let last = 0;
      for (let i = 0; i < 600; i += 1) {
        clock.advance(1000);
        last = await read();
      }
      return last;
    };
    await read();
    const idle = await settle();
    duty = 1;
    const busy = await settle();
    expect(busy).toBeGreaterThan(idle + 10);
    duty = 0;
    expect(await settle()).toBeLessThan(busy - 10);
    await sensor.close();
  });

  it("takes a level that it does not know for its best", () => {
    const box = new Box(NANO, cool);
    box.step(30, { level: "perch-small", duty: 1 }, cool);
    expect(box).toMatchObject({ ready: "perch-small", own: NANO.ladder[0].bytes });
  });
});
