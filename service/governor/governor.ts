import type { Governor as Limits } from "../contract/config-governor.ts";
import type { Decision, Manual, Reason, Rung } from "../contract/decision.ts";
import type { GovernorState } from "../contract/governor.ts";
import type { Readings } from "../contract/readings.ts";
import { type Clock, iso, sleep } from "../kernel/clock.ts";
import { type ErrorCode, isPerchError, PerchError } from "../kernel/errors.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Metrics } from "../kernel/metrics.ts";
import type { Health, Part } from "../kernel/part.ts";
import { Announcements } from "./announcements.ts";
import { commandOf, parseCommand } from "./command.ts";
import { wishOf } from "./manual.ts";
import { fitsBeside, ran } from "./memory.ts";
import { decide, initialState, levelFailed, type PolicyState } from "./policy.ts";

/** What runs the levels. */
export interface Governed {
  readonly level: string | undefined;
  /** Throws PerchError where the level does not come up. */
  switchTo(
    level: string,
    how: { way: "beside" | "after"; atOnce?: boolean; signal?: AbortSignal },
  ): Promise<void>;
  /** Runs none, for this reason. */
  pause(reason: string): Promise<void>;
  /** Why none runs. */
  explain(reason: string): void;
}

/** The ladder on this box. */
export interface PlannedLadder {
  readonly id: string;
  /** Best rung first; changes by itself when files or memory do. */
  readonly rungs: readonly Rung[];
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
  /** A level's files are not as they should be: it is out until they change. */
  spoiled(level: string, reason: string): void;
  /** What a level has taken of each pool, bytes, once it had come up and worked. */
  took(level: string, needs: Rung["needs"], ms: number): void;
}

interface Options {
  readonly limits: Limits;
  readonly sensors: { latest(): Readings; onReadings(callback: (readings: Readings) => void): () => void };
  readonly ladder: PlannedLadder;
  readonly engine: Governed;
  readonly setPace: (pace: number) => void;
  /** Share of the time since it was last asked in which the model worked. */
  readonly worked: () => number;
  /** The newest state, whenever it is worth telling. */
  readonly onState: (state: GovernorState) => void;
  /** A decision worth a row. */
  readonly onDecision: (decision: Decision, readings: Readings, at: number) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** How long start() waits for the first level before the service goes on without, ms. */
const PATIENCE = 2_000;
/** Faults of files, which waiting for memory does not mend. */
const OF_FILES: readonly ErrorCode[] = ["MODEL_MISSING", "MODEL_CORRUPT", "SETUP_MISSING"];
/** An engine that ended so often within ten minutes has a level that does not work here. */
const MOST_DEATHS = 3;
/** A level has taken what it takes after this, ms. */
const SETTLED = 15_000;
/** Reasons for which nothing under way is waited for. */
const URGENT: ReadonlySet<Reason> = new Set(["memory", "pressure"]);

/** Reads what the box measures, decides by the policy once a second, and carries it out. */
export class Governor implements Part {
  readonly name = "governor";
  private state: PolicyState;
  private decision: Decision | undefined;
  private manual: Manual | null = null;
  private refused: GovernorState["refused"] = null;
  private readonly announcements: Announcements;
  /** Memory asked for the level that is not there yet: nothing under way is waited for. */
  private urgent = false;
  private switching: { readonly to: string | null; readonly done: Promise<void>; abort(): void } | undefined;
  private cancel: (() => void) | undefined;
  private loaded: { readonly level: string; readonly at: number; readonly ms: number } | undefined;
  private phase: "starting" | "running" | "stopped" = "starting";

  constructor(private readonly options: Options) {
    this.state = initialState(options.clock.now());
    this.announcements = new Announcements(options);
  }

  async start(signal: AbortSignal): Promise<void> {
    const { ladder, sensors, clock } = this.options;
    await ladder.start(signal);
    if (signal.aborted || this.phase === "stopped") return;
    this.phase = "running";
    this.cancel = sensors.onReadings((readings) => this.tick(readings));
    this.tick(sensors.latest());
    const enough = new AbortController();
    const late = sleep(clock, PATIENCE, AbortSignal.any([signal, enough.signal]));
    await Promise.race([this.switching?.done, late]);
    enough.abort();
  }

  async stop(): Promise<void> {
    this.phase = "stopped";
    this.cancel?.();
    this.switching?.abort();
    await this.switching?.done;
    await this.options.ladder.stop();
  }

  health(): Health {
    if (this.phase !== "running" || !this.decision)
      return { state: this.phase === "stopped" ? "stopped" : "starting" };
    const { level, pace, reason, text } = this.decision;
    const { simulated } = this.options.sensors.latest();
    const detail = {
      mode: this.mode,
      level: level ?? "none",
      pace: Math.round(100 * pace) / 100,
      reason,
      text,
      ...(simulated && { simulated }),
    };
    return { state: "ok", detail };
  }

  /** What it wants now, and what the box measures. */
  view(): GovernorState {
    const { clock, sensors, engine } = this.options;
    const { at: _, ...readings } = sensors.latest();
    const {
      level = null,
      pace = 0,
      reason = "start" as const,
      text = "Nothing is decided yet",
      next = null,
    } = this.decision ?? {};
    const until = this.manual?.until ?? null;
    return {
      at: iso(clock.now()),
      mode: this.mode,
      until: until === null ? null : iso(until),
      level,
      running: engine.level ?? null,
      pace,
      reason,
      text,
      next,
      refused: this.refused,
      readings,
    };
  }

  get rungs(): readonly Rung[] {
    return this.options.ladder.rungs;
  }

  /**
   * Obeys an administrator for a while: a GovernorCommand, or its JSON text. Throws PerchError CONFIG_INVALID
   * where it cannot: it is none, names an unknown level, holds nothing, or holds for too long.
   */
  obey(request: unknown): GovernorState {
    const command = typeof request === "string" ? parseCommand(request) : commandOf(request);
    const { clock, sensors, logger, limits } = this.options;
    if (!limits.enabled)
      throw new PerchError("CONFIG_INVALID", "the governor is off: set governor.enabled to true");
    this.manual = wishOf(command, this.rungs, clock.now());
    this.refused = null;
    logger.info({ part: this.name, ...command }, `the governor is told: ${command.mode}`);
    if (this.phase === "running") this.tick(sensors.latest());
    this.announcements.tell(this.view());
    return this.view();
  }

  /** Shows to whoever sent a command by MQTT why it was not obeyed. */
  refuse(why: string): void {
    this.refused = { at: iso(this.options.clock.now()), why };
    this.announcements.tell(this.view());
  }

  /** A level that had come up has died: of want of memory, or once too often, another one is taken. */
  died(level: string, fault: PerchError, deaths: number): void {
    const forMemory = isPerchError(fault, "ENGINE_MEMORY") || this.memoryIsShort();
    if (!forMemory && deaths < MOST_DEATHS) return;
    this.failed(level, fault, null);
    this.tick(this.options.sensors.latest());
  }

  private get mode(): GovernorState["mode"] {
    const { manual } = this;
    return manual === null || (manual.until !== null && this.options.clock.now() >= manual.until)
      ? "auto"
      : manual.mode;
  }

  private tick(readings: Readings): void {
    const { limits, clock, setPace, worked, ladder, onDecision } = this.options;
    if (this.phase !== "running") return;
    const now = clock.now();
    const { rungs } = ladder;
    const { decision, state } = decide(
      { now, readings, rungs, limits, manual: this.manual, worked: worked() },
      this.state,
    );
    this.state = state;
    this.decision = decision;
    setPace(decision.pace);
    if (this.mode === "auto") this.manual = null;
    if (this.announcements.isNews(decision, readings)) onDecision(decision, readings, now);
    this.carryOut(decision, readings);
    this.announcements.show(this.view());
    this.learn(readings);
  }

  private carryOut(decision: Decision, readings: Readings): void {
    const { engine } = this.options;
    const { level, reason, text } = decision;
    this.urgent = (this.urgent || URGENT.has(reason)) && level !== (engine.level ?? null);
    if (this.switching) {
      // What is being loaded may not be wanted any more; memory does not wait for it.
      if (level !== this.switching.to && (level === null || this.urgent)) this.switching.abort();
      return;
    }
    if (level === null && engine.level === undefined) engine.explain(text);
    if (level === (engine.level ?? null)) return;
    const given = new AbortController();
    const work = level === null ? engine.pause(text) : this.take(level, readings, given.signal);
    const done = work.finally(() => {
      this.switching = undefined;
      if (this.phase === "running" && level !== (engine.level ?? null))
        this.tick(this.options.sensors.latest());
    });
    this.switching = { to: level, done, abort: () => given.abort() };
  }

  private async take(level: string, readings: Readings, signal: AbortSignal): Promise<void> {
    const { engine, clock, metrics, limits, ladder } = this.options;
    const rung = ladder.rungs.find((candidate) => candidate.level === level);
    const atOnce = this.urgent;
    const mayBeside = !atOnce && engine.level !== undefined && rung !== undefined;
    const beside = mayBeside && fitsBeside(rung, readings.memories, limits.reserve);
    const began = clock.monotonic();
    try {
      await engine.switchTo(level, { way: beside ? "beside" : "after", atOnce, signal });
      this.loaded = { level, at: clock.monotonic(), ms: clock.monotonic() - began };
      metrics.switches.inc({ outcome: "done" });
    } catch (error) {
      if (!isPerchError(error)) throw error;
      metrics.switches.inc({ outcome: error.code === "CANCELLED" ? "given_up" : "failed" });
      if (error.code !== "CANCELLED") this.failed(level, error, engine.level ?? null);
    }
  }

  private failed(level: string, fault: PerchError, running: string | null): void {
    const { clock, logger, sensors, ladder } = this.options;
    const { unfit } = this.state;
    logger.error({ part: this.name, level }, fault.message);
    this.state = levelFailed(this.state, {
      level,
      now: clock.now(),
      memories: sensors.latest().memories,
      running,
    });
    if (!OF_FILES.includes(fault.code)) return;
    ladder.spoiled(level, fault.message);
    this.state = { ...this.state, unfit };
  }

  private memoryIsShort(): boolean {
    const { memories, pressure } = this.options.sensors.latest();
    const { reserve, pressure: most } = this.options.limits;
    return memories.some(({ free }) => free < reserve) || (pressure?.full ?? 0) >= most;
  }

  /** What a level has taken is known once it runs alone and has worked. */
  private learn({ memories }: Readings): void {
    const { clock, engine, ladder } = this.options;
    const { loaded } = this;
    if (!loaded || this.switching || clock.monotonic() - loaded.at < SETTLED) return;
    this.loaded = undefined;
    if (engine.level === loaded.level) ladder.took(loaded.level, ran(memories), loaded.ms);
  }
}
