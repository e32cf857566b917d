import { setImmediate as nextTurn } from "node:timers/promises";

/**
 * Divides long work of several askers into turns of the event loop: one step in each, of whoever waits longest, so
 * that however many ask, what else the service does waits for one step only.
 */
export class Turns {
  private last: Promise<unknown> = Promise.resolve();

  /** Resolves when it is this one's turn. */
  next(): Promise<unknown> {
    this.last = this.last.then(() => nextTurn());
    return this.last;
  }
}
