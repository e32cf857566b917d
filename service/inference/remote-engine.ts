import type { RemoteConfig } from "../contract/config-remote.ts";
import type { ImageShape, Ladder } from "../contract/models.ts";
import { type Clock, sleep } from "../kernel/clock.ts";
import { PerchError } from "../kernel/errors.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Metrics } from "../kernel/metrics.ts";
import type { Health } from "../kernel/part.ts";
import {
  COUNT_PATH,
  type Engine,
  type EngineStamp,
  type Fit,
  isRaw,
  type Prompt,
  type RawRequest,
  type Reply,
} from "./engine.ts";
import { RemoteFault } from "./remote-fault.ts";
import { type Ability, needsOf } from "./remote-request.ts";
import { RemoteServer, type RemoteTimings } from "./remote-server.ts";
import { type RemoteView, viewText } from "./remote-view.ts";

const TIMINGS: RemoteTimings = {
  connect: 5_000,
  silence: 120_000,
  beat: 10_000,
  beatTimeout: 5_000,
  missedBeats: 3,
  backoff: { first: 500, most: 30_000 },
  rest: { first: 500, most: 10_000 },
};
/** How long start() waits for the first server before the service goes on without, ms. */
const PATIENCE = 2_000;
/** Servers that may fail under one request while it is asked once, and ever. */
const MOST_BROKEN = { once: 2, ever: 3 } as const;

interface Options {
  readonly config: RemoteConfig;
  /** Size of the pictures that are sent, and what goes first. */
  readonly image: ImageShape;
  readonly order: Ladder["order"];
  readonly timings?: Partial<RemoteTimings>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/**
 * Servers elsewhere as one engine. Each request goes to the least loaded of those that answer and can do it; where
 * one fails under it, or has no time after all, it is asked of another. A server that goes is tried again by itself.
 */
export class RemoteEngine implements Engine {
  readonly name = "remote";
  readonly servers: readonly RemoteServer[];
  readonly image: ImageShape;
  readonly order: Ladder["order"];
  onRoom: ((otherThings: boolean) => void) | undefined;
  /** Servers that failed under a request so far. */
  private readonly broken = new WeakMap<Prompt | RawRequest, number>();
  private readonly stopper = new AbortController();
  private wake: (() => void)[] = [];

  constructor(private readonly options: Options) {
    const { config, image, order, timings, clock, logger, metrics } = options;
    this.image = image;
    this.order = order;
    this.servers = config.servers.map(
      (server) =>
        new RemoteServer({
          config: server,
          order,
          timings: { ...TIMINGS, ...timings },
          onChange: (abilities) => this.changed(abilities),
          clock,
          logger,
          metrics,
        }),
    );
  }

  /** Of no server: which one answers is told for each request. */
  get stamp(): EngineStamp {
    return { ladder: "remote", level: "", model: "" };
  }

  get slots(): number {
    return this.servers.reduce((sum, { slots }) => sum + slots, 0);
  }

  /** Resolves when the first server answers, when none can and says why, or when that takes long. */
  async start(signal: AbortSignal): Promise<void> {
    for (const server of this.servers) server.start();
    const enough = new AbortController();
    const given = AbortSignal.any([signal, enough.signal]);
    const settled = this.until(() => this.health().state !== "starting", given);
    await Promise.race([settled, sleep(this.options.clock, PATIENCE, given)]);
    enough.abort();
  }

  async stop(): Promise<void> {
    this.stopper.abort();
    this.changed();
    await Promise.all(this.servers.map((server) => server.stop()));
  }

  /** Resolves when it is known of every server whether it answers, or when the signal aborts. */
  async settled(signal: AbortSignal): Promise<void> {
    await this.until(() => this.views().every(({ state }) => state !== "starting"), signal);
  }

  views(): RemoteView[] {
    return this.servers.map((server) => server.view());
  }

  health(): Health {
    const views = this.views();
    const detail = Object.fromEntries(views.map((view) => [view.id, viewText(view)]));
    if (this.stopper.signal.aborted) return { state: "stopped", detail };
    if (views.some(({ state }) => state === "up" || state === "resting")) return { state: "ok", detail };
    if (views.some(({ state }) => state === "starting")) return { state: "starting", detail };
    return { state: "degraded", reason: this.whyNone(), detail };
  }

  async ready(signal: AbortSignal): Promise<void> {
    await this.until(() => this.servers.some(({ usable }) => usable), signal);
    if (signal.aborted || this.stopper.signal.aborted) throw unavailable(this.whyNone());
  }

  fits(work: Prompt | RawRequest): Fit {
    if (isRaw(work) && work.level !== undefined)
      return { never: `level ${work.level} is this box's own, and servers elsewhere have none` };
    if (isRaw(work) && work.path === COUNT_PATH) return { never: "servers elsewhere count no tokens" };
    const needs = needsOf(work);
    const able = this.able(needs);
    if (able.length === 0)
      return { never: this.servers.map((server) => `${server.id}: ${server.lacks(needs)}`).join("; ") };
    return able.some(({ underWay, slots }) => underWay < slots) ? "now" : "later";
  }

  /** As Engine.ask, and ENGINE_REFUSED where no server can do it; a request under which servers failed three times in all is not put to another. */
  async ask(
    work: Prompt | RawRequest,
    signal: AbortSignal,
    goesTo?: (stamp: EngineStamp) => void,
  ): Promise<Reply> {
    const fit = this.fits(work);
    if (typeof fit === "object") throw new PerchError("ENGINE_REFUSED", fit.never);
    const tried = new Set<RemoteServer>();
    let broken = 0;
    let last: PerchError | undefined;
    for (;;) {
      // At once where one is free: whoever looks next sees its place taken.
      const server = this.pick(work, tried) ?? (await this.choose(work, tried, signal));
      if (!server) throw last ?? unavailable(this.whyNone());
      goesTo?.(server.stamp);
      try {
        return await server.ask(work, signal);
      } catch (error) {
        if (!(error instanceof RemoteFault)) throw error;
        last = named(server, error);
        if (FINAL.has(error.kind) || (isRaw(work) && work.sink.begun)) throw last;
        tried.add(server);
        if (error.kind !== "broken") continue;
        broken += 1;
        const ever = (this.broken.get(work) ?? 0) + 1;
        this.broken.set(work, ever);
        if (broken >= MOST_BROKEN.once || ever >= MOST_BROKEN.ever) throw last;
        this.options.logger.warn(
          { part: this.name, server: server.id },
          `${server.id} failed under a request, which is asked of another server: ${error.message}`,
        );
      }
    }
  }

  /** The least loaded that can and has a place; undefined where there is none now. */
  private pick(work: Prompt | RawRequest, tried: ReadonlySet<RemoteServer>): RemoteServer | undefined {
    return leastLoaded(this.left(work, tried).filter(({ underWay, slots }) => underWay < slots));
  }

  /** As pick, but waits while all that can are full. Undefined where none is left. */
  private async choose(
    work: Prompt | RawRequest,
    tried: ReadonlySet<RemoteServer>,
    signal: AbortSignal,
  ): Promise<RemoteServer | undefined> {
    while (!signal.aborted && this.left(work, tried).length > 0) {
      const server = this.pick(work, tried);
      if (server) return server;
      await this.change(signal);
    }
    if (signal.aborted) throw new PerchError("CANCELLED", "the request was given up");
    return undefined;
  }

  /** Those that answer, can do it, and were not tried yet. */
  private left(work: Prompt | RawRequest, tried: ReadonlySet<RemoteServer>): RemoteServer[] {
    return this.able(needsOf(work)).filter((server) => server.usable && !tried.has(server));
  }

  private able(needs: ReadonlySet<Ability>): RemoteServer[] {
    return this.servers.filter((server) => server.lacks(needs) === undefined);
  }

  private whyNone(): string {
    const said = this.views().map(({ id, state, reason }) => `${id}: ${reason ?? state}`);
    return `no server answers: ${said.join("; ")}`;
  }

  private changed(abilities = false): void {
    for (const wake of this.wake.splice(0)) wake();
    this.onRoom?.(abilities);
  }

  /** Resolves when the condition holds, the signal aborts, or it is stopped. */
  private async until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    while (!condition() && !signal.aborted && !this.stopper.signal.aborted) await this.change(signal);
  }

  /** Resolves when something changed, or the signal aborts. */
  private change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener("abort", done);
        resolve();
      };
      this.wake.push(done);
      signal.addEventListener("abort", done, { once: true });
    });
  }
}

/** Another server would say the same, or nobody wants to know any more. */
const FINAL: ReadonlySet<RemoteFault["kind"]> = new Set(["refused", "senseless", "cancelled"]);

/** Those that did not fail of late first; of equals any, so that many boxes do not all ask the first. */
function leastLoaded(servers: readonly RemoteServer[]): RemoteServer | undefined {
  const sure = servers.filter(({ doubtful }) => !doubtful);
  const among = sure.length > 0 ? sure : servers;
  const load = ({ underWay, slots }: RemoteServer) => underWay / slots;
  const least = Math.min(...among.map(load));
  const equals = among.filter((server) => load(server) === least);
  return equals[Math.floor(Math.random() * equals.length)];
}

/** The fault with the server's name before it, but for what a request's own author reads. */
function named({ id }: RemoteServer, fault: RemoteFault): PerchError {
  if (fault.kind === "refused" || fault.kind === "senseless" || fault.kind === "cancelled") return fault;
  return new PerchError(fault.code, `${id}: ${fault.message}`, fault);
}

const unavailable = (message: string) => new PerchError("ENGINE_UNAVAILABLE", message);
