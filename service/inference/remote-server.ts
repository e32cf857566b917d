import type { RemoteServerConfig } from "../contract/config-remote.ts";
import type { Ladder } from "../contract/models.ts";
import { Backoff } from "../kernel/backoff.ts";
import { type Clock, sleep } from "../kernel/clock.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Metrics } from "../kernel/metrics.ts";
import type { EngineStamp, Prompt, RawRequest, Reply } from "./engine.ts";
import { firstOf } from "./first-signal.ts";
import { RemoteFault } from "./remote-fault.ts";
import { type LinkTimings, RemoteLink } from "./remote-link.ts";
import { type Abilities, RemoteProbe } from "./remote-probe.ts";
import type { Ability } from "./remote-request.ts";
import { abilitiesText, lackOf, type RemoteView } from "./remote-view.ts";

/** All in ms. */
export interface RemoteTimings extends LinkTimings {
  /** Time between two looks at a server that answers. */
  readonly beat: number;
  /** Looks in a row that fail before it counts as gone. */
  readonly missedBeats: number;
  /** Shortest and longest wait before it is tried again. */
  readonly backoff: { readonly first: number; readonly most: number };
  /** As that, of a busy server that says not how long, and of one that has just failed once. */
  readonly rest: { readonly first: number; readonly most: number };
}

/** Requests in a row under which a server fails before none is sent to it for a while. */
const MOST_FAILURES = 3;

interface Options {
  readonly config: RemoteServerConfig;
  readonly order: Ladder["order"];
  readonly timings: RemoteTimings;
  /** It takes more than before, or less; `abilities`: what it can was found out. */
  readonly onChange: (abilities?: boolean) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/**
 * One server elsewhere: finds out what it can, looks after it, and asks it. One that fails too often is left alone for
 * a while and has to pass the probe and one request before it gets more.
 */
export class RemoteServer {
  readonly id: string;
  underWay = 0;
  private link: RemoteLink | undefined;
  private abilities: Abilities | undefined;
  private state: "starting" | "up" | "down" = "starting";
  private reason: string | undefined;
  private latency: number | undefined;
  /** Requests in a row under which it failed. */
  private failures = 0;
  /** It came back after it had failed: one request at a time, until one was answered. */
  private trial = false;
  /** It asked to be left alone until then, monotonic ms. */
  private restUntil = 0;
  /** Until then others are asked first, monotonic ms. */
  private doubtUntil = 0;
  private readonly probe = new RemoteProbe();
  private readonly backoff: Backoff;
  private readonly rest: Backoff;
  private readonly stopper = new AbortController();
  /** Aborts when it is no longer up. */
  private life = new AbortController();
  /** Aborts when it does not even answer looks: what is under way at it has failed. */
  private gone = new AbortController();
  private loop: Promise<void> | undefined;

  constructor(private readonly options: Options) {
    const { backoff, rest } = options.timings;
    this.id = options.config.id;
    this.backoff = new Backoff(backoff.first, backoff.most);
    this.rest = new Backoff(rest.first, rest.most);
  }

  get stamp(): EngineStamp {
    return { ladder: "remote", level: this.id, model: this.link?.dialect.model ?? "", server: this.id };
  }

  /** Whether it may be asked now, were it for its slots alone. */
  get usable(): boolean {
    return this.state === "up" && this.options.clock.monotonic() >= this.restUntil;
  }

  /** Requests that it takes at once now. */
  get slots(): number {
    if (!this.usable) return 0;
    return this.trial ? 1 : this.options.config.slots;
  }

  /** Whether it failed under its last request, and a moment ago: others are asked first. */
  get doubtful(): boolean {
    return this.failures > 0 && this.options.clock.monotonic() < this.doubtUntil;
  }

  /** Why it cannot do what is needed, as far as that is known. */
  lacks(needs: ReadonlySet<Ability>): string | undefined {
    return this.abilities && lackOf(this.abilities, needs);
  }

  view(): RemoteView {
    const { id, reason, link, abilities, latency, underWay } = this;
    const resting = this.state === "up" && !this.usable;
    return {
      id,
      state: resting ? "resting" : this.state,
      ...(reason !== undefined && { reason }),
      ...(link && abilities && { model: link.dialect.model, abilities }),
      ...(latency !== undefined && { latency }),
      underWay,
      slots: this.options.config.slots,
    };
  }

  start(): void {
    this.loop ??= this.run();
  }

  async stop(): Promise<void> {
    this.stopper.abort();
    this.life.abort();
    await this.loop;
    this.link?.close();
  }

  /** Asks it once. Rejects with a RemoteFault. */
  async ask(work: Prompt | RawRequest, signal: AbortSignal): Promise<Reply> {
    const { link, life } = this;
    const { metrics, onChange } = this.options;
    if (!link) throw new RemoteFault("unreachable", "it was never reached");
    this.underWay += 1;
    const either = firstOf(signal, this.gone.signal);
    try {
      const reply = await link.ask(work, either.signal);
      metrics.remoteRequests.inc({ server: this.id, outcome: "answered" });
      this.answered();
      return reply;
    } catch (error) {
      if (!(error instanceof RemoteFault)) throw error;
      metrics.remoteRequests.inc({ server: this.id, outcome: error.kind });
      // What was begun before it went says nothing of it now that it is back.
      if (life === this.life) this.failed(error);
      throw error;
    } finally {
      either.forget();
      this.underWay -= 1;
      onChange();
    }
  }

  /** One life after the other until stop(). */
  private async run(): Promise<void> {
    const { clock } = this.options;
    const { signal } = this.stopper;
    while (!signal.aborted) {
      this.life = new AbortController();
      this.gone = new AbortController();
      const wait = await this.live(AbortSignal.any([signal, this.life.signal]));
      await sleep(clock, Math.max(wait, this.backoff.next()), signal);
    }
    this.state = "down";
    this.reason = "Perch is stopping";
  }

  /** Resolves when it is not up, or no longer: to the ms for which it asked to be left alone. */
  private async live(signal: AbortSignal): Promise<number> {
    try {
      const link = await this.open(signal);
      await this.watch(link);
      return 0;
    } catch (error) {
      if (!(error instanceof RemoteFault)) throw error;
      this.down(error.message);
      return error.more.wait ?? 0;
    }
  }

  /** Finds out whether it answers, with which model, and what it can. Throws RemoteFault. */
  private async open(signal: AbortSignal): Promise<RemoteLink> {
    const { clock, logger, metrics, onChange } = this.options;
    const link = new RemoteLink(this.options);
    try {
      await link.open(this.probe, signal);
      this.latency = await timed(clock, link.look(signal));
    } catch (error) {
      link.close();
      throw error;
    }
    // Answers under way go on over the one before, whose connections close by themselves.
    this.link = link;
    this.abilities = link.abilities;
    this.trial = this.failures > 0;
    this.state = "up";
    this.reason = undefined;
    this.restUntil = 0;
    metrics.remoteUp.set({ server: this.id }, 1);
    logger.info(
      { part: "remote", server: this.id },
      `${this.id} answers: ${link.dialect.model}, ${abilitiesText(link.abilities)}`,
    );
    onChange(true);
    return link;
  }

  /** Resolves when it is no longer up. */
  private async watch(link: RemoteLink): Promise<void> {
    const { clock, timings } = this.options;
    const { signal } = this.life;
    let missed = 0;
    while (!signal.aborted) {
      // So that many boxes do not look at the same moment.
      await sleep(clock, timings.beat * (0.75 + Math.random() / 2), signal);
      const begun = clock.monotonic();
      const fault = await this.look(link, signal);
      if (signal.aborted) return;
      // A server with all hands full may leave a look unanswered.
      missed = fault === undefined || link.heard >= begun - timings.beat ? 0 : missed + 1;
      if (missed < timings.missedBeats) continue;
      const why = `it did not answer ${missed} looks: ${fault}`;
      this.down(why);
      this.gone.abort(new RemoteFault("broken", why));
    }
  }

  /** Why it is not well; undefined where it is. */
  private async look(link: RemoteLink, signal: AbortSignal): Promise<string | undefined> {
    try {
      this.latency = await timed(this.options.clock, link.look(signal));
      if (this.failures === 0) this.backoff.reset();
      return undefined;
    } catch (error) {
      if (!(error instanceof RemoteFault)) throw error;
      this.latency = undefined;
      return error.message;
    }
  }

  private answered(): void {
    this.failures = 0;
    this.trial = false;
    this.backoff.reset();
    this.rest.reset();
  }

  /** What a request that was not answered says of the server. */
  private failed({ kind, message, more }: RemoteFault): void {
    const { clock, onChange } = this.options;
    switch (kind) {
      case "refused":
      case "cannot":
      case "senseless":
        this.answered();
        return;
      case "unreachable":
      case "denied":
        this.down(message);
        return;
      case "broken":
        this.failures += 1;
        this.doubtUntil = clock.monotonic() + this.rest.next();
        if (this.trial || this.failures >= MOST_FAILURES) this.down(message);
        return;
      case "busy": {
        const ms = more.wait ?? this.rest.next();
        this.restUntil = Math.max(this.restUntil, clock.monotonic() + ms);
        clock.after(Math.ceil(ms) + 1, () => onChange());
        return;
      }
      case "cancelled":
        return;
    }
  }

  private down(reason: string): void {
    const { logger, metrics, onChange } = this.options;
    if (this.stopper.signal.aborted) return;
    metrics.remoteUp.set({ server: this.id }, 0);
    if (this.state !== "down" || this.reason !== reason)
      logger.warn({ part: "remote", server: this.id }, `${this.id} is not asked for now: ${reason}`);
    this.state = "down";
    this.reason = reason;
    this.life.abort();
    onChange();
  }
}

/** Ms that something takes. */
async function timed(clock: Clock, work: Promise<void>): Promise<number> {
  const begun = clock.monotonic();
  await work;
  return clock.monotonic() - begun;
}
