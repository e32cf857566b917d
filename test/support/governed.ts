import type { Governor as Limits } from "../../service/contract/config-governor.ts";
import { Governor as LimitsSchema } from "../../service/contract/config-governor.ts";
import type { Decision, Rung } from "../../service/contract/decision.ts";
import type { GovernorState } from "../../service/contract/governor.ts";
import type { Readings } from "../../service/contract/readings.ts";
import { type Governed, Governor, type PlannedLadder } from "../../service/governor/governor.ts";
import { decodeUnits, fillDefaults } from "../../service/kernel/config-schema.ts";
import { PerchError } from "../../service/kernel/errors.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { FakeClock } from "./fake-clock.ts";

export const GB = 1e9;

const rung = (rank: number, level: string, gigabytes: number): Rung => ({
  level,
  rank,
  fits: true,
  reason: null,
  needs: [{ memory: "ram", bytes: gigabytes * GB }],
  speed: 1 + rank,
  energy: 1 / (1 + rank),
});

/** Levels that load as the test says; each takes its memory of the box when it runs. */
class ScriptedLevels implements Governed {
  level: string | undefined;
  reason = "";
  /** What was asked, in order: "q8 after", "pause". */
  readonly asked: string[] = [];
  /** Why a level does not come up. */
  readonly faults = new Map<string, PerchError>();
  /** Loading ends when the test lets it; otherwise at once. */
  slow = false;
  private finish: (() => void) | undefined;

  async switchTo(level: string, how: Parameters<Governed["switchTo"]>[1]): Promise<void> {
    this.asked.push(`${level} ${how.atOnce ? "at once" : how.way}`);
    const before = this.level;
    if (how.way === "after") this.level = undefined;
    if (this.slow)
      await new Promise<void>((resolve) => {
        this.finish = resolve;
        how.signal?.addEventListener("abort", () => resolve());
      });
    const fault = how.signal?.aborted ? new PerchError("CANCELLED", "given up") : this.faults.get(level);
    if (fault) {
      this.level = how.atOnce ? undefined : before;
      throw fault;
    }
    this.level = level;
  }

  async pause(reason: string): Promise<void> {
    this.asked.push("pause");
    this.reason = reason;
    this.level = undefined;
  }

  explain(reason: string): void {
    this.reason = reason;
  }

  loaded(): void {
    this.finish?.();
  }
}

/** A governor over scripted levels and a box whose readings are set by hand. */
export class GovernorBench {
  readonly clock = new FakeClock();
  readonly levels = new ScriptedLevels();
  readonly states: GovernorState[] = [];
  readonly decisions: Decision[] = [];
  readonly paces: number[] = [];
  readonly spoiled: string[] = [];
  readonly took: { level: string; needs: Rung["needs"] }[] = [];
  readonly metrics = new Metrics();
  rungs: Rung[] = [rung(0, "q8", 13), rung(1, "q4", 7), rung(2, "q2", 4)];
  readings: Readings = {
    at: 0,
    simulated: false,
    zones: [{ id: "tj-thermal", celsius: 50, limit: 99 }],
    memories: [{ id: "ram", total: 32 * GB, free: 28 * GB, own: 0 }],
    pressure: null,
    throttling: [],
    watts: null,
    distrusted: [],
  };
  readonly governor: Governor;
  private tell: ((readings: Readings) => void) | undefined;

  constructor(limits: Partial<Limits> = {}) {
    const ladder: PlannedLadder = {
      id: "scripted",
      start: async () => undefined,
      stop: async () => undefined,
      rungs: this.rungs,
      spoiled: (level, reason) => {
        this.spoiled.push(level);
        this.rungs = this.rungs.map((one) => (one.level === level ? { ...one, fits: false, reason } : one));
      },
      took: (level, needs) => this.took.push({ level, needs }),
    };
    Object.defineProperty(ladder, "rungs", { get: () => this.rungs });
    this.governor = new Governor({
      limits: { ...(decodeUnits(LimitsSchema, fillDefaults(LimitsSchema, {})) as Limits), ...limits },
      sensors: {
        latest: () => this.readings,
        onReadings: (callback) => {
          this.tell = callback;
          return () => {
            this.tell = undefined;
          };
        },
      },
      ladder,
      engine: this.levels,
      setPace: (pace) => this.paces.push(pace),
      worked: () => this.paces.at(-1) ?? 0,
      onState: (state) => this.states.push(state),
      onDecision: (decision) => this.decisions.push(decision),
      clock: this.clock,
      logger: silentLogger,
      metrics: this.metrics,
    });
  }

  start(): Promise<void> {
    return this.governor.start(new AbortController().signal);
  }

  /** Seconds of readings, one each. */
  async pass(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second += 1) {
      await settle();
      this.clock.advance(1000);
      this.readings = { ...this.readings, at: this.clock.now() };
      this.tell?.(this.readings);
    }
    await settle();
  }

  /** What other programs leave, and what the level that runs holds of it. */
  free(gigabytes: number): void {
    const own = this.rungs.find(({ level }) => level === this.levels.level)?.needs[0]?.bytes ?? 0;
    this.readings = {
      ...this.readings,
      memories: [{ id: "ram", total: 32 * GB, free: gigabytes * GB, own }],
    };
  }
}

/** Lets what was promised go its way before time moves on. */
export const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
