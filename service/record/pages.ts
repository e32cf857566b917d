import type { ListedEvent } from "../contract/api-events.ts";
import type { Event, Observation } from "../contract/observation.ts";
import type { Database } from "../kernel/sqlite.ts";
import { type Condition, Keyset, type Order, type Position, type Step, type Wish } from "./keyset.ts";
import {
  EVENT,
  type EventValues,
  eventRowOf,
  listedEventOf,
  OBSERVATION,
  type ObservationRow,
  type ObservationValues,
  observationOf,
  observationRowOf,
  type PictureRow,
} from "./row-forms.ts";
import { Turns } from "./turns.ts";

/** Rows of one chunk of a long list: some ms of work to read and to write them as text. */
const CHUNK = 100;

/** What is looked for; a field left out does not narrow. Times are epoch ms: at or after `since`, before `until`. */
export interface EventsWanted {
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  readonly watch?: string | undefined;
  readonly rule?: string | undefined;
  readonly severity?: Event["severity"] | undefined;
  readonly phase?: Event["phase"] | undefined;
  readonly open?: boolean | undefined;
  readonly acknowledged?: boolean | undefined;
  readonly text?: string | undefined;
  readonly order: Order;
}
export interface ObservationsWanted {
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  readonly watch?: string | undefined;
  readonly feed?: string | undefined;
  readonly text?: string | undefined;
  readonly order: Order;
}

/** Where a page begins and how much it has. */
export interface PageWanted {
  readonly after?: Position | undefined;
  readonly limit: number;
  readonly signal?: AbortSignal;
}

export interface Page<T> {
  readonly items: T[];
  /** Where the next page begins; undefined where this is the last. */
  readonly next: Position | undefined;
}

const PICTURE = "EXISTS (SELECT 1 FROM thumbnail WHERE thumbnail.event = number)";

/** Lists of events and observations, a page at a time or all of them; however long they are, others work in between. */
export class Pages {
  private readonly turns = new Turns();
  private readonly eventKeyset: Keyset<PictureRow>;
  private readonly observationKeyset: Keyset<ObservationRow>;

  constructor(private readonly db: Database) {
    this.eventKeyset = new Keyset<PictureRow>(db, {
      ...{ table: "event", time: "started", index: "event_started", words: "event_words" },
      columns: `${EVENT}, ${PICTURE}`,
      row: (values) => eventRowOf(values as EventValues),
    });
    this.observationKeyset = new Keyset<ObservationRow>(db, {
      ...{
        table: "observation",
        time: "captured",
        index: "observation_captured",
        words: "observation_words",
      },
      columns: OBSERVATION,
      row: (values) => observationRowOf(values as ObservationValues),
    });
  }

  events(wanted: EventsWanted, page: PageWanted): Promise<Page<ListedEvent>> {
    return this.page(this.eventKeyset, eventWish(wanted), page, listedEventOf);
  }

  observations(wanted: ObservationsWanted, page: PageWanted): Promise<Page<Observation>> {
    return this.page(this.observationKeyset, observationWish(wanted), page, observationOf);
  }

  /** All of them, in chunks. No transaction is open between two chunks. */
  allEvents(wanted: EventsWanted): AsyncGenerator<ListedEvent[]> {
    return this.all(this.eventKeyset, eventWish(wanted), listedEventOf);
  }

  allObservations(wanted: ObservationsWanted): AsyncGenerator<Observation[]> {
    return this.all(this.observationKeyset, observationWish(wanted), observationOf);
  }

  event(id: string): ListedEvent | undefined {
    const row = this.db
      .prepare<[string], PictureRow>(`SELECT ${EVENT}, ${PICTURE} AS picture FROM event WHERE id = ?`)
      .get(id);
    return row && listedEventOf(row);
  }

  /** Answers of the event's watch while it lasted, the newest first. */
  observationsOf({ watch, started, at }: Event, limit: number): Observation[] {
    return this.db
      .prepare<unknown[], ObservationRow>(
        `SELECT ${OBSERVATION} FROM observation INDEXED BY observation_watch
         WHERE watch = ? AND captured BETWEEN ? AND ? ORDER BY captured DESC, number DESC LIMIT ?`,
      )
      .all(watch, Date.parse(started), Date.parse(at), limit)
      .map(observationOf);
  }

  private async page<Row, T>(
    keyset: Keyset<Row>,
    wish: Wish,
    { after, limit, signal }: PageWanted,
    form: (row: Row) => T,
  ): Promise<Page<T>> {
    const rows: Step<Row>["rows"] = [];
    let from: Position | undefined = after;
    for (;;) {
      // One more than is wanted, to know whether there is a next page.
      const step = keyset.step({ ...wish, after: from }, limit + 1 - rows.length);
      rows.push(...step.rows);
      if (rows.length > limit || !step.next) break;
      from = step.next;
      await this.turns.next();
      signal?.throwIfAborted();
    }
    const kept = rows.slice(0, limit);
    const next = rows.length > limit ? kept.at(-1)?.at : undefined;
    return { items: kept.map(({ row }) => form(row)), next };
  }

  private async *all<Row, T>(keyset: Keyset<Row>, wish: Wish, form: (row: Row) => T): AsyncGenerator<T[]> {
    let after: Position | undefined;
    for (;;) {
      const { rows, next } = keyset.step({ ...wish, after }, CHUNK);
      if (rows.length > 0) yield rows.map(({ row }) => form(row));
      if (!next) return;
      after = next;
      await this.turns.next();
    }
  }
}

function eventWish({ since, until, text, order, ...narrow }: EventsWanted): Wish {
  const { watch, rule, severity, phase, open, acknowledged } = narrow;
  const conditions: (Condition | undefined)[] = [
    // Few are open, so that comes first.
    open === true || phase === "start" || phase === "update"
      ? { sql: "phase <> 'end'", values: [], index: "event_open" }
      : undefined,
    open === false ? { sql: "phase = 'end'", values: [] } : undefined,
    phase === undefined ? undefined : { sql: "phase = ?", values: [phase] },
    rule === undefined ? undefined : { sql: "rule = ?", values: [rule], index: "event_rule" },
    watch === undefined ? undefined : { sql: "watch = ?", values: [watch], index: "event_watch" },
    acknowledged === true
      ? { sql: "acknowledged IS NOT NULL", values: [], index: "event_acknowledged" }
      : undefined,
    severity === undefined ? undefined : { sql: "severity = ?", values: [severity], index: "event_severity" },
    acknowledged === false
      ? { sql: "acknowledged IS NULL", values: [], index: "event_unacknowledged" }
      : undefined,
  ];
  return { conditions: conditions.filter((one) => one !== undefined), since, until, text, order };
}

function observationWish({ since, until, watch, feed, text, order }: ObservationsWanted): Wish {
  const conditions: (Condition | undefined)[] = [
    watch === undefined ? undefined : { sql: "watch = ?", values: [watch], index: "observation_watch" },
    // JSON of a list of ids, which hold no quotes.
    feed === undefined ? undefined : { sql: "instr(feeds, ?) > 0", values: [JSON.stringify(feed)] },
  ];
  return { conditions: conditions.filter((one) => one !== undefined), since, until, text, order };
}
