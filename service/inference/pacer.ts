import type { Clock } from "../kernel/clock.ts";
import { Rest } from "./rest.ts";

/** Keeps what is sent to the engine at a pace, and knows what share of the time it has worked. */
export class Pacer {
  private readonly rest = new Rest();
  private paceNow = 1;
  private underWay = 0;
  /** When what follows was last brought up to date, monotonic ms. */
  private at: number;
  /** Seconds of work since the beginning. */
  private total = 0;

  constructor(private readonly clock: Clock) {
    this.at = clock.monotonic();
  }

  /** Share of the time that the model may work. */
  get pace(): number {
    return this.paceNow;
  }

  set pace(pace: number) {
    this.account();
    this.paceNow = pace;
  }

  /** An answer begins. */
  begin(): void {
    this.account();
    this.underWay += 1;
  }

  /** An answer that had begun is over, whichever way. */
  end(): void {
    this.account();
    this.underWay -= 1;
  }

  /** Ms until the next answer may begin; Infinity while none may. */
  wait(): number {
    this.account();
    return 1000 * this.rest.waits(this.paceNow);
  }

  /** A meter of its own for whoever asks: the share of the time since it was last asked in which the model worked. */
  meter(): () => number {
    let since = this.clock.monotonic();
    let before = this.seconds();
    return () => {
      const seconds = this.seconds();
      const passed = (this.at - since) / 1000;
      const share = passed > 0 ? Math.min(1, (seconds - before) / passed) : this.underWay > 0 ? 1 : 0;
      since = this.at;
      before = seconds;
      return share;
    };
  }

  private seconds(): number {
    this.account();
    return this.total;
  }

  private account(): void {
    const now = this.clock.monotonic();
    const seconds = (now - this.at) / 1000;
    this.at = now;
    if (this.underWay === 0) this.rest.rested(seconds, this.paceNow);
    else {
      this.total += seconds;
      this.rest.worked(seconds);
    }
  }
}
