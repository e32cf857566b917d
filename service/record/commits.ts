import { randomUUID } from "node:crypto";
import { Backoff } from "../kernel/backoff.ts";
import type { Clock } from "../kernel/clock.ts";
import { type ErrorCode, messageOf, PerchError, systemCode } from "../kernel/errors.ts";
import type { Logger } from "../kernel/logger.ts";
import { type Entry, weigh } from "./entry.ts";
import { faultOf } from "./faults.ts";
import { Store } from "./store.ts";

/** Entries that share one transaction at most. */
const BATCH = 500;
/** What may wait in memory while nothing can be committed. */
const MOST_WAITING = 2_000;
const MOST_BYTES = 64e6;
/** Ms between commits at most, when they come fast. */
const GATHER = 5;

interface Waiting<T> {
  readonly what: T;
  resolve(): void;
  reject(error: unknown): void;
}
/** A transaction that was tried: after a fault it may turn out to be committed nevertheless. */
interface Attempt {
  readonly batch: string;
  readonly entries: readonly Waiting<Entry>[];
  readonly acks: readonly Waiting<readonly number[]>[];
}

type OutboxCounts = Readonly<{ [count in "added" | "removed"]: number }>;
interface Options {
  readonly folder: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The database is open, at first or again. */
  opened(store: Store): void;
  /** Entries are durable; `outbox` counts its rows that came and went. */
  committed(entries: readonly Entry[], outbox: OutboxCounts): void;
  /** The disk is full: remove something old, once. May throw what SQLite says. */
  makeRoom(store: Store): void;
}

/**
 * Commits what is written, in order, each entry whole. A lone entry is committed at once; those that come
 * faster than the disk syncs share a transaction and its sync. What cannot be committed waits in memory
 * and is tried again until the disk takes it.
 */
export class Commits {
  private store: Store | undefined;
  private fault: PerchError | undefined;
  private attempted: Attempt | undefined;
  private readonly entries: Waiting<Entry>[] = [];
  private readonly acks: Waiting<readonly number[]>[] = [];
  private weight = 0;
  private scheduled = false;
  private stopped = false;
  private roomMade = false;
  private announced: ErrorCode | undefined;
  private cancelRetry: (() => void) | undefined;
  private readonly backoff = new Backoff(500, 15_000);
  private readonly run = randomUUID();
  private batches = 0;
  private lastEnd = Number.NEGATIVE_INFINITY;
  private lastDuration = 0;

  constructor(private readonly options: Options) {}

  /** The database, while it is open. */
  get open(): Store | undefined {
    return this.store;
  }

  /** Why nothing can be committed now. */
  get trouble(): PerchError | undefined {
    return this.fault;
  }

  get waiting(): number {
    return this.entries.length;
  }

  /** Whether more answers are worth asking for: half of the memory for waiting ones is kept for those under way. */
  get accepting(): boolean {
    if (this.stopped) return false;
    return !this.fault || (this.entries.length < MOST_WAITING / 2 && this.weight < MOST_BYTES / 2);
  }

  /** Opens the database. Throws DATA_LOCKED and DATA_NEWER; any other fault is retried with backoff. */
  start(): void {
    try {
      this.reopen();
    } catch (error) {
      const fault = faultOf(error, this.options.folder);
      if (!fault || fault.code === "DATA_LOCKED" || fault.code === "DATA_NEWER") throw fault ?? error;
      this.fail(fault);
    }
    this.schedule();
  }

  /** Resolves when the entry is durable; rejects when it was not accepted: stopped, or too much waits. */
  write(entry: Entry): Promise<void> {
    const refusal = this.refusal(weigh(entry));
    if (refusal) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      this.entries.push({ what: entry, resolve, reject });
      this.weight += weigh(entry);
      if (this.entries.length >= BATCH) this.flush();
      this.schedule();
    });
  }

  acknowledge(ids: readonly number[]): Promise<void> {
    if (this.stopped) return Promise.reject(stoppedError());
    return new Promise((resolve, reject) => {
      this.acks.push({ what: ids, resolve, reject });
      this.schedule();
    });
  }

  /** Commits what waits, with a last try where that failed before, and closes. */
  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    if (this.entries.length + this.acks.length > 0) this.attempt();
    this.cancelRetry?.();
    if (this.entries.length > 0) this.giveUp();
    for (const ack of this.acks.splice(0)) ack.reject(this.fault ?? stoppedError());
    this.store?.close(this.options.logger);
    this.store = undefined;
  }

  private refusal(bytes: number): PerchError | undefined {
    if (this.stopped) return stoppedError();
    if (this.store && !this.fault) return undefined;
    if (this.entries.length < MOST_WAITING && this.weight + bytes <= MOST_BYTES) return undefined;
    const { code, message } = this.fault ?? notOpenError();
    return new PerchError(code, `${message}; too much waits already`, this.fault);
  }

  /** Plans the next commit: at once, or after as long a pause as the last commit took, so that the disk never has the thread for itself. */
  private schedule(): void {
    if (this.scheduled || this.fault || !this.store || this.entries.length + this.acks.length === 0) return;
    this.scheduled = true;
    const flush = () => {
      this.scheduled = false;
      this.flush();
      this.schedule();
    };
    const rest = Math.min(GATHER, this.lastDuration) - (this.options.clock.monotonic() - this.lastEnd);
    // Not the clock's timer: that one lets the process end before what was written is durable.
    if (rest >= 1) setTimeout(flush, rest);
    else setImmediate(flush);
  }

  private flush(): void {
    if (this.fault || !this.store || this.entries.length + this.acks.length === 0) return;
    const { clock } = this.options;
    const begun = clock.monotonic();
    const attempt = this.nextAttempt(this.entries.slice(0, BATCH), [...this.acks]);
    try {
      const outbox = this.commit(this.store, attempt);
      this.lastEnd = clock.monotonic();
      this.lastDuration = this.lastEnd - begun;
      this.settle(attempt, outbox);
    } catch (error) {
      if (faultOf(error, this.options.folder)) this.fail(error);
      else this.commitOneByOne(this.store, attempt, error);
    }
  }

  /** One of a batch is wrong: it alone is refused, and the others lose nothing by it. */
  private commitOneByOne(store: Store, { entries, acks }: Attempt, error: unknown): void {
    if (entries.length === 0) for (const ack of this.acks.splice(0, acks.length)) ack.reject(error);
    for (const waiting of entries) {
      const attempt = this.nextAttempt([waiting], []);
      try {
        this.settle(attempt, this.commit(store, attempt));
      } catch (reason) {
        if (faultOf(reason, this.options.folder)) {
          this.fail(reason);
          return;
        }
        this.options.logger.error(
          { part: "record", err: reason },
          `an entry was refused: ${messageOf(reason)}`,
        );
        this.drop([waiting]);
        waiting.reject(reason);
      }
    }
  }

  private nextAttempt(entries: Attempt["entries"], acks: Attempt["acks"]): Attempt {
    this.batches += 1;
    this.attempted = { batch: `${this.run}:${this.batches}`, entries, acks };
    return this.attempted;
  }

  private commit(store: Store, { batch, entries, acks }: Attempt): OutboxCounts {
    return store.commit(
      batch,
      entries.map(({ what }) => what),
      acks.flatMap(({ what }) => what),
      Math.round(this.options.clock.now()),
    );
  }

  private settle({ entries, acks }: Attempt, outbox: OutboxCounts): void {
    this.attempted = undefined;
    this.drop(entries);
    this.acks.splice(0, acks.length);
    for (const waiting of [...entries, ...acks]) waiting.resolve();
    this.options.committed(
      entries.map(({ what }) => what),
      outbox,
    );
  }

  /** Takes entries from the head of those that wait. */
  private drop(entries: readonly Waiting<Entry>[]): void {
    this.entries.splice(0, entries.length);
    for (const { what } of entries) this.weight -= weigh(what);
  }

  private fail(error: unknown): void {
    const { folder, logger, clock } = this.options;
    const fault = faultOf(error, folder);
    if (!fault) throw error;
    this.fault = fault;
    if (this.announced !== fault.code)
      logger.error({ part: "record", code: fault.code, err: fault.cause ?? fault }, fault.message);
    this.announced = fault.code;
    // A descriptor that failed once may never say the truth again. A full disk is no such failure.
    if (systemCode(fault.cause) !== "SQLITE_FULL") {
      this.store?.close(logger);
      this.store = undefined;
    }
    this.cancelRetry?.();
    this.cancelRetry = clock.after(this.backoff.next(), () => this.attempt());
  }

  /** Opens the database if it is not, and commits all that waits. */
  private attempt(): void {
    try {
      const store = this.store ?? this.reopen();
      if (this.fault?.code === "DATA_FULL") this.relieve(store);
    } catch (error) {
      this.fail(error);
      return;
    }
    this.fault = undefined;
    while (!this.fault && this.entries.length + this.acks.length > 0) this.flush();
    if (!this.fault) this.recovered();
  }

  private reopen(): Store {
    const store = Store.open(this.options.folder);
    this.store = store;
    const last = this.attempted;
    // The commit had reached the disk, and only its success had not come back.
    // The outbox is counted afresh below.
    if (this.fault && last && store.rows.progress === last.batch) this.settle(last, { added: 0, removed: 0 });
    this.options.opened(store);
    return store;
  }

  /** What takes rows out goes first on a full disk: it gives the room that new rows need. */
  private relieve(store: Store): void {
    store.db.pragma("wal_checkpoint(PASSIVE)");
    if (this.acks.length > 0) {
      const attempt = this.nextAttempt([], [...this.acks]);
      this.settle(attempt, this.commit(store, attempt));
    }
    if (this.roomMade) return;
    this.options.makeRoom(store);
    this.roomMade = true;
  }

  private recovered(): void {
    this.backoff.reset();
    this.roomMade = false;
    if (!this.announced) return;
    this.announced = undefined;
    this.options.logger.info(
      { part: "record" },
      "the record takes entries again; all that waited is committed",
    );
  }

  private giveUp(): void {
    const fault = this.fault ?? stoppedError();
    this.options.logger.error(
      { part: "record", code: fault.code },
      `${this.entries.length} entries were not recorded: ${fault.message}`,
    );
    for (const waiting of this.entries.splice(0)) waiting.reject(fault);
  }
}

const notOpenError = () => new PerchError("DATA_UNWRITABLE", "the record is not open yet");
const stoppedError = () => new PerchError("DATA_UNWRITABLE", "the record is stopped");
