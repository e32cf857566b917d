import { describe, expect, it } from "vitest";
import { Lifecycle } from "../../service/kernel/lifecycle.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import type { Part } from "../../service/kernel/part.ts";
import { FakeClock } from "../support/fake-clock.ts";

const never = () => new Promise<void>(() => undefined);

/** Parts that write down what is asked of them. */
function parts(behaviour: Record<string, Partial<Part>>) {
  const asked: string[] = [];
  const made = Object.entries(behaviour).map(
    ([name, own]): Part => ({
      name,
      start: (signal) => {
        asked.push(`start ${name}`);
        return own.start?.(signal) ?? Promise.resolve();
      },
      stop: () => {
        asked.push(`stop ${name}`);
        return own.stop?.() ?? Promise.resolve();
      },
      health: () => own.health?.() ?? { state: "ok" },
    }),
  );
  const clock = new FakeClock();
  return {
    asked,
    clock,
    lifecycle: new Lifecycle(made, { clock, logger: silentLogger, stopDeadline: 10_000 }),
  };
}

const going = () => new AbortController().signal;
/** Lets everything that is ready go on. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe("parts", () => {
  it("start in order, each when the one before is up, and stop in reverse", async () => {
    let up: () => void = () => undefined;
    const slow = { start: () => new Promise<void>((resolve) => (up = resolve)) };
    const { asked, lifecycle } = parts({ a: {}, b: slow, c: {} });
    const started = lifecycle.start(going());
    await settle();
    expect(asked).toEqual(["start a", "start b"]);
    up();
    await started;
    await lifecycle.stop();
    expect(asked).toEqual(["start a", "start b", "start c", "stop c", "stop b", "stop a"]);
  });

  it("are stopped again, the one that failed first, when one throws, and the error goes on", async () => {
    const { asked, lifecycle } = parts({
      a: {},
      b: { start: () => Promise.reject(new Error("no disk")) },
      c: {},
    });
    await expect(lifecycle.start(going())).rejects.toThrow("no disk");
    expect(asked).toEqual(["start a", "start b", "stop b", "stop a"]);
    await lifecycle.stop();
    expect(asked).toHaveLength(4);
  });

  it("that do not stop are left behind at the deadline, each with one of its own", async () => {
    const { asked, clock, lifecycle } = parts({ a: {}, b: { stop: never }, c: { stop: never } });
    await lifecycle.start(going());
    let done = false;
    const stopped = lifecycle.stop().then(() => {
      done = true;
    });
    await settle();
    clock.advance(9_999);
    await settle();
    expect(asked.slice(3)).toEqual(["stop c"]);
    clock.advance(1);
    await settle();
    expect(asked.slice(3)).toEqual(["stop c", "stop b"]);
    expect(done).toBe(false);
    clock.advance(10_000);
    await stopped;
    expect(asked.slice(3)).toEqual(["stop c", "stop b", "stop a"]);
  });

  it("that fail to stop, at once or later, hold up no other", async () => {
    const { asked, lifecycle } = parts({
      a: {},
      b: { stop: () => Promise.reject(new Error("later")) },
      c: {
        stop: () => {
          throw new Error("at once");
        },
      },
    });
    await lifecycle.start(going());
    await lifecycle.stop();
    expect(asked.slice(3)).toEqual(["stop c", "stop b", "stop a"]);
  });

  it("are stopped once, however often it is asked for", async () => {
    const { asked, lifecycle } = parts({ a: {} });
    await lifecycle.start(going());
    await Promise.all([lifecycle.stop(), lifecycle.stop()]);
    await lifecycle.stop();
    expect(asked).toEqual(["start a", "stop a"]);
  });

  it("that had not begun to start do not when stop comes during the start", async () => {
    let up: () => void = () => undefined;
    const slow = { start: () => new Promise<void>((resolve) => (up = resolve)) };
    const { asked, lifecycle } = parts({ a: {}, b: slow, c: {} });
    const started = lifecycle.start(going());
    await settle();
    await lifecycle.stop();
    up();
    await started;
    expect(asked).toEqual(["start a", "start b", "stop b", "stop a"]);
  });

  it("that had not begun to start do not when the signal aborts", async () => {
    const ending = new AbortController();
    const { asked, lifecycle } = parts({ a: { start: async () => ending.abort() }, b: {} });
    await lifecycle.start(ending.signal);
    await lifecycle.stop();
    expect(asked).toEqual(["start a", "stop a"]);
  });

  it("tell their health by name", () => {
    const { lifecycle } = parts({ a: {}, b: { health: () => ({ state: "degraded", reason: "no broker" }) } });
    expect(lifecycle.health()).toEqual({ a: { state: "ok" }, b: { state: "degraded", reason: "no broker" } });
  });
});
