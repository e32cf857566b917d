import type Database from "better-sqlite3";
import { expandedQuery } from "./search-terms.ts";

/** Rows that one step looks at, where a condition has no index: a few ms of work. */
const STEP = 2_000;
/** Nothing is recorded later than this after it was seen, ms: so far entries do not wait in memory. */
const LATEST = 86_400_000;

export type Order = "asc" | "desc";

/** Where in an order a list goes on: after this row. Lists of a search go by the number alone. */
export interface Position {
  /** Epoch ms. */
  readonly time: number;
  readonly number: number;
}

/** A condition on a row; where it has an index, that has the list's time as its last column. */
export interface Condition {
  readonly sql: string;
  readonly values: readonly (string | number)[];
  readonly index?: string;
}

/** A table that can be listed by time. */
export interface Listed {
  readonly table: "event" | "observation";
  /** Column of the time, and the index on it alone. */
  readonly time: string;
  readonly index: string;
  readonly words: "event_words" | "observation_words";
  readonly columns: string;
}

/** What is looked for. */
export interface Wish {
  /** The first that has an index leads. */
  readonly conditions: readonly Condition[];
  /** Epoch ms: at or after, and before. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** Every word of it. */
  readonly text?: string | undefined;
  readonly order: Order;
  readonly after?: Position | undefined;
}

export type Keyed<Row> = Row & { readonly key_time: number; readonly key_number: number };

export interface Step<Row> {
  readonly rows: Keyed<Row>[];
  /** Where the next step begins; undefined where nothing can follow. */
  readonly next: Position | undefined;
}

/**
 * Lists a table in steps, each from a place in the order on (never an OFFSET), so that a place stays right while rows
 * come and go, and no step takes more than a few ms, whatever is looked for in however many rows.
 */
export class Keyset<Row> {
  constructor(
    private readonly db: Database.Database,
    private readonly listed: Listed,
  ) {}

  /** The next rows, `limit` at most; where there are fewer, `next` says whether others may follow. */
  step(wish: Wish, limit: number): Step<Row> {
    return wish.text === undefined ? this.byTime(wish, limit) : this.bySearch(wish, wish.text, limit);
  }

  private byTime({ conditions, since, until, order, after }: Wish, limit: number): Step<Row> {
    const { table, time, index } = this.listed;
    const leading = conditions.find((condition) => condition.index !== undefined);
    const others = conditions.filter((condition) => condition !== leading);
    const range: Condition[] = [...(leading ? [leading] : [])];
    if (since !== undefined) range.push({ sql: `${time} >= ?`, values: [since] });
    if (until !== undefined) range.push({ sql: `${time} < ?`, values: [until] });
    if (after) range.push(beyond(`(${time}, number)`, order, [after.time, after.number]));
    const from = `${table} INDEXED BY ${leading?.index ?? index}`;
    const by = `ORDER BY ${time} ${order}, number ${order}`;
    const end = others.length === 0 ? undefined : this.stepEnd(time, "number", from, range, by);
    const last: Condition[] = end ? [upTo(`(${time}, number)`, order, [end.key_time, end.key_number])] : [];
    return this.rows(from, [...range, ...others, ...last], by, limit, end);
  }

  private bySearch({ conditions, since, until, order, after }: Wish, text: string, limit: number): Step<Row> {
    const { table, time, words } = this.listed;
    const query = expandedQuery(this.db, words, text);
    if (query === undefined) return { rows: [], next: undefined };
    const range: Condition[] = [{ sql: `${words} MATCH ?`, values: [query] }];
    if (after) range.push(beyond("rowid", order, [after.number]));
    if (since !== undefined) range.push({ sql: "rowid > ?", values: [this.lastBefore(since - LATEST)] });
    if (until !== undefined) range.push({ sql: "rowid < ?", values: [this.firstAfter(until + LATEST)] });
    const others: Condition[] = [...conditions];
    if (since !== undefined) others.push({ sql: `${time} >= ?`, values: [since] });
    if (until !== undefined) others.push({ sql: `${time} < ?`, values: [until] });
    const by = `ORDER BY rowid ${order}`;
    const end = others.length === 0 ? undefined : this.stepEnd("0", "rowid", words, range, by);
    const last: Condition[] = end ? [upTo("rowid", order, [end.key_number])] : [];
    // The words first, then their rows: the other way round SQLite would look at every row.
    const found = [...range, ...last].map(({ sql }) => sql).join(" AND ");
    const from = `(SELECT rowid FROM ${words} WHERE ${found}) AS found CROSS JOIN ${table} ON number = found.rowid`;
    const values = [...range, ...last].flatMap((condition) => condition.values);
    return this.rows(from, others, `ORDER BY found.rowid ${order}`, limit, end, values);
  }

  private rows(
    from: string,
    where: readonly Condition[],
    by: string,
    limit: number,
    end: Keyed<object> | undefined,
    values: readonly (string | number)[] = [],
  ): Step<Row> {
    const { time, columns } = this.listed;
    const rows = this.db
      .prepare<unknown[], Keyed<Row>>(
        `SELECT ${columns}, ${time} AS key_time, number AS key_number FROM ${from} ${whereOf(where)} ${by} LIMIT ?`,
      )
      .all(...values, ...where.flatMap((condition) => condition.values), limit);
    const full = rows.length === limit ? rows.at(-1) : undefined;
    return { rows, next: positionOf(full ?? end) };
  }

  /** The last row that a step looks at; undefined where it comes to the end. */
  private stepEnd(
    time: string,
    number: string,
    from: string,
    where: readonly Condition[],
    by: string,
  ): Keyed<object> | undefined {
    return this.db
      .prepare<unknown[], Keyed<object>>(
        `SELECT ${time} AS key_time, ${number} AS key_number FROM ${from} ${whereOf(where)} ${by} LIMIT 1 OFFSET ?`,
      )
      .get(...where.flatMap((condition) => condition.values), STEP - 1);
  }

  /** Rows that were seen at `time` or earlier have numbers up to this or a little above. */
  private lastBefore(time: number): number {
    return this.numberAt("<", "DESC", time) ?? 0;
  }

  private firstAfter(time: number): number {
    return this.numberAt(">", "ASC", time) ?? Number.MAX_SAFE_INTEGER;
  }

  private numberAt(than: "<" | ">", order: "ASC" | "DESC", moment: number): number | undefined {
    const { table, time, index } = this.listed;
    return this.db
      .prepare<[number], number>(
        `SELECT number FROM ${table} INDEXED BY ${index} WHERE ${time} ${than} ? ORDER BY ${time} ${order} LIMIT 1`,
      )
      .pluck()
      .get(moment);
  }
}

export const positionOf = (row: Keyed<object> | undefined): Position | undefined =>
  row && { time: row.key_time, number: row.key_number };

const marks = (values: readonly unknown[]) =>
  values.length === 1 ? "?" : `(${values.map(() => "?").join(", ")})`;

const beyond = (key: string, order: Order, values: readonly number[]): Condition => ({
  sql: `${key} ${order === "asc" ? ">" : "<"} ${marks(values)}`,
  values,
});

const upTo = (key: string, order: Order, values: readonly number[]): Condition => ({
  sql: `${key} ${order === "asc" ? "<=" : ">="} ${marks(values)}`,
  values,
});

const whereOf = (conditions: readonly Condition[]): string =>
  conditions.length === 0 ? "" : `WHERE ${conditions.map(({ sql }) => sql).join(" AND ")}`;
