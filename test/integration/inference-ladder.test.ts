import { afterEach, describe, expect, it } from "vitest";
import type { Level } from "../../service/contract/models.ts";
import { Inference } from "../../service/inference/inference.ts";
import { LadderEngine } from "../../service/inference/ladder-engine.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import type { PerchError } from "../../service/kernel/errors.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { alive, anySignal, EngineBench, shippedLevel } from "../support/engine-bench.ts";
import { picture } from "../support/engine-media.ts";
import { until } from "../support/until.ts";

const schema = { person: { type: "boolean" as const } };
let bench: EngineBench;
let engine: LadderEngine;
let inference: Inference;
/** What was made, in order, and what died. */
let made: string[];
let died: { level: string; fault: PerchError }[];

/** A ladder of two rungs, of which the second is another `other`; the first one runs. */
async function begin(other: Partial<Level> = {}): Promise<void> {
  bench = new EngineBench();
  made = [];
  died = [];
  const one = { ...shippedLevel(), id: "one" };
  const two = { ...one, id: "two", ...other };
  engine = new LadderEngine({
    ladder: { ...bench.store().ladder("perch-small"), levels: [one, two] },
    make: (level) => {
      made.push(level.id);
      return bench.engine({ level });
    },
    onDeath: (level, fault) => died.push({ level, fault }),
    clock: systemClock,
    logger: silentLogger,
  });
  inference = new Inference({
    engine,
    capacity: 64,
    data: bench.data,
    clock: systemClock,
    logger: silentLogger,
    metrics: bench.metrics,
  });
  await engine.start();
  await inference.start();
  await engine.switchTo("one", { way: "after" });
}

afterEach(async () => {
  await inference.stop();
  await engine.stop();
  await bench.dispose();
});

const ask = (seed: number, patience = 30_000) =>
  inference.submit({
    prompt: { question: "Describe the image.", schema, images: [picture(seed)] },
    lane: "api",
    deadline: systemClock.monotonic() + patience,
  });

/** Asks four at a time until told to stop; the level of every answer in order. */
function load(): { readonly levels: string[]; stop(): Promise<void> } {
  const levels: string[] = [];
  let going = true;
  let seed = 0;
  const clients = Array.from({ length: 4 }, async () => {
    while (going) {
      seed += 1;
      levels.push((await ask(seed)).stamp.level);
    }
  });
  return {
    levels,
    stop: async () => {
      going = false;
      await Promise.all(clients);
    },
  };
}

const CORRUPT = { text: { ...shippedLevel().text, sha256: "0".repeat(64) } };

describe("another level", () => {
  it.each([
    ["beside the old one", { way: "beside" as const }],
    ["after the old one", { way: "after" as const }],
    ["at once, under the answers that are under way,", { way: "after" as const, atOnce: true }],
  ])("comes %s while four requests are always under way, and none is lost", async (_, how) => {
    await begin();
    const old = engine.pid ?? 0;
    const running = load();
    await until(() => running.levels.length > 8);
    await engine.switchTo("two", how);
    const before = running.levels.length;
    await until(() => running.levels.length > before + 8);
    await running.stop();
    expect(new Set(running.levels)).toEqual(new Set(["one", "two"]));
    expect(running.levels.at(-1)).toBe("two");
    expect(engine.stamp.level).toBe("two");
    expect(alive(old)).toBe(false);
    expect(engine.pids).toEqual([engine.pid]);
    expect(engine.health()).toMatchObject({ state: "ok", detail: { level: "two" } });
    expect(died).toEqual([]);
  });

  it.each(["beside", "after"] as const)(
    "that does not come up (%s) leaves the old one at work",
    async (way) => {
      await begin(CORRUPT);
      await expect(engine.switchTo("two", { way })).rejects.toMatchObject({
        code: "MODEL_CORRUPT",
        message: expect.stringMatching(/level two does not come up: .*sha256/),
      });
      expect((await ask(1)).stamp.level).toBe("one");
      expect(engine.health().state).toBe("ok");
      expect(engine.pids).toHaveLength(1);
    },
  );

  it("that does not come up leaves none where the old one had to go at once", async () => {
    await begin(CORRUPT);
    await expect(engine.switchTo("two", { way: "after", atOnce: true })).rejects.toMatchObject({
      code: "MODEL_CORRUPT",
    });
    expect(engine.level).toBeUndefined();
    expect(engine.pids).toEqual([]);
    const waiting = ask(1);
    await engine.switchTo("one", { way: "after" });
    expect((await waiting).stamp.level).toBe("one");
  });

  it("is one at a time, known, and nothing where it runs already", async () => {
    await begin();
    await engine.switchTo("one", { way: "beside" });
    expect(made).toEqual(["one"]);
    await expect(engine.switchTo("three", { way: "beside" })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
    });
    const first = engine.switchTo("two", { way: "beside" });
    await expect(engine.switchTo("one", { way: "beside" })).rejects.toThrow("already");
    await first;
    expect(engine.level).toBe("two");
  });

  it("can be given up while it loads, and the old one never stops answering", async () => {
    await begin();
    const given = new AbortController();
    const switching = engine.switchTo("two", { way: "beside", signal: given.signal });
    given.abort();
    await expect(switching).rejects.toMatchObject({ code: "CANCELLED" });
    expect((await ask(1)).stamp.level).toBe("one");
    expect(engine.pids).toHaveLength(1);
  });

  it("is given up where the service stops, and no child stays", async () => {
    await begin();
    const switching = engine.switchTo("two", { way: "beside" });
    await Promise.all([engine.stop(), switching.catch((error: unknown) => error)]);
    expect(engine.pids).toEqual([]);
  });
});

describe("a pause", () => {
  it("ends the model and says why; what waits is answered when a level runs again, or runs into its deadline", async () => {
    await begin();
    const pid = engine.pid ?? 0;
    await engine.pause("no memory is left");
    expect(alive(pid)).toBe(false);
    expect(engine.health()).toMatchObject({ state: "degraded", reason: "no memory is left" });
    const late = ask(1, 50);
    await expect(late).rejects.toMatchObject({ code: "DEADLINE_PASSED" });
    const waiting = ask(2);
    await engine.switchTo("two", { way: "after" });
    expect((await waiting).stamp.level).toBe("two");
  });
});

describe("a level that dies", () => {
  it("is told with the reason, and comes back by itself", async () => {
    await begin();
    const pid = engine.pid ?? 0;
    process.kill(pid, "SIGKILL");
    await until(() => died.length === 1);
    expect(died[0]).toMatchObject({ level: "one", fault: { code: "ENGINE_FAILED" } });
    await engine.ready(anySignal());
    expect(engine.pid).not.toBe(pid);
    expect((await ask(1)).stamp.level).toBe("one");
  });
});
