import { BoundedQueue } from "../kernel/bounded-queue.ts";
import { type Clock, sleep } from "../kernel/clock.ts";
import { isPerchError, PerchError } from "../kernel/errors.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Metrics } from "../kernel/metrics.ts";
import type { Health, Part } from "../kernel/part.ts";
import { type Engine, type EngineStamp, isRaw } from "./engine.ts";
import {
  type Answered,
  beginRaw,
  cancelledFault,
  dropFault,
  type InferenceRequest,
  type Job,
  jobOf,
  LANE_RULES,
  stoppingFault,
  type Waiting,
} from "./job.ts";
import { checkJpeg, checkWav } from "./media-check.ts";
import { Pacer } from "./pacer.ts";
import { poisonFault } from "./poison.ts";
import { Seat } from "./seat.ts";

export type { Answered, InferenceRequest } from "./job.ts";

interface Options {
  readonly engine: Engine;
  /** Takes, at no pace, what the engine has no slot for, rests from, or is not up for. */
  readonly overflow?: Engine;
  /** Requests that may wait. */
  readonly capacity: number;
  /** The data folder; inputs that kill the engine are kept under it. */
  readonly data: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Ms that stop() waits for the answers under way. Default 5 s. */
  readonly drain?: number;
  /** Ms that a request under which the engine died waits for its return. Default 5 min: a large model loads for minutes. */
  readonly patience?: number;
}

/**
 * The bounded queue before the engine, and before one that takes what that has no room for. As many requests as an
 * engine has slots are under way with it at once.
 *
 * When the engine dies, every request under way is a suspect: each is asked once more, alone, so that
 * none is blamed for its neighbour, and past its deadline if need be, for it was begun in time. One
 * under which it dies again is poison: its input is kept for somebody to look at, and it is not asked again.
 * One of whose answer somebody has a part cannot be asked again; it is over with the fault.
 */
export class Inference implements Part {
  readonly name = "inference";
  private readonly queue: BoundedQueue<Job>;
  private readonly pacer: Pacer;
  /** The engine's, then the overflow's. */
  private readonly seats: readonly Seat[];
  private suspects: Waiting[] = [];
  private readonly stopper = new AbortController();
  private started = false;
  private ids = 0;
  private idle: (() => void)[] = [];

  constructor(private readonly options: Options) {
    const { engine, overflow, clock } = options;
    this.pacer = new Pacer(clock);
    const shared = { clock, stopped: this.stopper.signal, onFree: () => this.pump() };
    this.seats = [
      new Seat({ ...shared, engine, pacer: this.pacer }),
      ...(overflow ? [new Seat({ ...shared, engine: overflow })] : []),
    ];
    this.queue = new BoundedQueue<Job>({
      lanes: LANE_RULES,
      capacity: options.capacity,
      clock: options.clock,
      onDrop: (ticket, reason) => ticket.value.reject(dropFault(ticket, reason, options.capacity)),
    });
  }

  async start(): Promise<void> {
    this.started = true;
    for (const { engine } of this.seats) engine.onRoom = (otherThings) => this.roomAt(otherThings);
    this.pump();
  }

  /** Takes no more, waits for the answers under way within the bound, and cancels what waits. */
  async stop(): Promise<void> {
    this.stopper.abort();
    for (const seat of this.seats) seat.stop();
    const waiting = [...this.queue.takeAll(), ...this.suspects.splice(0)];
    for (const { value } of waiting) value.reject(stoppingFault());
    const { clock, drain = 5_000 } = this.options;
    await Promise.race([this.untilIdle(), sleep(clock, drain)]);
    for (const { underWay } of this.seats) for (const given of underWay.values()) given.abort();
    await this.untilIdle();
    this.showLength();
  }

  /** Share of the time that the model may work from now on, 0 to 1. What has begun is answered. */
  setPace(pace: number): void {
    if (pace === this.pacer.pace) return;
    this.pacer.pace = pace;
    this.pump();
  }

  /** A meter: the share of the time since it was last asked, or made, in which the model worked. */
  workMeter(): () => number {
    return this.pacer.meter();
  }

  health(): Health {
    const state = this.stopper.signal.aborted ? "stopped" : this.started ? "ok" : "starting";
    return { state, detail: { waiting: this.queue.length, underWay: this.underWay } };
  }

  private get underWay(): number {
    return this.seats.reduce((sum, { underWay }) => sum + underWay.size, 0);
  }

  /**
   * Asks as soon as its turn comes. Rejects with MEDIA_INVALID (the media would hurt the engine),
   * DEADLINE_PASSED, QUEUE_FULL, SUPERSEDED, CANCELLED, ENGINE_REFUSED, ENGINE_POISON; a raw request whose
   * answer had begun also with ENGINE_FAILED and ENGINE_UNAVAILABLE.
   */
  async submit(request: InferenceRequest): Promise<Answered> {
    const { modelRequests } = this.options.metrics;
    const { lane } = request;
    try {
      const answered = await this.answered(request);
      modelRequests.inc({ lane, outcome: "answered" });
      return answered;
    } catch (error) {
      if (isPerchError(error)) modelRequests.inc({ lane, outcome: error.code.toLowerCase() });
      throw error;
    }
  }

  private async answered(request: InferenceRequest): Promise<Answered> {
    const { lane, deadline, newest, signal } = request;
    const work = "raw" in request ? request.raw : request.prompt;
    if (!isRaw(work)) {
      work.images?.forEach(checkJpeg);
      if (work.audio) checkWav(work.audio);
    }
    if (this.stopper.signal.aborted) throw stoppingFault();
    if (signal?.aborted) throw cancelledFault();
    const never = this.never(work);
    if (never) throw never;
    return await new Promise((resolve, reject) => {
      this.ids += 1;
      const added = this.options.clock.monotonic();
      const job = jobOf({ id: this.ids, added, work }, request, {
        answered: resolve,
        failed: reject,
        settled: () => signal?.removeEventListener("abort", onAbort),
      });
      const ticket: Waiting = { value: job, lane, deadline, ...(newest !== undefined && { newest }) };
      const onAbort = () => {
        const given = this.seats.flatMap(({ underWay }) => underWay.get(job) ?? [])[0];
        if (given) given.abort();
        else this.withdraw(ticket, cancelledFault());
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.queue.add(ticket);
      this.pump();
    });
  }

  /** Takes one out where it waits. */
  private withdraw(ticket: Waiting, fault: PerchError): void {
    if (ticket.value.settled) return;
    this.queue.remove(ticket);
    this.suspects = this.suspects.filter((other) => other !== ticket);
    ticket.value.reject(fault);
    this.showLength();
  }

  /** Why nobody here can ever do this; undefined where somebody can. */
  private never(work: Job["work"]): PerchError | undefined {
    const reasons = this.seats.map((seat) => seat.never(work));
    if (reasons.some((reason) => reason === undefined)) return undefined;
    return new PerchError("ENGINE_REFUSED", `nothing that answers here can do this: ${reasons.join("; ")}`);
  }

  /** An engine may take more than before; with `otherThings` it may also have turned out that it cannot do some. */
  private roomAt(otherThings: boolean): void {
    if (otherThings) {
      for (const ticket of [...this.queue.all(), ...this.suspects]) {
        const never = this.never(ticket.value.work);
        if (never) this.withdraw(ticket, never);
      }
    }
    this.pump();
  }

  /** Sends what may go now. */
  private pump(): void {
    this.showLength();
    if (!this.started) return;
    for (const seat of this.seats) {
      if (this.stopper.signal.aborted || this.queue.length + this.suspects.length === 0) break;
      if (seat.mayBegin()) this.fill(seat);
    }
    this.showLength();
  }

  private fill(seat: Seat): void {
    const suspect = this.suspects.find(({ value }) => this.homeOf(value) === seat);
    if (suspect) {
      // It goes alone: what is with the engine is let end first.
      if (seat.underWay.size > 0) return;
      this.suspects = this.suspects.filter((other) => other !== suspect);
      seat.alone = suspect.value;
      void this.serve(suspect, seat);
      return;
    }
    while (seat.hasSlot) {
      const ticket = this.queue.take(({ work }) => seat.can(work));
      if (!ticket) return;
      if (ticket.value.deaths.length > 0) {
        this.suspects.push(ticket);
        this.fill(seat);
        return;
      }
      void this.serve(ticket, seat);
    }
  }

  /** The first engine at which something may begin now that can answer it. */
  private homeOf({ work }: Job): Seat | undefined {
    return this.seats.find((seat) => seat.mayBegin() && seat.can(work));
  }

  private async serve(ticket: Waiting, seat: Seat): Promise<void> {
    const { clock, metrics } = this.options;
    const { engine } = seat;
    const job = ticket.value;
    const given = seat.begin(job);
    let { stamp } = engine;
    const sent = clock.monotonic();
    const queued = sent - job.added;
    try {
      if (isRaw(job.work)) beginRaw(job.work, stamp, queued);
      const reply = await engine.ask(job.work, given, (to) => {
        stamp = to;
        if (isRaw(job.work)) job.work.sink.begin(to, queued);
      });
      const received = clock.monotonic();
      metrics.observeStage("queue", queued);
      metrics.observeStage("engine", received - sent);
      metrics.promptTokens.inc({ cached: "yes" }, reply.tokens.cached);
      metrics.promptTokens.inc({ cached: "no" }, reply.tokens.prompt - reply.tokens.cached);
      metrics.answerTokens.inc(reply.tokens.answer);
      // The next request goes out first: what becomes of this answer may hold this thread for a while.
      this.over(job, seat);
      setImmediate(() => job.resolve({ reply, stamp, queued, sent, received }));
    } catch (error) {
      if (!isPerchError(error)) throw error;
      await this.failed(ticket, seat, error, stamp);
    } finally {
      this.over(job, seat);
    }
  }

  /** Its place at the engine is free. */
  private over(job: Job, seat: Seat): void {
    if (!seat.over(job)) return;
    if (this.underWay === 0) for (const wake of this.idle.splice(0)) wake();
    this.pump();
  }

  private async failed(ticket: Waiting, seat: Seat, error: PerchError, stamp: EngineStamp): Promise<void> {
    const job = ticket.value;
    if (error.code !== "ENGINE_UNAVAILABLE" && error.code !== "ENGINE_FAILED") return job.reject(error);
    seat.up = false;
    if (this.stopper.signal.aborted) return job.reject(stoppingFault());
    if (job.signal?.aborted) return job.reject(cancelledFault());
    const begun = isRaw(job.work) && job.work.sink.begun;
    if (error.code === "ENGINE_UNAVAILABLE") {
      if (begun) return job.reject(error);
      // It never had the request.
      if (job.deaths.length > 0) this.suspects.unshift(ticket);
      else this.queue.putBack(ticket);
      return;
    }
    job.deaths.push(error.message);
    if (job.deaths.length > 1) {
      const prompt = isRaw(job.work) ? { question: job.work.body } : job.work;
      job.reject(await poisonFault({ ...job, prompt, stamp }, this.options));
    } else if (begun) job.reject(error);
    else this.suspect(ticket);
  }

  private suspect(ticket: Waiting): void {
    const { clock, logger, patience = 300_000 } = this.options;
    logger.warn({ part: this.name }, "the engine failed under a request, which is asked once more, alone");
    this.suspects.push(ticket);
    clock.after(patience, () => {
      if (this.suspects.includes(ticket))
        this.withdraw(
          ticket,
          new PerchError("DEADLINE_PASSED", "the engine died and did not come back in time"),
        );
    });
  }

  private untilIdle(): Promise<void> {
    if (this.underWay === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.idle.push(resolve);
    });
  }

  private showLength(): void {
    this.options.metrics.queueLength.set(this.queue.length + this.suspects.length);
  }
}
