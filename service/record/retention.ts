import { setImmediate as nextTurn } from "node:timers/promises";
import type { RecordConfig } from "../contract/config.ts";
import type { Clock } from "../kernel/clock.ts";
import { messageOf } from "../kernel/errors.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Store } from "./store.ts";

/** Bytes to have ahead, on the disk or in pages of the database that are free again. */
const AHEAD = 32e6;
/** Rows that one transaction removes: few enough that commits beside it hardly wait. */
const STEP = 200;
/** Pages given back to the disk in one step. */
const VACUUM_STEP = 512;
const A_DAY = 86_400_000;
/** Changes that are kept for those who follow the record, of the last day at most. */
const MOST_CHANGES = 200_000;
/** Below the limit by this share when done, so that not every run has to remove. */
const HEADROOM = 0.05;

interface Options {
  readonly config: Pick<RecordConfig, "age" | "bytes">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The open database; undefined while there is none. */
  store(): Store | undefined;
  /** So many messages left the outbox unsent. */
  expired(messages: number): void;
}

/**
 * Removes what is older than the age, and then the oldest until the database is under its bytes.
 * Open events and event messages that wait for the broker always stay; messages of mere observations
 * stay until they are older than the age.
 */
export class Retention {
  private running: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(private readonly options: Options) {}

  /** One run, after those that were asked for before. Never rejects: what fails is logged and left to the next run. */
  run(): Promise<void> {
    this.running = this.running.then(() => this.runOnce());
    return this.running;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  /** For a disk that is short: removes one step of the oldest, of what is older than a day; answers how many rows. */
  makeRoom(store: Store): number {
    return this.removeOldest(store, this.options.clock.now() - A_DAY);
  }

  /** Removes one step of the oldest observations and ended events, none after `latest`, epoch ms. */
  private removeOldest(store: Store, latest = Number.POSITIVE_INFINITY): number {
    const newest = store.db
      .prepare<[number], number | null>(
        `SELECT max(time) FROM (
           SELECT captured AS time FROM observation
           UNION ALL SELECT at FROM event WHERE phase = 'end' ORDER BY time LIMIT ?)`,
      )
      .pluck()
      .get(STEP);
    return typeof newest === "number" ? this.removeUntil(store, Math.min(newest, latest)) : 0;
  }

  private async runOnce(): Promise<void> {
    const { config, clock, logger } = this.options;
    try {
      const oldest = clock.now() - config.age;
      await this.repeat((store) => this.removeUntil(store, oldest - 1));
      await this.repeat((store) => this.expireMessages(store, oldest));
      await this.repeat((store) => this.removeChanges(store, Math.max(oldest, clock.now() - A_DAY)));
      await this.keepUnder(config.bytes);
      await this.keepAhead();
    } catch (error) {
      logger.warn({ part: "record", err: error }, `old rows could not be removed: ${messageOf(error)}`);
    }
  }

  private async keepUnder(bytes: number): Promise<void> {
    const { store, logger } = this.options;
    // The log beside the database is part of it; it is cut to 8 MB after each checkpoint.
    const limit = bytes - Math.min(8e6, bytes / 10);
    const begun = store()?.bytes();
    if (begun && begun.used > limit)
      await this.repeat((open) => (open.bytes().used > limit * (1 - HEADROOM) ? this.removeOldest(open) : 0));
    await this.repeat((open) => this.giveBack(open, limit));
    const left = store()?.bytes();
    if (left && left.used > limit)
      logger.warn(
        { part: "record", bytes: left.used },
        "the record is over record.bytes with all removed that may be: events are open or messages wait for the broker",
      );
  }

  /**
   * Where the disk is nearly full, has pages free in the database before it is: then the record goes on
   * with a rolling history, without a byte more from the disk.
   */
  private async keepAhead(): Promise<void> {
    let removed = 0;
    await this.repeat((store) => {
      const { used, file } = store.bytes();
      const rows = store.diskFree() + file - used < AHEAD ? this.makeRoom(store) : 0;
      removed += rows;
      return rows;
    });
    if (removed > 0)
      this.options.logger.warn(
        { part: "record", removed },
        `the disk is nearly full: the oldest ${removed} observations and events were removed early`,
      );
  }

  /** Repeats a step, letting others work in between, until it finds nothing more to do. */
  private async repeat(step: (store: Store) => number): Promise<void> {
    for (;;) {
      const store = this.options.store();
      if (this.stopped || !store || step(store) === 0) return;
      await nextTurn();
    }
  }

  /** Removes one step of what is not after `time`, epoch ms. */
  private removeUntil({ db }: Store, time: number): number {
    const observations = db
      .prepare<[number, number], number>(
        `DELETE FROM observation WHERE number IN (
           SELECT number FROM observation WHERE captured <= ? ORDER BY captured LIMIT ?) RETURNING number`,
      )
      .pluck();
    const events = db
      .prepare<[number, number], number>(
        `DELETE FROM event WHERE number IN (
           SELECT number FROM event WHERE phase = 'end' AND at <= ? ORDER BY at LIMIT ?) RETURNING number`,
      )
      .pluck();
    const decisions = db.prepare(
      "DELETE FROM decision WHERE number IN (SELECT number FROM decision WHERE at <= ? ORDER BY at LIMIT ?)",
    );
    const audits = db.prepare(
      "DELETE FROM audit WHERE number IN (SELECT number FROM audit WHERE at <= ? ORDER BY at LIMIT ?)",
    );
    const observationWords = db.prepare("DELETE FROM observation_words WHERE rowid = ?");
    const eventWords = db.prepare("DELETE FROM event_words WHERE rowid = ?");
    const changes = this.changesUntil(db);
    const mergeWords = db.prepare(
      "INSERT INTO observation_words (observation_words, rank) VALUES ('merge', ?)",
    );
    return db
      .transaction(() => {
        const goneObservations = observations.all(time, STEP);
        for (const number of goneObservations) observationWords.run(number);
        const goneEvents = events.all(time, STEP);
        const goneDecisions = decisions.run(time, STEP).changes;
        const goneAudits = audits.run(time, STEP).changes;
        const goneChanges = changes.run(STEP, time).changes;
        for (const number of goneEvents) eventWords.run(number);
        // Removed words leave marks; without this their room would come back only with many new ones.
        if (goneObservations.length > 0) mergeWords.run(STEP);
        return goneObservations.length + goneEvents.length + goneDecisions + goneAudits + goneChanges;
      })
      .immediate();
  }

  private removeChanges({ db }: Store, time: number): number {
    const tooMany = db.prepare(
      `DELETE FROM change WHERE number IN (SELECT number FROM change ORDER BY number LIMIT ?)
         AND number <= (SELECT max(number) FROM change) - ?`,
    );
    const removed = this.changesUntil(db).run(STEP, time).changes;
    return removed + tooMany.run(STEP, MOST_CHANGES).changes;
  }

  /** Of the oldest so many, those that were committed at or before a time. */
  private changesUntil(db: Store["db"]) {
    return db.prepare<[number, number]>(
      `DELETE FROM change WHERE number IN (SELECT number FROM change ORDER BY number LIMIT ?) AND at <= ?`,
    );
  }

  private expireMessages({ db }: Store, before: number): number {
    const { changes } = db
      .prepare(
        "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE expires = 1 AND at < ? ORDER BY at LIMIT ?)",
      )
      .run(before, STEP);
    if (changes > 0) this.options.expired(changes);
    return changes;
  }

  /** Gives one step of free pages back to the disk where the file is larger than it may be. */
  private giveBack(store: Store, limit: number): number {
    const { used, file } = store.bytes();
    if (file <= limit || file === used) return 0;
    store.db.pragma(`incremental_vacuum(${VACUUM_STEP})`);
    return file - store.bytes().file;
  }
}
