import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Lane } from "../../service/contract/config-watches.ts";
import { Inference } from "../../service/inference/inference.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import { PerchError } from "../../service/kernel/errors.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { ScriptedEngine } from "../support/engine-fake.ts";
import { picture } from "../support/engine-media.ts";

let data: string;
let engine: ScriptedEngine;
let inference: Inference;
let metrics: Metrics;

beforeEach(async () => {
  data = mkdtempSync(join(tmpdir(), "perch-test-"));
  metrics = new Metrics();
  await begin(2, 4);
});
afterEach(async () => {
  for (const one of engine.asked.slice()) one.answer();
  await inference.stop();
  rmSync(data, { recursive: true });
});

async function begin(slots: number, capacity: number, patience = 60_000): Promise<void> {
  engine = new ScriptedEngine(slots);
  const options = { engine, capacity, data, metrics, patience, drain: 200 };
  inference = new Inference({ ...options, clock: systemClock, logger: silentLogger });
  await inference.start();
}

/** Submits, and says later what became of it: the text or the code of the error. */
function ask(
  question: string,
  lane: Lane = "watch",
  more: { newest?: string; in?: number; signal?: AbortSignal } = {},
) {
  const { in: limit = 60_000, ...rest } = more;
  return inference
    .submit({ prompt: { question }, lane, deadline: systemClock.monotonic() + limit, ...rest })
    .then(
      ({ reply }) => reply.text,
      (error: PerchError) => error.code,
    );
}

const settle = () => wait(80);
const answerAll = async () => {
  while (engine.asked.length > 0) {
    engine.asked[0]?.answer();
    await wait(1);
  }
};
const oldest = () => engine.asked[0] ?? expect.fail("nothing was asked");

describe("the queue before the engine", () => {
  it("keeps its slots full, and serves lanes in order", async () => {
    const first = [ask("1"), ask("2")];
    await settle();
    const rest = [ask("batch", "batch"), ask("alarm", "alarm"), ask("kiosk", "kiosk"), ask("api", "api")];
    expect(engine.asked).toHaveLength(2);
    await answerAll();
    expect(await Promise.all([...first, ...rest])).toEqual(["1", "2", "batch", "alarm", "kiosk", "api"]);
    expect(engine.history).toEqual(["1", "2", "kiosk", "alarm", "api", "batch"]);
  });

  it("stamps when a request went to the engine and how long it waited", async () => {
    const answered = inference.submit({
      prompt: { question: "q" },
      lane: "api",
      deadline: Number.MAX_SAFE_INTEGER,
    });
    await settle();
    oldest().answer();
    const { queued, sent, received, stamp } = await answered;
    expect(received).toBeGreaterThanOrEqual(sent);
    expect(queued).toBeGreaterThanOrEqual(0);
    expect(stamp).toEqual(engine.stamp);
    expect(await metrics.totalsBy(metrics.promptTokens, "cached")).toEqual({ yes: 0, no: 1 });
  });

  it("drops what waits past its deadline without asking it, but not what was begun", async () => {
    const begun = [ask("1", "watch", { in: 100 }), ask("2", "watch", { in: 100 })];
    await settle();
    expect(await ask("late", "watch", { in: 30 })).toBe("DEADLINE_PASSED");
    await wait(50);
    await answerAll();
    expect(await Promise.all(begun)).toEqual(["1", "2"]);
    expect(engine.history).not.toContain("late");
  });

  it("refuses when full, after dropping what is less urgent", async () => {
    const begun = [ask("1"), ask("2")];
    await settle();
    const waiting = [ask("b1", "batch"), ask("w1"), ask("w2"), ask("w3")];
    expect(await ask("b2", "batch")).toBe("QUEUE_FULL");
    const kiosk = ask("kiosk", "kiosk");
    expect(await waiting[0]).toBe("QUEUE_FULL");
    await answerAll();
    expect(await Promise.all([...begun, ...waiting.slice(1), kiosk])).toEqual([
      "1",
      "2",
      "w1",
      "w2",
      "w3",
      "kiosk",
    ]);
  });

  it("lets only the newest of a key wait", async () => {
    const begun = [ask("1", "watch", { newest: "door" }), ask("2")];
    await settle();
    const old = ask("old", "watch", { newest: "door" });
    const fresh = ask("new", "watch", { newest: "door" });
    expect(await old).toBe("SUPERSEDED");
    await answerAll();
    expect(await Promise.all([...begun, fresh])).toEqual(["1", "2", "new"]);
  });

  it("gives up what its caller gives up, waiting or under way", async () => {
    const given = new AbortController();
    const { signal } = given;
    const under = [ask("1", "watch", { signal }), ask("2")];
    await settle();
    const waiting = ask("3", "watch", { signal });
    given.abort();
    expect(await waiting).toBe("CANCELLED");
    expect(await under[0]).toBe("CANCELLED");
    expect(await ask("4", "watch", { signal })).toBe("CANCELLED");
    await answerAll();
    expect(await under[1]).toBe("2");
    expect(engine.history).toEqual(["1", "2"]);
  });

  it("passes a refusal on to its own caller only", async () => {
    const asked = [ask("wrong"), ask("right")];
    await settle();
    oldest().fail(new PerchError("ENGINE_REFUSED", "no"));
    await wait(1);
    await answerAll();
    expect(await Promise.all(asked)).toEqual(["ENGINE_REFUSED", "right"]);
  });

  it("refuses media that would hurt the engine before it is asked", async () => {
    const bad = (prompt: { images?: Buffer[]; audio?: Buffer }) =>
      inference.submit({
        prompt: { question: "?", ...prompt },
        lane: "api",
        deadline: Number.MAX_SAFE_INTEGER,
      });
    await expect(bad({ images: [picture(), Buffer.from("x")] })).rejects.toMatchObject({
      code: "MEDIA_INVALID",
    });
    await expect(bad({ audio: Buffer.alloc(0) })).rejects.toMatchObject({ code: "MEDIA_INVALID" });
    expect(engine.history).toEqual([]);
  });
});

describe("after the engine died", () => {
  it("asks each suspect alone, before all that waits", async () => {
    const asked = [ask("1"), ask("2"), ask("3"), ask("4", "kiosk")];
    await settle();
    engine.setUp(false);
    await settle();
    expect(engine.asked).toHaveLength(0);
    engine.setUp(true);
    await settle();
    const alone = [];
    for (let index = 0; index < 2; index += 1) {
      expect(engine.asked).toHaveLength(1);
      alone.push(oldest().prompt.question);
      // What comes meanwhile waits like the others.
      asked.push(ask(`meanwhile ${index}`));
      await settle();
      expect(engine.asked).toHaveLength(1);
      oldest().answer();
      await wait(5);
    }
    await answerAll();
    expect(await Promise.all(asked)).toEqual(["1", "2", "3", "4", "meanwhile 0", "meanwhile 1"]);
    expect(alone).toHaveLength(2);
    expect(engine.history.slice(2, 4).toSorted()).toEqual(alone.toSorted());
  });

  it("does not ask a third time what it died under twice", async () => {
    const poison = ask("poison");
    for (let death = 0; death < 2; death += 1) {
      await settle();
      engine.setUp(false);
      await settle();
      engine.setUp(true);
    }
    expect(await poison).toBe("ENGINE_POISON");
    expect(engine.history).toEqual(["poison", "poison"]);
    expect(readdirSync(join(data, "poison"))).toHaveLength(1);
  });

  it("keeps the newest twenty of what it died under", async () => {
    for (let index = 0; index < 22; index += 1) {
      const poison = ask(`poison ${index}`);
      for (let death = 1; death <= 2; death += 1) {
        while (engine.asked.length === 0) await wait(5);
        oldest().fail(new PerchError("ENGINE_FAILED", `death ${death}`));
      }
      expect(await poison).toBe("ENGINE_POISON");
    }
    const kept = readdirSync(join(data, "poison")).toSorted();
    const questions = kept.map(
      (name) => JSON.parse(readFileSync(join(data, "poison", name, "prompt.json"), "utf8")).question,
    );
    expect(questions).toEqual(Array.from({ length: 20 }, (_, index) => `poison ${index + 2}`));
  });

  it("gives up on suspects when it does not come back", async () => {
    await begin(1, 4, 100);
    const asked = ask("1");
    await settle();
    engine.setUp(false);
    expect(await asked).toBe("DEADLINE_PASSED");
  });

  it("sends what the engine was not there to take as if nothing had been", async () => {
    const asked = [ask("1"), ask("2")];
    await settle();
    for (const one of engine.asked.slice()) one.fail(new PerchError("ENGINE_UNAVAILABLE", "not up"));
    await settle();
    await answerAll();
    expect((await Promise.all(asked)).toSorted()).toEqual(["1", "2"]);
  });
});

describe("a stop", () => {
  it("waits for what is under way within its bound, cancels the rest and takes no more", async () => {
    const asked = [ask("quick"), ask("never"), ask("waiting")];
    await settle();
    const stopped = inference.stop();
    expect(await ask("too late")).toBe("CANCELLED");
    oldest().answer();
    await stopped;
    expect(await Promise.all(asked)).toEqual(["quick", "CANCELLED", "CANCELLED"]);
  });
});

describe("requests", () => {
  it("are counted by lane and by how they ended", async () => {
    const all = [ask("a", "kiosk"), ask("b", "api"), ask("c", "api"), ask("d", "watch", { in: 0 })];
    await settle();
    await answerAll();
    expect(await Promise.all(all)).toEqual(["a", "b", "c", "DEADLINE_PASSED"]);
    const { values } = await metrics.modelRequests.get();
    expect(values.map(({ labels: { lane, outcome }, value }) => [lane, outcome, value])).toEqual([
      ["watch", "deadline_passed", 1],
      ["kiosk", "answered", 1],
      ["api", "answered", 2],
    ]);
  });
});
