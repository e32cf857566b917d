import { Backoff } from "../kernel/backoff.ts";
import type { Clock } from "../kernel/clock.ts";
import { messageOf } from "../kernel/errors.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Outbox } from "../record/outbox-row.ts";

/** Acknowledged rows are gathered this long, ms, or up to so many: one commit costs a write to the disk. */
const GATHER = 25;
const GROUP = 1000;

interface Options {
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Rows that the broker acknowledged and that are not durably out of the outbox yet. Sending does not wait
 * for them; who reads the outbox asks `has`, so that none goes out a second time.
 */
export class OutboxReleases {
  private readonly ids = new Set<number>();
  private gathered: number[] = [];
  private waits: (() => void) | undefined;
  private writing: Promise<void> | undefined;
  private readonly backoff = new Backoff(1000, 30_000);
  /** Why the outbox could not be written, for health. */
  reason: string | undefined;

  constructor(private readonly options: Options) {}

  has(id: number): boolean {
    return this.ids.has(id);
  }

  add(ids: readonly number[]): void {
    for (const id of ids) this.ids.add(id);
    this.gathered = this.gathered.length === 0 ? [...ids] : this.gathered.concat(ids);
    if (this.writing || this.reason !== undefined) return;
    if (this.gathered.length >= GROUP) this.write();
    else this.waits ??= this.options.clock.after(GATHER, () => this.write());
  }

  /** Writes what is gathered now; resolves when it is durable, or could not be written. */
  async flush(): Promise<void> {
    await this.writing;
    this.write();
    await this.writing;
  }

  /** Ends the waiting for a next try. */
  stop(): void {
    this.waits?.();
    this.waits = undefined;
  }

  private write(): void {
    this.stop();
    if (this.writing || this.gathered.length === 0) return;
    const group = this.gathered;
    this.gathered = [];
    this.writing = this.release(group);
  }

  private async release(group: readonly number[]): Promise<void> {
    const { clock, logger, outbox } = this.options;
    try {
      await outbox.acknowledge(group);
      for (const id of group) this.ids.delete(id);
      this.reason = undefined;
      this.backoff.reset();
      this.writing = undefined;
      if (this.gathered.length > 0) this.waits ??= clock.after(GATHER, () => this.write());
    } catch (error) {
      // The broker has them; they stay in `ids`, so that they are not sent again while this is tried again.
      this.gathered = group.concat(this.gathered);
      this.writing = undefined;
      const news = this.reason === undefined;
      this.reason = `acknowledged messages cannot be taken out of the outbox: ${messageOf(error)}`;
      if (news) logger.error({ err: error }, this.reason);
      this.waits ??= clock.after(this.backoff.next(), () => this.write());
    }
  }
}
