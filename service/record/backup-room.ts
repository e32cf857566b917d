import { bytesText } from "../contract/units.ts";
import { isPerchError, PerchError } from "../kernel/errors.ts";
import type { Logger } from "../kernel/logger.ts";
import type { BackupShelf, Kept } from "./backup-shelf.ts";

/** Bytes that the disk has to have left beside one that was asked for. */
const SPARE = 64e6;
/** Bytes, and share of the disk, that one of the schedule leaves at least: nobody watches it. */
const SPARE_UNWATCHED = 512e6;
const SHARE_UNWATCHED = 0.1;

/** Bytes that the record fills, and that the disk of the backups has and has left. */
export interface Room {
  readonly used: number;
  readonly size: number;
  readonly free: number;
}

interface Options {
  readonly shelf: BackupShelf;
  /** Of the disk of a folder. Throws PerchError while the database is not open. */
  readonly room: (place: string) => Room;
  readonly logger: Logger;
}

/** Sees to it that backups never fill the disk: the record goes before them, and a new one before old ones of the schedule. */
export class BackupRoom {
  constructor(private readonly options: Options) {}

  /**
   * Room for one more, for which old ones of the schedule go where that is enough. Throws PerchError DATA_FULL.
   * `spare`: bytes that it has to leave.
   */
  find(scheduled: boolean): { expected: number; spare: number } {
    const { used, size, free } = this.room();
    const spare = scheduled ? unwatched(size) : SPARE;
    this.make(used + spare - free);
    const left = this.room().free;
    if (left >= used + spare) return { expected: used, spare };
    throw new PerchError(
      "DATA_FULL",
      `a backup takes about ${bytesText(used)} and has to leave ${bytesText(spare)}; the disk has ${bytesText(left)}: free some, or remove an old backup`,
    );
  }

  /** Where the disk runs short, whatever fills it: removes the oldest of the schedule's, one a call, but never its last. */
  giveWay(): void {
    const { shelf, logger } = this.options;
    const { size, free } = this.room();
    const [oldest] = this.removable();
    if (!oldest || free >= unwatched(size) / 2) return;
    shelf.remove(oldest.id);
    logger.warn(
      { part: "backups" },
      `the disk runs short (${bytesText(free)} left): the backup ${oldest.id} was removed early`,
    );
  }

  /** Whether so much less is left than one that is being made has to leave that it had better end. */
  ranShort(spare: number): boolean {
    try {
      return this.room().free < spare / 2;
    } catch (error) {
      // The database is away for now: nobody can say.
      if (isPerchError(error)) return false;
      throw error;
    }
  }

  private room(): Room {
    return this.options.room(this.options.shelf.place);
  }

  /** Removes the schedule's oldest where that gives so many bytes; none of them where it does not. */
  private make(missing: number): void {
    const { shelf, logger } = this.options;
    const old = this.removable();
    if (missing > old.reduce((sum, { bytes }) => sum + bytes, 0)) return;
    let left = missing;
    for (const { id, bytes } of old) {
      if (left <= 0) return;
      shelf.remove(id);
      left -= bytes;
      logger.info({ part: "backups" }, `the backup ${id} made room for a new one`);
    }
  }

  /** The schedule's, the oldest first, but for the newest of them. */
  private removable(): Kept[] {
    const own = this.options.shelf.list().filter(({ scheduled }) => scheduled);
    return own.slice(1).reverse();
  }
}

const unwatched = (size: number): number => Math.max(SPARE_UNWATCHED, size * SHARE_UNWATCHED);
