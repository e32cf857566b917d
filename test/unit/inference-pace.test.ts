import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { Inference } from "../../service/inference/inference.ts";
import { Pacer } from "../../service/inference/pacer.ts";
import type { PerchError } from "../../service/kernel/errors.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { ScriptedEngine } from "../support/engine-fake.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { settle } from "../support/governed.ts";

describe("the pacer", () => {
  it("rests after work so long that the work is the pace's share, whatever answers take", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.05, max: 1, noNaN: true }),
        fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 20, maxLength: 60 }),
        (pace, answers) => {
          const clock = new FakeClock();
          const pacer = new Pacer(clock);
          const meter = pacer.meter();
          pacer.pace = pace;
          for (const ms of answers) {
            clock.advance(pacer.wait());
            expect(pacer.wait()).toBeCloseTo(0, 3);
            pacer.begin();
            clock.advance(ms);
            pacer.end();
          }
          clock.advance(pacer.wait());
          expect(meter()).toBeCloseTo(pace, 2);
        },
      ),
    );
  });

  it("lets nothing begin at pace 0, and begins again where it left off", () => {
    const clock = new FakeClock();
    const pacer = new Pacer(clock);
    pacer.pace = 0;
    expect(pacer.wait()).toBe(Number.POSITIVE_INFINITY);
    clock.advance(60_000);
    expect(pacer.wait()).toBe(Number.POSITIVE_INFINITY);
    pacer.pace = 0.5;
    expect(pacer.wait()).toBe(0);
  });

  it("gives each meter the share since that one was read", () => {
    const clock = new FakeClock();
    const pacer = new Pacer(clock);
    const [one, other] = [pacer.meter(), pacer.meter()];
    pacer.begin();
    clock.advance(500);
    pacer.end();
    clock.advance(500);
    expect(one()).toBeCloseTo(0.5);
    clock.advance(1000);
    expect(one()).toBe(0);
    expect(other()).toBeCloseTo(0.25);
  });
});

describe("the queue at a pace", () => {
  const data = mkdtempSync(join(tmpdir(), "perch-test-"));
  let inference: Inference;
  afterEach(async () => {
    await inference.stop();
    rmSync(data, { recursive: true, force: true });
  });

  async function begin(slots: number) {
    const clock = new FakeClock();
    const engine = new ScriptedEngine(slots);
    const options = { engine, capacity: 16, data, clock, logger: silentLogger, metrics: new Metrics() };
    inference = new Inference({ ...options, drain: 0 });
    await inference.start();
    const pass = async (ms: number) => {
      for (let passed = 0; passed < ms; passed += 10) {
        await settle();
        clock.advance(10);
      }
      await settle();
    };
    const ask = (question: string, patience = 60_000) =>
      inference.submit({ prompt: { question }, lane: "watch", deadline: clock.monotonic() + patience }).then(
        ({ reply }) => reply.text,
        (error: PerchError) => error.code,
      );
    await pass(100);
    return { engine, pass, ask };
  }

  it("begins the next answer when the last has been rested for, side by side where there are slots", async () => {
    const { engine, pass, ask } = await begin(2);
    inference.setPace(0.25);
    const all = ["1", "2", "3", "4"].map((question) => ask(question));
    await pass(100);
    expect(engine.history).toEqual(["1", "2"]);
    await pass(900);
    for (const one of engine.asked.slice()) one.answer();
    await pass(2700);
    expect(engine.history).toEqual(["1", "2"]);
    await pass(400);
    expect(engine.history).toEqual(["1", "2", "3", "4"]);
    for (const one of engine.asked.slice()) one.answer();
    expect(await Promise.all(all)).toEqual(["1", "2", "3", "4"]);
  });

  it("asks nothing at pace 0; deadlines still hold, and what can wait is asked when it goes on", async () => {
    const { engine, pass, ask } = await begin(1);
    inference.setPace(0);
    const hurried = ask("hurried", 500);
    const patient = ask("patient");
    await pass(600);
    expect(await hurried).toBe("DEADLINE_PASSED");
    expect(engine.history).toEqual([]);
    inference.setPace(0.1);
    await pass(100);
    expect(engine.history).toEqual(["patient"]);
    engine.asked[0]?.answer();
    expect(await patient).toBe("patient");
  });
});
