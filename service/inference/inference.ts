import { LANES, type Lane } from "../contract/config-watches.ts";
import { BoundedQueue, type QueueDrop, type Ticket } from "../kernel/bounded-queue.ts";
import { type Clock, sleep } from "../kernel/clock.ts";
import { isPerchError, PerchError } from "../kernel/errors.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Metrics } from "../kernel/metrics.ts";
import type { Health, Part } from "../kernel/part.ts";
import { type Engine, type EngineStamp, isRaw, type Prompt, type RawRequest, type Reply } from "./engine.ts";
import { checkJpeg, checkWav } from "./media-check.ts";
import { Pacer } from "./pacer.ts";
import { poisonFault } from "./poison.ts";

export type InferenceRequest = Terms & ({ readonly prompt: Prompt } | { readonly raw: RawRequest });

interface Terms {
  readonly lane: Lane;
  /** When it is dropped if it was not begun, monotonic ms. */
  readonly deadline: number;
  /** Of the requests that wait with the same key, only the newest is kept. */
  readonly newest?: string;
  readonly signal?: AbortSignal;
  /** Why the engine died under the same request, where somebody sends it again: it is a suspect from the start. */
  readonly deaths?: readonly string[];
}

export interface Answered {
  readonly reply: Reply;
  /** Which model answered. */
  readonly stamp: EngineStamp;
  /** Ms from submit to the engine. */
  readonly queued: number;
  /** When it went to the engine, monotonic ms. */
  readonly sent: number;
  /** When the answer was complete, monotonic ms. */
  readonly received: number;
}

interface Options {
  readonly engine: Engine;
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

interface Job {
  readonly id: number;
  readonly work: Prompt | RawRequest;
  readonly added: number;
  readonly signal: AbortSignal | undefined;
  /** Why the engine died under it, each time. */
  readonly deaths: string[];
  settled: boolean;
  resolve(answered: Answered): void;
  reject(error: PerchError): void;
}
type Waiting = Ticket<Job>;

/**
 * A kiosk's visitor waits for one answer at most, and an alarm for those before it; the others get their share, however
 * many programs ask: of twelve turns that all want, watches have three and batches one.
 */
const PATIENCE: Partial<Record<Lane, { readonly patience: number }>> = {
  api: { patience: 3 },
  watch: { patience: 3 },
  batch: { patience: 12 },
};

/** Before asking again an engine that is up but did not take a request, ms. */
const BREATH = 50;

/**
 * The bounded queue before the engine. As many requests as the engine has slots are under way at once.
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
  private cancelWait: (() => void) | undefined;
  /** A suspect that is with the engine: nothing goes beside it. */
  private alone: Job | undefined;
  /** What is with the engine, and how each is given up. */
  private readonly underWay = new Map<Job, AbortController>();
  private suspects: Waiting[] = [];
  private readonly stopper = new AbortController();
  private engineUp = false;
  private waitingForEngine = false;
  private started = false;
  private ids = 0;
  private idle: (() => void)[] = [];

  constructor(private readonly options: Options) {
    this.pacer = new Pacer(options.clock);
    this.queue = new BoundedQueue<Job>({
      lanes: LANES.map((name) => ({ name, ...PATIENCE[name] })),
      capacity: options.capacity,
      clock: options.clock,
      onDrop: (ticket, reason) => ticket.value.reject(dropFault(ticket, reason, options.capacity)),
    });
  }

  async start(): Promise<void> {
    this.started = true;
    this.pump();
  }

  /** Takes no more, waits for the answers under way within the bound, and cancels what waits. */
  async stop(): Promise<void> {
    this.stopper.abort();
    this.cancelWait?.();
    const waiting = [...this.queue.takeAll(), ...this.suspects.splice(0)];
    for (const { value } of waiting) value.reject(stoppingFault());
    const { clock, drain = 5_000 } = this.options;
    await Promise.race([this.untilIdle(), sleep(clock, drain)]);
    for (const given of this.underWay.values()) given.abort();
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
    return { state, detail: { waiting: this.queue.length, underWay: this.underWay.size } };
  }

  /**
   * Asks as soon as its turn comes. Rejects with MEDIA_INVALID (the media would hurt the engine),
   * DEADLINE_PASSED, QUEUE_FULL, SUPERSEDED, CANCELLED, ENGINE_REFUSED, ENGINE_POISON; a raw request whose
   * answer had begun also with ENGINE_FAILED and ENGINE_UNAVAILABLE.
   */
  async submit(request: InferenceRequest): Promise<Answered> {
    const { lane, deadline, newest, signal } = request;
    const work = "raw" in request ? request.raw : request.prompt;
    if (!isRaw(work)) {
      work.images?.forEach(checkJpeg);
      if (work.audio) checkWav(work.audio);
    }
    if (this.stopper.signal.aborted) throw stoppingFault();
    if (signal?.aborted) throw cancelledFault();
    return await new Promise((resolve, reject) => {
      const job = this.jobOf(work, request, {
        answered: resolve,
        failed: reject,
        settled: () => signal?.removeEventListener("abort", onAbort),
      });
      const ticket: Waiting = { value: job, lane, deadline, ...(newest !== undefined && { newest }) };
      const onAbort = () => {
        const given = this.underWay.get(job);
        if (given) given.abort();
        else this.withdraw(ticket, cancelledFault());
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.queue.add(ticket);
      this.pump();
    });
  }

  private jobOf(
    work: Prompt | RawRequest,
    { signal, deaths = [] }: Terms,
    on: { answered(answered: Answered): void; failed(error: PerchError): void; settled(): void },
  ): Job {
    this.ids += 1;
    const job: Job = {
      id: this.ids,
      work,
      added: this.options.clock.monotonic(),
      signal,
      deaths: [...deaths],
      settled: false,
      resolve: (answered) => {
        job.settled = true;
        on.settled();
        on.answered(answered);
      },
      reject: (error) => {
        job.settled = true;
        on.settled();
        on.failed(error);
      },
    };
    return job;
  }

  /** Takes one out where it waits. */
  private withdraw(ticket: Waiting, fault: PerchError): void {
    if (ticket.value.settled) return;
    this.queue.remove(ticket);
    this.suspects = this.suspects.filter((other) => other !== ticket);
    ticket.value.reject(fault);
    this.showLength();
  }

  /** Sends what may go now. */
  private pump(): void {
    this.showLength();
    if (!this.started || this.stopper.signal.aborted) return;
    if (this.queue.length === 0 && this.suspects.length === 0) return;
    if (!this.engineUp) return void this.awaitEngine();
    if (this.alone || this.rests()) return;
    if (this.suspects.length > 0) {
      const suspect = this.underWay.size === 0 ? this.suspects.shift() : undefined;
      this.alone = suspect?.value;
      if (suspect) void this.serve(suspect);
      return;
    }
    while (this.engineUp && this.underWay.size < this.options.engine.slots) {
      const ticket = this.queue.take();
      if (!ticket) break;
      if (ticket.value.deaths.length > 0) {
        this.suspects.push(ticket);
        this.pump();
        return;
      }
      void this.serve(ticket);
    }
    this.showLength();
  }

  /** Whether the pace lets nothing begin yet; then it goes on by itself when it does. */
  private rests(): boolean {
    this.cancelWait?.();
    this.cancelWait = undefined;
    const wait = this.pacer.wait();
    if (wait > 0 && wait < Number.POSITIVE_INFINITY)
      this.cancelWait = this.options.clock.after(Math.ceil(wait), () => this.pump());
    return wait > 0;
  }

  private async awaitEngine(): Promise<void> {
    if (this.waitingForEngine) return;
    this.waitingForEngine = true;
    const { engine, clock } = this.options;
    const { signal } = this.stopper;
    try {
      await sleep(clock, BREATH, signal);
      await engine.ready(signal);
      this.engineUp = true;
    } catch (error) {
      // The engine was stopped before this part was; what waits runs into its deadline.
      if (!isPerchError(error)) throw error;
      await sleep(clock, 1_000, signal);
    } finally {
      this.waitingForEngine = false;
    }
    this.pump();
  }

  private async serve(ticket: Waiting): Promise<void> {
    const { engine, clock, metrics } = this.options;
    const job = ticket.value;
    const given = new AbortController();
    this.underWay.set(job, given);
    this.pacer.begin();
    const { stamp } = engine;
    const sent = clock.monotonic();
    const queued = sent - job.added;
    try {
      if (isRaw(job.work)) beginRaw(job.work, stamp, queued);
      const reply = await engine.ask(job.work, given.signal);
      const received = clock.monotonic();
      metrics.observeStage("queue", queued);
      metrics.observeStage("engine", received - sent);
      metrics.promptTokens.inc({ cached: "yes" }, reply.tokens.cached);
      metrics.promptTokens.inc({ cached: "no" }, reply.tokens.prompt - reply.tokens.cached);
      metrics.answerTokens.inc(reply.tokens.answer);
      // The next request goes out first: what becomes of this answer may hold this thread for a while.
      this.over(job);
      setImmediate(() => job.resolve({ reply, stamp, queued, sent, received }));
    } catch (error) {
      if (!isPerchError(error)) throw error;
      await this.failed(ticket, error, stamp);
    } finally {
      this.over(job);
    }
  }

  /** Its place at the engine is free. */
  private over(job: Job): void {
    if (!this.underWay.delete(job)) return;
    this.pacer.end();
    if (this.alone === job) this.alone = undefined;
    if (this.underWay.size === 0) for (const wake of this.idle.splice(0)) wake();
    this.pump();
  }

  private async failed(ticket: Waiting, error: PerchError, stamp: EngineStamp): Promise<void> {
    const job = ticket.value;
    if (error.code !== "ENGINE_UNAVAILABLE" && error.code !== "ENGINE_FAILED") return job.reject(error);
    this.engineUp = false;
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
    if (this.underWay.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.idle.push(resolve);
    });
  }

  private showLength(): void {
    this.options.metrics.queueLength.set(this.queue.length + this.suspects.length);
  }
}

/** Throws SUPERSEDED where another level runs than the one that it must be answered by. */
function beginRaw({ level, sink }: RawRequest, stamp: EngineStamp, queued: number): void {
  if (level !== undefined && level !== stamp.level)
    throw new PerchError("SUPERSEDED", `level ${level} was asked for, and ${stamp.level} runs now`);
  sink.begin(stamp, queued);
}

const stoppingFault = () => new PerchError("CANCELLED", "Perch is stopping");
const cancelledFault = () => new PerchError("CANCELLED", "the request was given up");

function dropFault({ lane }: Waiting, reason: QueueDrop, capacity: number): PerchError {
  switch (reason) {
    case "deadline":
      return new PerchError("DEADLINE_PASSED", "the engine had no time for this request before its deadline");
    case "superseded":
      return new PerchError("SUPERSEDED", "a newer request took the place of this one");
    case "full":
      return new PerchError(
        "QUEUE_FULL",
        `${capacity} requests wait already, none of them less urgent than lane ${lane}`,
      );
  }
}
