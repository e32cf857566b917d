import type { Backup } from "../contract/api-record.ts";
import type { BackupConfig } from "../contract/config-backups.ts";
import type { Clock } from "../kernel/clock.ts";
import { isPerchError } from "../kernel/errors.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Health, Part } from "../kernel/part.ts";
import type { Kept } from "./backup-shelf.ts";

/** Ms between two looks at what is due. */
const LOOK = 60_000;
/** Ms after the start before the first: a start has enough to do. */
const SETTLE = 600_000;
/** Ms after one that failed. */
const RETRY = 3_600_000;

/** What the schedule has made for it. */
export interface ScheduledBackups {
  /** Those that are done, the newest first. Throws PerchError. */
  done(): readonly Kept[];
  /** Resolves to what came of it. */
  scheduled(keep: number): Promise<Backup>;
  /** Removes an old one where the disk runs short. Throws PerchError. */
  giveWay(): void;
  /** Removes the schedule's of before a time, epoch ms. Throws PerchError. */
  expire(before: number): void;
}

interface Options {
  readonly config: BackupConfig;
  /** Ms after which the record holds nothing any more; then a backup does not either. */
  readonly age: number;
  readonly backups: ScheduledBackups;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Has a backup made every so often, counted from the newest that there is, over restarts. Where one fails the part is
 * degraded until the next is made, and says why; nothing else waits for it.
 */
export class BackupSchedule implements Part {
  readonly name = "backups";
  private state: "starting" | "started" | "stopped" = "starting";
  private cancel: (() => void) | undefined;
  /** By the monotonic clock: when the last was made, or the service started; and before when none is. */
  private since = 0;
  private notBefore = 0;
  /** The newest that there was at the last look. */
  private newest: string | undefined;
  private failed: Backup | undefined;
  /** Why it cannot be told what is due. */
  private trouble: string | undefined;

  constructor(private readonly options: Options) {}

  async start(): Promise<void> {
    const { clock } = this.options;
    this.state = "started";
    this.since = clock.monotonic();
    this.notBefore = this.since + SETTLE;
    this.plan();
  }

  async stop(): Promise<void> {
    this.state = "stopped";
    this.cancel?.();
  }

  health(): Health {
    if (this.state !== "started") return { state: this.state };
    const { every } = this.options.config;
    try {
      const [newest] = this.options.backups.done();
      const detail = { newest: newest?.at ?? "none", scheduled: every > 0 };
      const { failed, trouble } = this;
      if (trouble !== undefined) return { state: "degraded", reason: trouble, detail };
      // One that somebody had made since will do.
      if (!failed || (newest && newest.at > failed.at)) return { state: "ok", detail };
      const reason = `the backup of ${failed.at} failed: ${failed.fault}; it is tried again every hour`;
      return { state: "degraded", reason, detail };
    } catch (error) {
      if (!isPerchError(error)) throw error;
      return { state: "degraded", reason: error.message };
    }
  }

  private plan(): void {
    this.cancel = this.options.clock.after(LOOK, async () => {
      await this.look();
      if (this.state === "started") this.plan();
    });
  }

  private async look(): Promise<void> {
    const { backups, config, age, clock, logger } = this.options;
    try {
      backups.expire(clock.now() - age);
      backups.giveWay();
      this.trouble = undefined;
      if (this.isDue()) this.note(await backups.scheduled(config.keep));
    } catch (error) {
      if (!isPerchError(error)) throw error;
      // The database is away, or the folder cannot be changed: the next look is in a minute.
      if (this.trouble === undefined)
        logger.warn({ part: this.name }, `no backups are made for now: ${error.message}`);
      this.trouble = error.message;
    }
  }

  private isDue(): boolean {
    const { config, backups, clock } = this.options;
    const { every } = config;
    const now = clock.monotonic();
    const [newest] = backups.done();
    const id = newest?.id ?? "none";
    // Somebody had one made: the next is counted from it.
    if (this.newest !== undefined && id !== this.newest) this.since = now;
    this.newest = id;
    if (every === 0 || now < this.notBefore) return false;
    // A clock that was set in between must neither put a backup off for good nor make one after the other.
    return !newest || now - this.since >= every || clock.now() - Date.parse(newest.at) >= every;
  }

  private note(made: Backup): void {
    const now = this.options.clock.monotonic();
    const done = made.state === "done";
    this.failed = done ? undefined : made;
    if (done) this.since = now;
    this.notBefore = now + (done ? LOOK : RETRY);
  }
}
