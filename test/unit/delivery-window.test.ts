import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PublishWindow } from "../../service/delivery/publish-window.ts";
import type { OutboxRow } from "../../service/record/outbox-row.ts";

const row = (id: number): OutboxRow => ({ id, topic: "t", payload: "{}", at: 0 });

type Step = { do: "append" | "fill" | "acknowledge" | "refuse" | "disconnect"; pick: number };

/** Drives a window as the drain does, against an outbox and a broker that are plain lists. */
class Model {
  readonly window: PublishWindow;
  readonly outbox: OutboxRow[] = [];
  readonly done = new Set<number>();
  /** Ids in the order in which they were sent over the connection that there is now. */
  sentNow: number[] = [];
  readonly firstSent: number[] = [];
  private refusedNow = new Set<number>();
  private nextId = 1;

  constructor(readonly size: number) {
    this.window = new PublishWindow(size);
  }

  step({ do: what, pick }: Step): void {
    const underWay = this.sentNow.filter((id) => this.window.has(id));
    const id = underWay[pick % Math.max(1, underWay.length)];
    if (what === "append") this.outbox.push(row(this.nextId++));
    else if (what === "fill") this.fill();
    else if (what === "disconnect") this.disconnect();
    else if (id !== undefined) this.answer(id, what === "acknowledge");
  }

  fill(): void {
    for (const next of this.outbox.filter(({ id }) => id > this.window.after)) {
      if (this.window.room <= 0) return;
      this.window.passed(next.id);
      if (this.window.has(next.id) || this.done.has(next.id) || this.refusedNow.has(next.id)) continue;
      expect(this.sentNow).not.toContain(next.id);
      this.window.sent(next, 0);
      this.sentNow.push(next.id);
      if (!this.firstSent.includes(next.id)) this.firstSent.push(next.id);
      expect(this.window.inFlight).toBeLessThanOrEqual(this.size);
    }
  }

  answer(id: number, taken: boolean): void {
    expect(this.window.settled(id, taken)?.row.id).toBe(id);
    expect(this.window.settled(id, taken)).toBeUndefined();
    if (taken) this.done.add(id);
    else this.refusedNow.add(id);
  }

  disconnect(): void {
    this.window.lost(false);
    expect(this.window.inFlight).toBe(0);
    expect(this.window.after).toBe(0);
    this.sentNow = [];
    this.refusedNow = new Set();
  }
}

const steps = fc.array(
  fc.record({
    do: fc.constantFrom<Step["do"][]>(
      "append",
      "append",
      "fill",
      "fill",
      "acknowledge",
      "acknowledge",
      "refuse",
      "disconnect",
    ),
    pick: fc.nat(50),
  }),
  { maxLength: 200 },
);

describe("the sliding window", () => {
  it("loses nothing, sends in order and never twice over one connection, whatever the broker does", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 7 }), steps, (size, sequence) => {
        const model = new Model(size);
        for (const step of sequence) {
          model.step(step);
          expect(model.sentNow).toEqual([...model.sentNow].sort((a, b) => a - b));
        }
        model.disconnect();
        while (model.done.size < model.outbox.length) {
          model.fill();
          for (const id of model.sentNow) if (model.window.has(id)) model.answer(id, true);
        }
        expect([...model.done].sort((a, b) => a - b)).toEqual(model.outbox.map(({ id }) => id));
        expect(model.firstSent).toEqual([...model.firstSent].sort((a, b) => a - b));
      }),
    );
  });

  it("names the row that breaks five connections in which it goes alone", () => {
    const window = new PublishWindow(10);
    for (const id of [1, 2, 3]) window.sent(row(id), 0);
    expect(window.lost(true)).toBeUndefined();
    for (let strike = 1; strike <= 5; strike += 1) {
      expect(window.room).toBe(1);
      window.sent(row(1), 0);
      expect(window.lost(true)?.id).toBe(strike === 5 ? 1 : undefined);
    }
    expect(window.room).toBe(10);
    window.sent(row(1), 0);
    window.sent(row(2), 0);
    expect(window.lost(true)).toBeUndefined();
    window.sent(row(1), 0);
    expect(window.lost(true)?.id).toBe(1);
  });

  it("blames no row when the connection ends for another reason or after an acknowledgement", () => {
    const window = new PublishWindow(10);
    for (let round = 0; round < 20; round += 1) {
      window.sent(row(1), 0);
      expect(window.lost(false)).toBeUndefined();
      window.sent(row(1), 0);
      window.sent(row(2), 0);
      window.settled(1, true);
      expect(window.lost(true)).toBeUndefined();
      expect(window.room).toBe(10);
    }
  });
});
