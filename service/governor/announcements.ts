import type { Decision, Reason } from "../contract/decision.ts";
import type { GovernorState } from "../contract/governor.ts";
import type { Readings } from "../contract/readings.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Metrics } from "../kernel/metrics.ts";

/** A pace that differs by this much from the one told last is news, but no sooner than this after it, ms. */
const PACE_STEP = 0.1;
const PACE_PAUSE = 10_000;
/** New readings are told so often without other news, ms. */
const REFRESH = 30_000;

/** That nothing holds the model back any more is told by its pace. */
const NO_NEWS: ReadonlySet<Reason> = new Set(["steady", "manual"]);

interface Options {
  readonly onState: (state: GovernorState) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** What of the governor's work is told: to the log, the metrics and whoever subscribes. */
export class Announcements {
  private last: Decision | undefined;
  private lastAt = 0;
  private toldAt = Number.NEGATIVE_INFINITY;
  private pending = false;
  private distrusted = "";
  private running: string | null = null;

  constructor(private readonly options: Options) {}

  /** Whether a decision differs from the last one that was told; then it is logged and counted. */
  isNews(decision: Decision, readings: Readings): boolean {
    const { clock, logger, metrics } = this.options;
    const { last } = this;
    const now = clock.monotonic();
    const levelChanged = !last || last.level !== decision.level;
    const paceMoved =
      last !== undefined &&
      (Math.abs(last.pace - decision.pace) >= PACE_STEP || (last.pace === 0) !== (decision.pace === 0)) &&
      now - this.lastAt >= PACE_PAUSE;
    const reasonChanged =
      last !== undefined &&
      last.reason !== decision.reason &&
      !NO_NEWS.has(decision.reason) &&
      now - this.lastAt >= PACE_PAUSE;
    if (!levelChanged && !paceMoved && !reasonChanged) return false;
    this.last = decision;
    this.lastAt = now;
    this.pending = true;
    metrics.decisions.inc({ reason: decision.reason });
    const { level, pace, reason, text } = decision;
    logger[levelChanged ? "info" : "debug"](
      { part: "governor", level, pace, reason, ...(readings.simulated && { simulated: true }) },
      text,
    );
    return true;
  }

  /** Tells the state where there was news, another level runs, or the last is old. */
  show(state: GovernorState): void {
    this.measure(state);
    const distrusted = state.readings.distrusted.map(({ sensor }) => sensor).join();
    const stale = this.options.clock.monotonic() - this.toldAt >= REFRESH;
    const other = distrusted !== this.distrusted || state.running !== this.running;
    if (this.pending || stale || other) this.tell(state);
    this.distrusted = distrusted;
    this.running = state.running;
  }

  tell(state: GovernorState): void {
    this.pending = false;
    this.toldAt = this.options.clock.monotonic();
    this.options.onState(state);
  }

  private measure({ pace, running, readings }: GovernorState): void {
    const { metrics } = this.options;
    metrics.pace.set(pace);
    metrics.level.reset();
    if (running !== null) metrics.level.set({ level: running }, 1);
    metrics.temperature.reset();
    for (const { id, celsius } of readings.zones) metrics.temperature.set({ zone: id }, celsius);
    metrics.memoryFree.reset();
    metrics.memoryOwn.reset();
    for (const { id, free, own } of readings.memories) {
      metrics.memoryFree.set({ memory: id }, free);
      metrics.memoryOwn.set({ memory: id }, own);
    }
    metrics.throttling.set(readings.throttling.length);
    metrics.distrusted.set(readings.distrusted.length);
    metrics.simulatedBox.set(readings.simulated ? 1 : 0);
  }
}
