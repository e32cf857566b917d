import { type Clock, sleep } from "../kernel/clock.ts";
import { isPerchError, PerchError } from "../kernel/errors.ts";
import type { Logger } from "../kernel/logger.ts";
import { type ChildExit, type ChildSpec, SupervisedProcess } from "../kernel/supervised-process.ts";
import { ChatClient, connectionBroke } from "./chat-client.ts";
import type { RawRequest, Reply, Sink } from "./engine.ts";
import { explainExit } from "./engine-exit.ts";
import { PROBE } from "./probe.ts";
import { type ChatRequest, chatRequest } from "./prompt.ts";

/** All in ms. */
export interface LifeTimings {
  /** An answer that takes longer counts as a stuck engine. */
  readonly request: number;
  /** Time between two beats of the heart. */
  readonly beat: number;
  /** How long a beat may take. */
  readonly beatTimeout: number;
  /** Beats in a row without an answer after which it counts as stuck. */
  readonly missedBeats: number;
  /** Loading may take no longer. */
  readonly load: number;
  /** From SIGTERM to SIGKILL. */
  readonly grace: number;
}

interface Options {
  readonly spec: ChildSpec;
  readonly socket: string;
  readonly apiKey: string;
  /** What is loaded, for the log. */
  readonly title: string;
  readonly timings: LifeTimings;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How a life ended. */
export interface LifeEnd {
  /** Why, in plain words. */
  readonly fault: PerchError;
  /** The last lines that it wrote. */
  readonly stderr: readonly string[];
  /** Ms during which it answered requests. */
  readonly answered: number;
}

const POLL = 20;
const SLOW_POLL = 250;
/** Between a broken connection and the exit that explains it, ms at most. */
const LAST_WORDS = 1_000;
/** Loading that takes longer is worth a line in the log, and another one each time so much more went by, ms. */
const LOAD_NOTE = [2_000, 10_000] as const;

/** One llama-server process from its start to its end; it is not started again. */
export class EngineLife {
  /** Resolves when the process is gone. */
  readonly ended: Promise<LifeEnd>;
  private readonly process: SupervisedProcess;
  private readonly client: ChatClient;
  private readonly over = new AbortController();
  private resolveEnded: (end: LifeEnd) => void = () => undefined;
  private upSince: number | undefined;
  private condemned: PerchError | undefined;
  private stopping = false;
  private finished = false;

  constructor(private readonly options: Options) {
    const { spec, socket, apiKey, clock, logger, timings } = options;
    this.client = new ChatClient({ socketPath: socket, apiKey });
    this.ended = new Promise((resolve) => {
      this.resolveEnded = resolve;
    });
    this.process = new SupervisedProcess({
      name: "engine",
      clock,
      logger,
      grace: timings.grace,
      backoff: { first: 0, most: 0 },
      spec: () => spec,
      onSpawn: ({ stdout }) => stdout.resume(),
      onStderr: (line) => logger.debug({ child: "engine" }, line),
      onExit: (exit) => {
        this.finish(exit);
        return "stay-down";
      },
    });
  }

  get pid(): number | undefined {
    return this.process.pid;
  }

  /** Whether it answers requests. */
  get up(): boolean {
    return this.upSince !== undefined && !this.over.signal.aborted;
  }

  /** Starts it; resolves when it has answered a real request. Rejects with what ended it before that. */
  async begin(): Promise<void> {
    const { clock, timings, title, logger } = this.options;
    const begun = clock.monotonic();
    this.process.start();
    const cancel = clock.after(timings.load, () =>
      this.condemn(`it did not finish loading ${title} within ${timings.load / 1000} s`),
    );
    try {
      await this.loaded(begun);
      await this.probe();
      if (this.over.signal.aborted) throw (await this.ended).fault;
    } finally {
      cancel();
    }
    this.upSince = clock.monotonic();
    logger.info(`engine ready: ${title} (${((this.upSince - begun) / 1000).toFixed(1)} s)`);
    void this.heartbeat();
  }

  /** As Engine.ask. */
  async ask(request: ChatRequest, signal: AbortSignal): Promise<Reply> {
    const begun = this.options.clock.monotonic();
    const forget = this.stuckAfterAWhile(() => begun);
    try {
      return await this.client.complete(request, signal);
    } catch (error) {
      throw await this.explained(error);
    } finally {
      forget();
    }
  }

  /** As Engine.ask, of a raw request. It may take as long as it likes, as long as something comes. */
  async pass(raw: RawRequest, signal: AbortSignal): Promise<Reply> {
    const { clock } = this.options;
    let heard = clock.monotonic();
    let reading = true;
    const forget = this.stuckAfterAWhile(() => {
      // While whoever reads it is slow, the engine is not.
      if (!reading) heard = clock.monotonic();
      return heard;
    });
    const take: Sink["take"] = (events) => {
      // A comment comes from the server, not from the model, which may be stuck all the same.
      if (!events.startsWith(":")) heard = clock.monotonic();
      const room = raw.sink.take(events);
      if (!room) return undefined;
      reading = false;
      return room.then(() => {
        reading = true;
        heard = clock.monotonic();
      });
    };
    try {
      return await this.client.pass(raw, take, signal);
    } catch (error) {
      throw await this.explained(error);
    } finally {
      forget();
    }
  }

  /** Ends it: SIGTERM, then SIGKILL. Resolves when it is gone. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.over.abort();
    await this.process.stop();
    this.finish({ code: null, signal: "SIGTERM", stderr: this.process.stderr, lifetime: 0 });
  }

  /** Ends it once it was silent on a request for too long. `heard`: when it last was not, monotonic ms. */
  private stuckAfterAWhile(heard: () => number): () => void {
    const { clock, timings } = this.options;
    const look = () => {
      const left = heard() + timings.request - clock.monotonic();
      if (left > 0) cancel = clock.after(Math.ceil(left), look);
      else this.condemn(`it did not answer a request within ${timings.request / 1000} s and counts as stuck`);
    };
    let cancel = clock.after(timings.request, look);
    return () => cancel();
  }

  /** The error, or what the process died of where that is why. */
  private async explained(error: unknown): Promise<unknown> {
    if (!connectionBroke(error)) return error;
    const { fault } = await this.connectionLost();
    return new PerchError("ENGINE_FAILED", `no answer: ${fault.message}`, fault);
  }

  /** It broke a connection: most likely it is dying and its exit will say of what, which takes a moment. */
  private async connectionLost(): Promise<LifeEnd> {
    const { clock } = this.options;
    // Whoever asks again must not meet this process, dying or not.
    this.over.abort();
    await Promise.race([this.ended, sleep(clock, LAST_WORDS)]);
    this.condemn("it broke a connection without an answer");
    return await this.ended;
  }

  /** Kills it for a reason that its end will name. */
  private condemn(why: string): void {
    if (this.condemned || this.finished) return;
    this.condemned = new PerchError("ENGINE_FAILED", `the engine was ended: ${why}`);
    this.over.abort();
    this.process.kill("SIGKILL");
  }

  private finish(exit: ChildExit): void {
    if (this.finished) return;
    this.finished = true;
    this.over.abort();
    this.client.close();
    const fault = this.stopping
      ? new PerchError("CANCELLED", "the engine was stopped")
      : (this.condemned ?? explainExit(exit));
    const answered = this.upSince === undefined ? 0 : this.options.clock.monotonic() - this.upSince;
    this.resolveEnded({ fault, stderr: exit.stderr, answered });
  }

  private async loaded(begun: number): Promise<void> {
    const { clock, logger, title } = this.options;
    let [nextNote] = LOAD_NOTE;
    for (;;) {
      const answer = await this.healthStatus();
      if (answer === 200) return;
      if (this.over.signal.aborted) throw (await this.ended).fault;
      const waited = clock.monotonic() - begun;
      if (waited >= nextNote) {
        logger.info(`engine loads ${title} … ${Math.round(waited / 1000)} s`);
        nextNote += LOAD_NOTE[1];
      }
      await sleep(clock, waited < 1000 ? POLL : SLOW_POLL, this.over.signal);
    }
  }

  private async probe(): Promise<void> {
    try {
      await this.ask(probeRequest, this.over.signal);
    } catch (error) {
      // Refused or failed, it is of no use; what it said says why.
      const why = error instanceof Error ? error.message : String(error);
      this.condemn(`it does not answer a simple question about a picture: ${why}`);
      throw (await this.ended).fault;
    }
  }

  private async heartbeat(): Promise<void> {
    const { clock, timings } = this.options;
    let missed = 0;
    while (!this.over.signal.aborted) {
      await sleep(clock, timings.beat, this.over.signal);
      missed = (await this.healthStatus()) === undefined ? missed + 1 : 0;
      if (missed >= timings.missedBeats)
        this.condemn(`it did not answer ${missed} heartbeats and counts as stuck`);
    }
  }

  /** HTTP status of /health, undefined where none came in time. */
  private async healthStatus(): Promise<number | undefined> {
    const { clock, timings } = this.options;
    const late = new AbortController();
    const cancel = clock.after(timings.beatTimeout, () => late.abort());
    try {
      return await this.client.health(late.signal);
    } catch (error) {
      if (!isPerchError(error)) throw error;
      return undefined;
    } finally {
      cancel();
    }
  }
}

/** The same for every ladder: nothing of it is kept, and a question alone is understood in any order. */
const probeRequest = chatRequest(PROBE, "media-first");
