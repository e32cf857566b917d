import type { Acknowledged, StoredEvent } from "../contract/api-events.ts";
import type { EventChange } from "../contract/api-live.ts";
import type { Event } from "../contract/observation.ts";
import type { Database } from "../kernel/sqlite.ts";
import { EVENT, type EventRow, storedEventOf } from "./row-forms.ts";

/** Who took note of an event, or nobody any more. */
export interface Acknowledgement {
  readonly event: string;
  readonly acknowledged: Acknowledged | null;
}

/** Writes who took note of an event, and every change for those who follow the record. Transactions are the caller's. */
export class ChangeRows {
  private readonly insert;
  private readonly acknowledgeEvent;
  private readonly withdrawEvent;
  private readonly findEvent;

  constructor(db: Database) {
    this.insert = db.prepare(
      "INSERT INTO change (at, kind, watch, event, observation) VALUES (?, ?, ?, ?, ?)",
    );
    this.acknowledgeEvent = db.prepare(
      `UPDATE event SET acknowledged = ?, acknowledged_by = ?, note = ?
       WHERE id = ? AND acknowledged IS NULL`,
    );
    this.withdrawEvent = db.prepare(
      `UPDATE event SET acknowledged = NULL, acknowledged_by = NULL, note = NULL
       WHERE id = ? AND acknowledged IS NOT NULL`,
    );
    this.findEvent = db.prepare<[string], EventRow>(`SELECT ${EVENT} FROM event WHERE id = ?`);
  }

  /** An observation was written; `number` is its row's, `at` the time of the commit, epoch ms. */
  observation(number: number | bigint, watch: string, at: number): void {
    this.insert.run(at, "observation", watch, null, number);
  }

  /** A message of an event was written. */
  event(event: Event, acknowledged: Acknowledged | null, at: number): void {
    this.note(event.phase, { ...event, acknowledged }, at);
  }

  /** False where it changes nothing: the event is gone, or it is as it should be already. */
  acknowledge({ event, acknowledged }: Acknowledgement, at: number): boolean {
    const { changes } = acknowledged
      ? this.acknowledgeEvent.run(
          Date.parse(acknowledged.at),
          acknowledged.by,
          acknowledged.note ?? null,
          event,
        )
      : this.withdrawEvent.run(event);
    const row = changes > 0 ? this.findEvent.get(event) : undefined;
    if (!row) return false;
    this.note(acknowledged ? "acknowledged" : "unacknowledged", storedEventOf(row), at);
    return true;
  }

  private note(kind: EventChange, event: StoredEvent, at: number): void {
    this.insert.run(at, kind, event.watch, JSON.stringify(event), null);
  }
}
