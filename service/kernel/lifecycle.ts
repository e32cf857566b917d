import type { Clock } from "./clock.ts";
import { sleep } from "./clock.ts";
import { messageOf } from "./errors.ts";
import type { Logger } from "./logger.ts";
import type { Health, Part } from "./part.ts";

interface Options {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ms a part may take to stop before the next one's turn comes. */
  readonly stopDeadline: number;
}

/** Starts parts in order, stops them in reverse. */
export class Lifecycle {
  private readonly started: Part[] = [];
  private stopping: Promise<void> | undefined;

  constructor(
    private readonly parts: readonly Part[],
    private readonly options: Options,
  ) {}

  /**
   * Starts every part in order, until the signal aborts or stop() is called; if one throws, those that had
   * started are stopped and the error goes on.
   */
  async start(signal: AbortSignal): Promise<void> {
    for (const part of this.parts) {
      if (signal.aborted || this.stopping) return;
      this.started.push(part);
      try {
        await part.start(signal);
      } catch (error) {
        await this.stop();
        throw error;
      }
    }
  }

  /** Stops what had started, last first, each with the deadline. Never throws. */
  stop(): Promise<void> {
    this.stopping ??= this.stopAll();
    return this.stopping;
  }

  health(): Record<string, Health> {
    return Object.fromEntries(this.parts.map((part) => [part.name, part.health()]));
  }

  private async stopAll(): Promise<void> {
    for (let part = this.started.pop(); part; part = this.started.pop()) await this.stopOne(part);
  }

  private async stopOne(part: Part): Promise<void> {
    const { clock, logger, stopDeadline } = this.options;
    const given = new AbortController();
    const late = sleep(clock, stopDeadline, given.signal).then(() => "late" as const);
    try {
      const outcome = await Promise.race([part.stop(), late]);
      if (outcome === "late")
        logger.error(
          { part: part.name },
          `${part.name} did not stop within ${stopDeadline} ms; going on without it`,
        );
    } catch (error) {
      logger.error({ part: part.name, err: error }, `${part.name} failed to stop: ${messageOf(error)}`);
    } finally {
      given.abort();
    }
  }
}
