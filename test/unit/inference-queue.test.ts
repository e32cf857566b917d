import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BoundedQueue, type QueueDrop, type Ticket } from "../../service/kernel/bounded-queue.ts";
import { FakeClock } from "../support/fake-clock.ts";

const LANES = ["kiosk", "alarm", "watch"];

function queueOf(capacity: number, patience: Record<string, number> = {}) {
  const clock = new FakeClock();
  const dropped: [string, QueueDrop][] = [];
  const queue = new BoundedQueue<string>({
    lanes: LANES.map((name) => ({ name, ...(patience[name] !== undefined && { patience: patience[name] }) })),
    capacity,
    clock,
    onDrop: (ticket, reason) => dropped.push([ticket.value, reason]),
  });
  const ticket = (value: string, lane: string, wait = 1000, newest?: string): Ticket<string> => ({
    value,
    lane,
    deadline: clock.monotonic() + wait,
    ...(newest !== undefined && { newest }),
  });
  const drain = () => queue.takeAll().map(({ value }) => value);
  return { clock, dropped, queue, ticket, drain };
}

describe("the bounded queue", () => {
  it("serves lanes in order and a lane in the order of arrival", () => {
    const { queue, ticket } = queueOf(8);
    for (const [value, lane] of [
      ["w1", "watch"],
      ["a1", "alarm"],
      ["w2", "watch"],
      ["k1", "kiosk"],
      ["a2", "alarm"],
    ] as const)
      queue.add(ticket(value, lane));
    expect(Array.from({ length: 6 }, () => queue.take()?.value)).toEqual([
      "k1",
      "a1",
      "a2",
      "w1",
      "w2",
      undefined,
    ]);
  });

  it("lets a lane with patience have its turn after so many of earlier lanes, but never before the first", () => {
    const { queue, ticket } = queueOf(20, { watch: 2 });
    for (const value of ["w1", "w2"]) queue.add(ticket(value, "watch"));
    for (const value of ["a1", "a2", "a3", "a4", "a5", "a6"]) queue.add(ticket(value, "alarm"));
    const taken = [queue.take()?.value, queue.take()?.value];
    queue.add(ticket("k1", "kiosk"));
    taken.push(...Array.from({ length: 7 }, () => queue.take()?.value ?? ""));
    expect(taken).toEqual(["a1", "a2", "k1", "w1", "a3", "a4", "w2", "a5", "a6"]);
  });

  it("keeps a place for one of each lane with patience, against others that have patience", () => {
    const { queue, ticket, dropped, drain } = queueOf(2, { alarm: 2, watch: 2 });
    for (const value of ["a1", "a2", "a3"]) queue.add(ticket(value, "alarm"));
    queue.add(ticket("w1", "watch"));
    queue.add(ticket("w2", "watch"));
    queue.add(ticket("a4", "alarm"));
    expect(dropped).toEqual([
      ["a3", "full"],
      ["w2", "full"],
      ["a4", "full"],
    ]);
    queue.add(ticket("k1", "kiosk"));
    expect(dropped.at(-1)).toEqual(["w1", "full"]);
    expect(drain()).toEqual(["k1", "a1", "a2"]);
  });

  it("gives a newcomer the place of the oldest in a later lane, and refuses it where there is none", () => {
    const { queue, ticket, dropped, drain } = queueOf(2);
    queue.add(ticket("w1", "watch"));
    queue.add(ticket("w2", "watch"));
    queue.add(ticket("w3", "watch"));
    queue.add(ticket("k1", "kiosk"));
    expect(dropped).toEqual([
      ["w3", "full"],
      ["w1", "full"],
    ]);
    expect(drain()).toEqual(["k1", "w2"]);
  });

  it("drops at the deadline, before a turn and without being asked", () => {
    const { queue, ticket, dropped, clock } = queueOf(4);
    queue.add(ticket("late", "watch", 100));
    queue.add(ticket("later", "watch", 200));
    queue.add(ticket("passed", "watch", 0));
    expect(dropped).toEqual([["passed", "deadline"]]);
    clock.advance(99);
    expect(queue.length).toBe(2);
    clock.advance(1);
    expect(queue.length).toBe(1);
    clock.advance(100);
    expect(queue.length).toBe(0);
    expect(dropped.slice(1)).toEqual([
      ["late", "deadline"],
      ["later", "deadline"],
    ]);
  });

  it("keeps only the newest of a key, also against one that is put back", () => {
    const { queue, ticket, dropped, drain } = queueOf(4);
    queue.add(ticket("old", "watch", 1000, "door"));
    const taken = queue.take();
    queue.add(ticket("new", "watch", 1000, "door"));
    queue.add(ticket("newer", "watch", 1000, "door"));
    if (taken) queue.putBack(taken);
    expect(dropped).toEqual([
      ["new", "superseded"],
      ["old", "superseded"],
    ]);
    expect(drain()).toEqual(["newer"]);
  });

  it("puts one back in front of its lane", () => {
    const { queue, ticket, drain } = queueOf(1);
    queue.add(ticket("first", "watch"));
    const taken = queue.take();
    queue.add(ticket("second", "watch"));
    if (taken) queue.putBack(taken);
    expect(drain()).toEqual(["first", "second"]);
  });

  it("loses nothing: every ticket is taken, dropped once, or still waits, within the capacity", () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant("add" as const),
        lane: fc.constantFrom(...LANES),
        wait: fc.integer({ min: 0, max: 50 }),
        newest: fc.option(fc.constantFrom("a", "b"), { nil: undefined }),
      }),
      fc.record({ kind: fc.constant("take" as const) }),
      fc.record({ kind: fc.constant("advance" as const), ms: fc.integer({ min: 0, max: 40 }) }),
      fc.record({ kind: fc.constant("remove" as const), index: fc.nat(20) }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 60 }), (capacity, steps) => {
        const { clock, dropped, queue, ticket } = queueOf(capacity, { watch: 3 });
        const added: Ticket<string>[] = [];
        const left: string[] = [];
        for (const [index, action] of steps.entries()) {
          if (action.kind === "add") {
            const one = ticket(String(index), action.lane, action.wait, action.newest);
            added.push(one);
            queue.add(one);
          } else if (action.kind === "take") {
            const taken = queue.take();
            if (taken) {
              expect(taken.deadline).toBeGreaterThan(clock.monotonic());
              left.push(taken.value);
            }
          } else if (action.kind === "advance") clock.advance(action.ms);
          else {
            const one = added[action.index];
            if (one && queue.remove(one)) left.push(one.value);
          }
          expect(queue.length).toBeLessThanOrEqual(capacity + 1);
        }
        const waiting = queue.takeAll();
        const order = waiting.map(({ lane }) => LANES.indexOf(lane));
        expect(order).toEqual(order.toSorted((a, b) => a - b));
        const keys = waiting.flatMap(({ newest }) => newest ?? []);
        expect(new Set(keys).size).toBe(keys.length);
        const fates = [...left, ...dropped.map(([value]) => value), ...waiting.map(({ value }) => value)];
        expect(fates.toSorted()).toEqual(added.map(({ value }) => value).toSorted());
      }),
      { numRuns: 500 },
    );
  });
});
