import type { Rung } from "../contract/decision.ts";
import type { GovernorState } from "../contract/governor.ts";
import type { Readings } from "../contract/readings.ts";
import { type Clock, iso } from "../kernel/clock.ts";
import { PerchError } from "../kernel/errors.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Metrics } from "../kernel/metrics.ts";
import type { Health, Part } from "../kernel/part.ts";
import { Announcements } from "./announcements.ts";

interface Options {
  /** Names of the servers that answer instead of this box. */
  readonly servers: readonly string[];
  readonly sensors: { latest(): Readings; onReadings(callback: (readings: Readings) => void): () => void };
  readonly onState: (state: GovernorState) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Stands where the governor does on a box that loads no model: tells what is measured, and that nothing is governed. */
export class Ungoverned implements Part {
  readonly name = "governor";
  readonly rungs: readonly Rung[] = [];
  private readonly announcements: Announcements;
  private refused: GovernorState["refused"] = null;
  private cancel: (() => void) | undefined;

  constructor(private readonly options: Options) {
    this.announcements = new Announcements(options);
  }

  async start(): Promise<void> {
    this.cancel = this.options.sensors.onReadings(() => this.announcements.show(this.view()));
    this.announcements.show(this.view());
  }

  async stop(): Promise<void> {
    this.cancel?.();
    this.cancel = undefined;
  }

  health(): Health {
    return {
      state: this.cancel ? "ok" : "stopped",
      detail: { mode: "auto", level: "none", text: this.text },
    };
  }

  view(): GovernorState {
    const { clock, sensors } = this.options;
    const { at: _, ...readings } = sensors.latest();
    return {
      at: iso(clock.now()),
      mode: "auto",
      until: null,
      level: null,
      running: null,
      pace: 1,
      reason: "elsewhere",
      text: this.text,
      next: null,
      refused: this.refused,
      readings,
    };
  }

  /** Throws CONFLICT: there is nothing to command. */
  obey(_request: unknown): GovernorState {
    throw new PerchError("CONFLICT", `${this.text}: engine.remote.mode is instead`);
  }

  /** Shows to whoever sent a command by MQTT why it was not obeyed. */
  refuse(why: string): void {
    this.refused = { at: iso(this.options.clock.now()), why };
    this.announcements.tell(this.view());
  }

  private get text(): string {
    return `No model is loaded here and nothing is governed: ${this.options.servers.join(", ")} ${this.options.servers.length === 1 ? "answers" : "answer"}`;
  }
}
