import type { ListedEvent } from "../../contract/api-events.ts";
import type { AuditPage, Backup, DecisionPage } from "../../contract/api-record.ts";
import type { Event, Observation } from "../../contract/observation.ts";
import type { EventsWanted, ObservationsWanted, Page, PageWanted } from "../../record/pages.ts";
import type { Place } from "../cursor.ts";

/** The record as the outside sees it. Every call throws or rejects with a PerchError while the database is not open. */
export interface RecordDesk {
  /** Name of this box, for file names. */
  readonly node: string;
  events(wanted: EventsWanted, page: PageWanted): Promise<Page<ListedEvent>>;
  observations(wanted: ObservationsWanted, page: PageWanted): Promise<Page<Observation>>;
  allEvents(wanted: EventsWanted): AsyncIterable<ListedEvent[]>;
  allObservations(wanted: ObservationsWanted): AsyncIterable<Observation[]>;
  event(id: string): ListedEvent | undefined;
  observationsOf(event: Event, limit: number): Observation[];
  picture(id: string): Buffer | undefined;
  /** Rejects with NOT_FOUND, and CONFLICT where there is another note. */
  acknowledge(id: string, by: string, note: string | undefined): Promise<ListedEvent>;
  /** Rejects with NOT_FOUND. */
  withdraw(id: string): Promise<ListedEvent>;
  audit(after: Place | undefined, limit: number): { items: AuditPage["audit"]; next: Place | undefined };
  decisions(
    after: Place | undefined,
    limit: number,
  ): { items: DecisionPage["decisions"]; next: Place | undefined };
}

/** Copies of the record's database. */
export interface BackupDesk {
  /** Begins one. Throws CONFLICT while one is made, and DATA_FULL where the disk has too little room. */
  begin(): Backup;
  /** The newest first. */
  list(): Backup[];
  /** Where a finished one lies. Throws NOT_FOUND, and CONFLICT where it is not finished. */
  file(id: string): { readonly path: string; readonly backup: Backup };
  /** Throws NOT_FOUND, and CONFLICT while it is made. */
  remove(id: string): void;
}
