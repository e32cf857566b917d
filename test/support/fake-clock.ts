import type { Clock } from "../../service/kernel/clock.ts";

/** A clock that stands still until it is moved. */
export class FakeClock implements Clock {
  private timers: { due: number; callback: () => void }[] = [];

  constructor(private time = 1_750_000_000_000) {}

  now(): number {
    return this.time;
  }

  monotonic(): number {
    return this.time;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { due: this.time + ms, callback };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  /** Moves on by `ms`, calling back what falls due, in order. */
  advance(ms: number): void {
    const end = this.time + ms;
    for (;;) {
      const due = this.timers.filter((timer) => timer.due <= end).sort((a, b) => a.due - b.due)[0];
      if (!due) break;
      this.timers = this.timers.filter((timer) => timer !== due);
      this.time = Math.max(this.time, due.due);
      due.callback();
    }
    this.time = end;
  }
}
