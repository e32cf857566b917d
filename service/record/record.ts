import type { RecordConfig } from "../contract/config.ts";
import type { LoadTaken } from "../contract/decision.ts";
import type { Event } from "../contract/observation.ts";
import type { Clock } from "../kernel/clock.ts";
import { messageOf, PerchError } from "../kernel/errors.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Metrics } from "../kernel/metrics.ts";
import type { Health, Part } from "../kernel/part.ts";
import type { Room } from "./backup-room.ts";
import { Backups } from "./backups.ts";
import type { Changes } from "./changes.ts";
import { Commits } from "./commits.ts";
import type { Entry } from "./entry.ts";
import type { Journals } from "./journals.ts";
import type { Outbox } from "./outbox-row.ts";
import type { Pages } from "./pages.ts";
import type { Queries } from "./queries.ts";
import { Retention } from "./retention.ts";
import { diskOf, type Store } from "./store.ts";
import { shrink } from "./thumbnail.ts";

export { appendAudit } from "./append-audit.ts";
export type { Entry } from "./entry.ts";
export { Reader } from "./store.ts";

const RETENTION_PERIOD = 60_000;
/** Pictures that may wait to be made smaller; further ones are left out. */
const MOST_SHRINKING = 8;

/** What bounds the record itself. */
export type RecordLimits = Omit<RecordConfig, "backups">;

interface Options {
  /** The data folder; created if it is not there. */
  readonly folder: string;
  readonly config: RecordLimits;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** The record of what was seen: observations, events, pictures and the outbox, in one SQLite database. */
export class Record implements Part {
  readonly name = "record";
  readonly outbox: Outbox;
  readonly backups: Backups;
  private readonly commits: Commits;
  private readonly retention: Retention;
  private readonly appendedCallbacks = new Set<() => void>();
  private readonly changedCallbacks = new Set<() => void>();
  private readonly shrinking = new Set<Promise<void>>();
  private readonly openedWaiters: (() => void)[] = [];
  private state: "starting" | "started" | "stopped" = "starting";
  private cancelRetention: (() => void) | undefined;
  private pendingRows = 0;
  private expiredMessages = 0;

  constructor(private readonly options: Options) {
    const { folder, config, clock, logger } = options;
    this.commits = new Commits({
      folder,
      clock,
      logger,
      opened: (store) => this.opened(store),
      committed: (entries, outbox) => this.committed(entries, outbox),
      makeRoom: (store) => {
        this.retention.makeRoom(store);
      },
    });
    this.retention = new Retention({
      config,
      clock,
      logger,
      store: () => this.commits.open,
      expired: (messages) => this.expired(messages),
    });
    this.backups = new Backups({ folder, clock, logger, room: (place) => this.room(place) });
    this.outbox = {
      read: (after, limit) => this.commits.open?.rows.messages(after, limit) ?? [],
      acknowledge: (ids) => this.commits.acknowledge(ids),
      pending: () => this.pendingRows,
      onAppended: (callback) => {
        this.appendedCallbacks.add(callback);
        return () => this.appendedCallbacks.delete(callback);
      },
    };
  }

  /** Throws PerchError DATA_LOCKED and DATA_NEWER; any other fault degrades the part, which then tries again. */
  async start(): Promise<void> {
    this.commits.start();
    this.backups.tidy();
    this.state = "started";
    this.planRetention(0);
  }

  /** Commits what was accepted, with a last try where the disk was full or away, and closes the database. */
  async stop(): Promise<void> {
    if (this.state === "stopped") return;
    this.state = "stopped";
    this.cancelRetention?.();
    await this.retention.stop();
    await this.backups.stop();
    await Promise.all(this.shrinking);
    this.commits.stop();
  }

  health(): Health {
    if (this.state !== "started") return { state: this.state };
    const { trouble, waiting } = this.commits;
    const detail = { outbox: this.pendingRows, waiting, expired: this.expiredMessages };
    return trouble ? { state: "degraded", reason: trouble.message, detail } : { state: "ok", detail };
  }

  /** Whether the record can take more answers; where not, asking the model for them is wasted. */
  accepting(): boolean {
    return this.state === "started" && this.commits.accepting;
  }

  /**
   * Resolves when all of the entry is on the disk. While the disk is full or away it waits, and rejects
   * with PerchError DATA_FULL, DATA_UNWRITABLE or DATA_CORRUPT only when the entry was not accepted
   * (2,000 entries or 64 MB wait already) or the record stopped before the disk came back.
   */
  async write(entry: Entry): Promise<void> {
    const { thumbnail: picture, ...rest } = entry;
    const most = this.options.config.thumbnail;
    if (!picture || entry.events.length === 0 || most === 0) return await this.commits.write(rest);
    if (picture.length <= most) return await this.commits.write(entry);
    await this.commits.write(rest);
    this.addSmaller(entry.events, picture, most);
  }

  /** Events that have not ended, oldest first. Throws PerchError while the database is not open: see `whenOpen`. */
  openEvents(): Event[] {
    return this.queries.openEvents();
  }

  /** What each level of a ladder took when it was loaded last; nothing while the database is not open. */
  loads(ladder: string): LoadTaken[] {
    return this.commits.open?.queries.loads(ladder) ?? [];
  }

  /** Tokens a second that each level of a ladder answered with of late; nothing while the database is not open. */
  rates(ladder: string): { level: string; tokensPerSecond: number }[] {
    return this.commits.open?.queries.rates(ladder) ?? [];
  }

  /** What can be asked of the record. Throws PerchError while the database is not open. */
  get queries(): Queries {
    return this.openStore().queries;
  }

  /** Lists of any length. Throws PerchError while the database is not open. */
  get pages(): Pages {
    return this.openStore().pages;
  }

  /** What people changed and the governor decided. Throws PerchError while the database is not open. */
  get journals(): Journals {
    return this.openStore().journals;
  }

  /** What changed of late. Throws PerchError while the database is not open. */
  get changes(): Changes {
    return this.openStore().changes;
  }

  /** Called after every commit, and when the database is open again. The returned function ends it. */
  onChanged(callback: () => void): () => void {
    this.changedCallbacks.add(callback);
    return () => this.changedCallbacks.delete(callback);
  }

  /** Resolves once the database is open: before `start` resolves, or when a fault at the start is mended. */
  whenOpen(): Promise<void> {
    if (this.commits.open) return Promise.resolve();
    return new Promise((resolve) => this.openedWaiters.push(resolve));
  }

  /** Removes what is too old or too much now; it happens every minute by itself. */
  async retain(): Promise<void> {
    await this.retention.run();
  }

  private openStore(): Store {
    const store = this.commits.open;
    if (store) return store;
    throw this.commits.trouble ?? new PerchError("DATA_UNWRITABLE", "the record is not open");
  }

  private room(place: string): Room {
    return { used: this.openStore().bytes().used, ...diskOf(place) };
  }

  private planRetention(ms: number): void {
    this.cancelRetention = this.options.clock.after(ms, async () => {
      await this.retention.run();
      if (this.state === "started") this.planRetention(RETENTION_PERIOD);
    });
  }

  private opened(store: Store): void {
    this.setPending(store.rows.pending());
    for (const resolve of this.openedWaiters.splice(0)) resolve();
    if (this.pendingRows > 0) this.callAppended();
    for (const callback of this.changedCallbacks) callback();
  }

  private committed(
    entries: readonly Entry[],
    { added, removed }: { readonly added: number; readonly removed: number },
  ): void {
    const { observations, events } = this.options.metrics;
    for (const entry of entries) {
      if (entry.observation) observations.inc({ watch: entry.observation.watch });
      for (const { watch, rule, phase } of entry.events) events.inc({ watch, rule, phase });
    }
    this.setPending(this.pendingRows + added - removed);
    if (added > 0) this.callAppended();
    for (const callback of this.changedCallbacks) callback();
  }

  private expired(messages: number): void {
    this.expiredMessages += messages;
    this.setPending(this.pendingRows - messages);
    this.options.logger.warn(
      { part: "record", messages },
      `${messages} observation messages were older than record.age and were removed unsent: the broker was away too long`,
    );
  }

  private setPending(rows: number): void {
    this.pendingRows = rows;
    this.options.metrics.outboxRows.set(rows);
  }

  private callAppended(): void {
    for (const callback of this.appendedCallbacks) callback();
  }

  private addSmaller(events: readonly Event[], picture: Buffer, most: number): void {
    if (this.shrinking.size >= MOST_SHRINKING) return;
    const work = shrink(picture, most)
      .then((smaller) => {
        if (smaller) this.commits.open?.rows.writeThumbnail(events, smaller, this.options.clock.now());
      })
      .catch((error: unknown) => {
        // A picture is worth less than what it stands beside: that is recorded already.
        this.options.logger.warn(
          { part: "record", err: error },
          `a picture was left out: ${messageOf(error)}`,
        );
      })
      .finally(() => this.shrinking.delete(work));
    this.shrinking.add(work);
  }
}
