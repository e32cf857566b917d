import type { ImageShape, Ladder, Level } from "../contract/models.ts";
import type { Clock } from "../kernel/clock.ts";
import { type ErrorCode, isPerchError, PerchError } from "../kernel/errors.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Health } from "../kernel/part.ts";
import type { Engine, EngineStamp, Prompt, RawRequest, Reply } from "./engine.ts";
import { imageTokens } from "./engine-args.ts";
import type { LocalEngine } from "./local-engine.ts";

export interface Switch {
  /** `beside`: the new level is ready before the old one goes. `after`: the old one makes room first. */
  readonly way: "beside" | "after";
  /** Answers under way are not waited for: they are asked again of the next level. Only with `after`. */
  readonly atOnce?: boolean;
  /** Gives the new level up; what ran before runs on, or again. */
  readonly signal?: AbortSignal;
}

interface Options {
  readonly ladder: Ladder;
  /** A new engine of a level; it is not started. */
  readonly make: (level: Level) => LocalEngine;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Resolves when the memory of an engine that ended can be had again. Without it at once, as of RAM. */
  readonly memoryBack?: (signal: AbortSignal) => Promise<void>;
  /** A level that had come up has ended by itself; it is started again unless it is switched from. */
  readonly onDeath?: (level: string, fault: PerchError, deaths: number) => void;
  /** Ms that answers under way have to end before an engine goes under them. Default 30 s. */
  readonly drain?: number;
  /** Ms that a level may take to load and answer its first question. Default 10 min. */
  readonly patience?: number;
}

/** One level's child, and the requests that it answers. */
interface Rung {
  readonly level: Level;
  readonly engine: LocalEngine;
  underWay: number;
  /** It was ended on purpose. */
  ended: boolean;
}

/**
 * The local engine at one level of a ladder, or at none, and the way to another. While it switches requests go
 * on being answered by the old level, or wait; none is given up. A level that does not come up changes nothing:
 * the old one goes on, or comes back.
 */
export class LadderEngine implements Engine {
  readonly name = "engine";
  private rung: Rung | undefined;
  /** Every rung that has been started and has not ended. */
  private readonly held = new Set<Rung>();
  private switching: Level | undefined;
  /** Nothing may be asked: the old level makes room. */
  private closed = false;
  private idle: Health = { state: "starting" };
  private last: EngineStamp;
  private readonly stopper = new AbortController();
  private wake: (() => void)[] = [];

  constructor(private readonly options: Options) {
    const { ladder } = options;
    this.last = { ladder: ladder.id, level: "", model: "" };
  }

  /** Level that runs, or is kept running; undefined where none is. */
  get level(): string | undefined {
    return this.rung?.level.id;
  }

  get stamp(): EngineStamp {
    return this.rung?.engine.stamp ?? this.last;
  }

  /** The largest of the ladder's: a level that takes less makes pictures smaller itself. */
  get image(): ImageShape {
    const shapes = this.options.ladder.levels.map(({ image }) => image);
    return shapes.reduce((most, image) =>
      imageTokens({ image }).most > imageTokens({ image: most }).most ? image : most,
    );
  }

  get order(): Ladder["order"] {
    return this.options.ladder.order;
  }

  get slots(): number {
    return this.rung?.engine.slots ?? 1;
  }

  /** Least time between two pictures of a watch at the level that runs, ms. */
  get interval(): number {
    return this.rung?.level.interval ?? 0;
  }

  get pid(): number | undefined {
    return this.rung?.engine.pid;
  }

  /** Process ids of all that hold a model now: two while one takes the other's place. */
  get pids(): number[] {
    return [...this.held].flatMap(({ engine }) => engine.pid ?? []);
  }

  /** Loads nothing: whoever decides the level switches to it. */
  async start(): Promise<void> {
    this.tell();
  }

  async stop(): Promise<void> {
    this.stopper.abort();
    this.tell();
    await this.rung?.engine.stop();
    while (this.switching) await this.change();
    this.idle = { state: "stopped" };
  }

  health(): Health {
    const { ladder } = this.options;
    const health = this.rung?.engine.health() ?? { ...this.idle, detail: { ladder: ladder.id } };
    const to = this.switching?.id;
    return to === undefined ? health : { ...health, detail: { ...health.detail, switchingTo: to } };
  }

  async ready(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !this.stopper.signal.aborted) {
      const { rung } = this;
      if (rung && !this.closed) {
        const over = new AbortController();
        const left = this.until(() => this.closed || this.rung !== rung, over.signal);
        const ready = rung.engine.ready(AbortSignal.any([signal, over.signal]));
        try {
          // A level that is left while it comes up never will be ready.
          if ((await Promise.race([ready.then(() => "ready"), left])) === "ready") return;
          continue;
        } finally {
          over.abort();
          ready.catch(() => undefined);
        }
      }
      await this.change(signal);
    }
    throw this.unavailable();
  }

  async ask(work: Prompt | RawRequest, signal: AbortSignal): Promise<Reply> {
    const { rung } = this;
    if (!rung || this.closed) throw this.unavailable();
    rung.underWay += 1;
    try {
      return await rung.engine.ask(work, signal);
    } catch (error) {
      // It did not die of this request: it was made to go, and the next level answers.
      if (rung.ended && !signal.aborted && isPerchError(error, ...GONE)) throw this.unavailable();
      throw error;
    } finally {
      rung.underWay -= 1;
      this.tell();
    }
  }

  /**
   * Runs another level from now on. Throws the fault of a level that does not come
   * up (CANCELLED where it was given up); then the one before runs, or tries to. One switch at a time.
   */
  async switchTo(id: string, { way, atOnce = false, signal }: Switch): Promise<void> {
    const { ladder, clock, logger } = this.options;
    const level = ladder.levels.find((candidate) => candidate.id === id);
    if (!level) throw new PerchError("CONFIG_INVALID", `ladder ${ladder.id} has no level "${id}"`);
    if (this.switching) throw new Error(`it is switching to ${this.switching.id} already`);
    if (level === this.rung?.level) return;
    const given = signal ? AbortSignal.any([signal, this.stopper.signal]) : this.stopper.signal;
    const from = this.rung?.level.id;
    const began = clock.monotonic();
    this.switching = level;
    try {
      await (way === "beside" ? this.replace(level, given) : this.giveWay(level, atOnce, given));
      const seconds = ((clock.monotonic() - began) / 1000).toFixed(1);
      if (from !== undefined)
        logger.info({ part: this.name }, `level ${from} -> ${id} (${seconds} s, the new one ${way} the old)`);
    } finally {
      this.switching = undefined;
      this.closed = false;
      this.tell();
    }
  }

  /** Ends the level that runs and runs none, for a reason that health tells from then on. */
  async pause(reason: string): Promise<void> {
    this.idle = { state: "degraded", reason };
    const { rung } = this;
    if (!rung) return;
    await this.end(rung);
    if (this.rung === rung) this.rung = undefined;
    this.tell();
  }

  /** Why no level runs, where none does. */
  explain(reason: string): void {
    if (this.idle.state !== "stopped") this.idle = { state: "degraded", reason };
  }

  private async replace(level: Level, signal: AbortSignal): Promise<void> {
    const next = this.rungOf(level);
    await this.bringUp(next, signal);
    const old = this.rung;
    this.take(next);
    if (old) await this.retire(old);
  }

  private async giveWay(level: Level, atOnce: boolean, signal: AbortSignal): Promise<void> {
    const old = this.rung;
    const next = this.rungOf(level);
    // A file that is wrong, or takes long to check, should be found out while the old level still answers.
    if (old && !atOnce) await this.checked(next, signal);
    this.closed = true;
    this.tell();
    if (old) {
      await (atOnce ? this.end(old) : this.retire(old));
      await this.options.memoryBack?.(this.stopper.signal);
      this.rung = undefined;
    }
    try {
      await this.bringUp(next, signal);
      this.take(next);
    } catch (error) {
      if (old && !atOnce && !this.stopper.signal.aborted) await this.bringBack(old.level);
      throw error;
    }
  }

  private async checked({ engine, level }: Rung, signal: AbortSignal): Promise<void> {
    try {
      await engine.checkFiles(signal);
    } catch (error) {
      if (signal.aborted) throw new PerchError("CANCELLED", `level ${level.id} was given up`);
      throw notUp(level, error);
    }
  }

  /** The last good level, after one that did not come up. */
  private async bringBack(level: Level): Promise<void> {
    await this.options.memoryBack?.(this.stopper.signal);
    const again = this.rungOf(level);
    try {
      await this.bringUp(again, this.stopper.signal);
      this.take(again);
    } catch (error) {
      if (!isPerchError(error)) throw error;
      this.options.logger.error(
        { part: this.name },
        `level ${level.id} does not come back: ${error.message}`,
      );
    }
  }

  private take(rung: Rung): void {
    this.rung = rung;
    this.last = rung.engine.stamp;
    this.tell();
    const { onDeath } = this.options;
    if (onDeath)
      rung.engine.onDeath = (fault, deaths) => {
        if (!rung.ended && this.rung === rung) onDeath(rung.level.id, fault, deaths);
      };
  }

  /** Starts a level until it has answered a question. Where it does not, it is ended again. */
  private async bringUp(rung: Rung, signal: AbortSignal): Promise<void> {
    const { engine, level } = rung;
    const { clock, patience = 600_000 } = this.options;
    const late = new AbortController();
    const forget = clock.after(patience, () => late.abort());
    const either = AbortSignal.any([late.signal, signal]);
    this.held.add(rung);
    try {
      if (!signal.aborted) {
        await engine.start(either);
        const { state } = await engine.settled(either);
        if (state === "ok" && !signal.aborted) return;
      }
      if (signal.aborted) throw new PerchError("CANCELLED", `level ${level.id} was given up`);
      throw notUp(level, engine.fault ?? unavailable(`it was not ready after ${patience / 1000} s`));
    } catch (error) {
      await this.end(rung);
      throw error;
    } finally {
      forget();
    }
  }

  /** Ends a level once nobody waits for it, or after the time for that. */
  private async retire(rung: Rung): Promise<void> {
    const { clock, drain = 30_000 } = this.options;
    const late = new AbortController();
    const forget = clock.after(drain, () => late.abort());
    await this.until(() => rung.underWay === 0 || this.stopper.signal.aborted, late.signal);
    forget();
    await this.end(rung);
  }

  private async end(rung: Rung): Promise<void> {
    rung.ended = true;
    await rung.engine.stop();
    this.held.delete(rung);
  }

  private rungOf(level: Level): Rung {
    return { level, engine: this.options.make(level), underWay: 0, ended: false };
  }

  private unavailable(): PerchError {
    const to = this.switching?.id;
    const why =
      to === undefined ? (this.idle.reason ?? "no level has been decided yet") : `${to} is being loaded`;
    return unavailable(`the engine does not answer: ${why}`);
  }

  private tell(): void {
    for (const wake of this.wake.splice(0)) wake();
  }

  /** Resolves when the condition holds or the signal aborts. */
  private async until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    while (!condition() && !signal.aborted) await this.change(signal);
  }

  /** Resolves when something changed, or the signal aborts. */
  private change(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        signal?.removeEventListener("abort", done);
        resolve();
      };
      this.wake.push(done);
      signal?.addEventListener("abort", done, { once: true });
    });
  }
}

/** What an engine says of a request under which it was ended. */
const GONE: ErrorCode[] = ["ENGINE_FAILED", "ENGINE_UNAVAILABLE", "CANCELLED"];

function notUp({ id }: Level, fault: unknown): unknown {
  if (!isPerchError(fault)) return fault;
  return new PerchError(fault.code, `level ${id} does not come up: ${fault.message}`, fault);
}

const unavailable = (message: string) => new PerchError("ENGINE_UNAVAILABLE", message);
