import { statSync } from "node:fs";
import type { Backup } from "../contract/api-record.ts";
import { bytesText } from "../contract/units.ts";
import { type Clock, iso } from "../kernel/clock.ts";
import { isPerchError, messageOf, PerchError } from "../kernel/errors.ts";
import type { Logger } from "../kernel/logger.ts";
import { type Copying, copyDatabase } from "./backup-copying.ts";
import { BackupRoom, type Room } from "./backup-room.ts";
import { BackupShelf, type Kept } from "./backup-shelf.ts";
import { tidyRestoring } from "./restoring.ts";

/** Backups that were asked for and are kept; a new one takes the place of the oldest. */
const MOST = 5;
/** Ms between two looks at the disk while one is made. */
const LOOK = 1_000;

interface Options {
  /** The data folder. */
  readonly folder: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Of the disk of a folder. Throws PerchError while the database is not open. */
  readonly room: (place: string) => Room;
}

interface Running extends Pick<Backup, "id" | "at" | "scheduled"> {
  /** Bytes it will have, about. */
  readonly expected: number;
  /** Bytes that the disk has to keep. */
  readonly spare: number;
  /** How many of its kind stay. */
  readonly keep: number;
  readonly copying: Copying;
}

/** Makes copies of the database, one at a time: those that are asked for, and those of the schedule. */
export class Backups {
  private readonly shelf: BackupShelf;
  private readonly room: BackupRoom;
  private running: Running | undefined;
  private failed: Backup | undefined;
  /** What came of the last one. Never rejects. */
  private made: Promise<Backup> | undefined;

  constructor(private readonly options: Options) {
    this.shelf = new BackupShelf(options.folder);
    this.room = new BackupRoom({ ...options, shelf: this.shelf });
  }

  /** Removes what an earlier run left unfinished. */
  tidy(): void {
    try {
      tidyRestoring(this.options.folder);
      this.shelf.tidy();
    } catch (error) {
      this.options.logger.warn({ part: "backups" }, `data/backups cannot be tidied: ${messageOf(error)}`);
    }
  }

  /** Begins one. Throws PerchError CONFLICT while one is made, and DATA_FULL where there is too little room. */
  begin(): Backup {
    if (this.running)
      throw new PerchError("CONFLICT", `the backup ${this.running.id} is being made: wait until it is done`);
    return this.progress(this.start({ ...this.named(), scheduled: false }, MOST));
  }

  /** Makes one of the schedule's, of which so many stay. Resolves to what came of it; where one is made already, of that one. */
  async scheduled(keep: number): Promise<Backup> {
    const wish = { ...this.named(), scheduled: true };
    try {
      if (!this.running) this.start(wish, keep);
    } catch (error) {
      if (!isPerchError(error)) throw error;
      return this.fail(wish, error.message);
    }
    return (await this.made) ?? this.fail(wish, "it was not begun");
  }

  /** The newest first: the one that is made now, or failed last, and those that are done. */
  list(): Backup[] {
    const now = this.running ? [this.progress(this.running)] : this.failed ? [this.failed] : [];
    return [...now, ...this.shelf.list()];
  }

  /** Those that are done, the newest first. */
  done(): Kept[] {
    return this.shelf.list();
  }

  /** Where a finished one lies. Throws PerchError NOT_FOUND, and CONFLICT while it is made. */
  file(id: string): { path: string; backup: Kept } {
    this.refuseRunning(id);
    const backup = this.shelf.list().find((one) => one.id === id);
    if (!backup) throw new PerchError("NOT_FOUND", `there is no backup ${id}: GET /api/backups lists them`);
    return { path: this.shelf.path(id), backup };
  }

  /** Throws PerchError NOT_FOUND, and CONFLICT while it is made. */
  remove(id: string): void {
    this.file(id);
    this.shelf.remove(id);
  }

  /** Removes the schedule's of before a time, epoch ms: what is in them is too old for the record itself. */
  expire(before: number): void {
    for (const { id, at, scheduled } of this.shelf.list()) {
      if (!scheduled || Date.parse(at) >= before) continue;
      this.shelf.remove(id);
      this.options.logger.info(
        { part: "backups" },
        `the backup ${id} was older than record.age and is removed`,
      );
    }
  }

  /** Where the disk runs short, the oldest of the schedule's go. Throws PerchError while the database is not open. */
  giveWay(): void {
    this.room.giveWay();
  }

  /** Ends the one that is made. */
  async stop(): Promise<void> {
    this.running?.copying.end("the service stopped");
    await this.made;
  }

  private start(wish: Pick<Running, "id" | "at" | "scheduled">, keep: number): Running {
    const room = this.room.find(wish.scheduled);
    this.shelf.prepare();
    this.failed = undefined;
    const copying = copyDatabase(this.options.folder, this.shelf.unfinished(wish.id));
    const running = { ...wish, ...room, keep, copying };
    this.running = running;
    this.made = this.make(running);
    return running;
  }

  private async make(running: Running): Promise<Backup> {
    const { id, at, scheduled, copying } = running;
    const stopLooking = this.lookAtTheDisk(running);
    try {
      const { bytes, sha256 } = await copying.outcome;
      this.shelf.add({ id, at, bytes, sha256, scheduled });
      this.prune(running);
      const said = `the backup ${id} is made: ${bytesText(bytes)}, sha256 ${sha256}`;
      this.options.logger.info({ part: "backups" }, said);
      return { id, at, scheduled, state: "done", progress: 1, bytes, sha256 };
    } catch (error) {
      this.shelf.discard(id);
      return this.fail(running, messageOf(error));
    } finally {
      stopLooking();
      this.running = undefined;
    }
  }

  /** Never the one that was just made: where the clock went back it is not the newest by its time. */
  private prune({ id, scheduled, keep }: Running): void {
    try {
      const others = this.shelf.list().filter((one) => one.scheduled === scheduled && one.id !== id);
      for (const old of others.slice(keep - 1)) this.shelf.remove(old.id);
    } catch (error) {
      // The new one is made all the same.
      this.options.logger.warn({ part: "backups" }, `an old backup cannot be removed: ${messageOf(error)}`);
    }
  }

  private fail({ id, at, scheduled }: Pick<Backup, "id" | "at" | "scheduled">, fault: string): Backup {
    const failed = { id, at, scheduled, progress: 0, bytes: null, sha256: null, fault };
    this.failed = { ...failed, state: "failed" };
    this.options.logger.error({ part: "backups" }, `the backup ${id} failed: ${fault}`);
    return this.failed;
  }

  /** Ends the one that is made where the disk runs short: what is recorded meanwhile matters more. */
  private lookAtTheDisk({ copying, spare }: Running): () => void {
    const { clock } = this.options;
    const look = () => {
      if (this.room.ranShort(spare)) copying.end("the disk ran short while it was made: free some space");
      else cancel = clock.after(LOOK, look);
    };
    let cancel = clock.after(LOOK, look);
    return () => cancel();
  }

  private named(): { id: string; at: string } {
    const at = iso(this.options.clock.now());
    return { id: at.replace(/[-:.]/g, ""), at };
  }

  private progress({ id, at, scheduled, expected }: Running): Backup {
    const size = statSync(this.shelf.unfinished(id), { throwIfNoEntry: false })?.size ?? 0;
    const progress = Math.round(Math.min(0.99, size / expected) * 100) / 100;
    return { id, at, scheduled, state: "running", progress, bytes: null, sha256: null };
  }

  private refuseRunning(id: string): void {
    if (this.running?.id === id)
      throw new PerchError(
        "CONFLICT",
        `the backup ${id} is still being made: GET /api/backups says how far it is`,
      );
  }
}
