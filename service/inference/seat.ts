import { type Clock, sleep } from "../kernel/clock.ts";
import { isPerchError } from "../kernel/errors.ts";
import type { Engine } from "./engine.ts";
import type { Job } from "./job.ts";
import type { Pacer } from "./pacer.ts";

/** Before asking again an engine that is up but did not take a request, ms. */
const BREATH = 50;

interface Options {
  readonly engine: Engine;
  /** Of an engine that works at a pace. */
  readonly pacer?: Pacer;
  readonly clock: Clock;
  /** Aborts when nothing is asked any more. */
  readonly stopped: AbortSignal;
  /** It may begin something again. */
  readonly onFree: () => void;
}

/** An engine, and what is with it. */
export class Seat {
  readonly engine: Engine;
  /** What is with the engine, and how each is given up. */
  readonly underWay = new Map<Job, AbortController>();
  /** A suspect that is with the engine: nothing goes beside it. */
  alone: Job | undefined;
  /** It answered when it was last asked for. */
  up = false;
  private waiting = false;
  private cancelRest: (() => void) | undefined;

  constructor(private readonly options: Options) {
    this.engine = options.engine;
  }

  /** Whether something may begin here now, were there a slot; if not, onFree tells when. */
  mayBegin(): boolean {
    if (!this.up) void this.comeUp();
    return this.up && !this.alone && !this.rests();
  }

  get hasSlot(): boolean {
    return this.up && this.underWay.size < this.engine.slots;
  }

  /** Whether the engine can begin this now. */
  can(work: Job["work"]): boolean {
    return (this.engine.fits?.(work) ?? "now") === "now";
  }

  /** Why the engine never can do this; undefined where it can. */
  never(work: Job["work"]): string | undefined {
    const fit = this.engine.fits?.(work);
    return typeof fit === "object" ? fit.never : undefined;
  }

  /** It goes to the engine; gives what to give it up with. */
  begin(job: Job): AbortSignal {
    const given = new AbortController();
    this.underWay.set(job, given);
    this.options.pacer?.begin();
    return given.signal;
  }

  /** Its place at the engine is free; false where it was already. */
  over(job: Job): boolean {
    if (!this.underWay.delete(job)) return false;
    this.options.pacer?.end();
    if (this.alone === job) this.alone = undefined;
    return true;
  }

  /** Nothing that rests is waited for any more. */
  stop(): void {
    this.cancelRest?.();
  }

  /** Whether the pace lets nothing begin yet; then it goes on by itself when it does. */
  private rests(): boolean {
    const { pacer, clock, onFree } = this.options;
    this.cancelRest?.();
    this.cancelRest = undefined;
    const wait = pacer?.wait() ?? 0;
    if (wait > 0 && wait < Number.POSITIVE_INFINITY) this.cancelRest = clock.after(Math.ceil(wait), onFree);
    return wait > 0;
  }

  private async comeUp(): Promise<void> {
    if (this.waiting) return;
    this.waiting = true;
    const { engine, clock, stopped, onFree } = this.options;
    try {
      await sleep(clock, BREATH, stopped);
      await engine.ready(stopped);
      this.up = true;
    } catch (error) {
      // The engine was stopped before the queue was; what waits runs into its deadline.
      if (!isPerchError(error)) throw error;
      await sleep(clock, 1_000, stopped);
    } finally {
      this.waiting = false;
    }
    onFree();
  }
}
