import type { Database, Statement } from "../kernel/sqlite.ts";
import { SearchTerms } from "./search-terms.ts";

/** Rows that one step looks at, where a condition has no index: a few ms of work. */
const STEP = 2_000;
const MOST_STATEMENTS = 100;
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

/** A table that can be listed by time, and how its rows are read. */
export interface Listed<Row> {
  readonly columns: string;
  /** Of the values of those columns: SQLite hands them over in half the time that it takes to name them. */
  readonly row: (values: readonly unknown[]) => Row;
  readonly table: "event" | "observation";
  /** Column of the time, and the index on it alone. */
  readonly time: string;
  readonly index: string;
  readonly words: "event_words" | "observation_words";
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

export interface Step<Row> {
  readonly rows: { readonly row: Row; readonly at: Position }[];
  /** Where the next step begins; undefined where nothing can follow. */
  readonly next: Position | undefined;
}

/**
 * Lists a table in steps, each from a place in the order on (never an OFFSET), so that a place stays right while rows
 * come and go, and no step takes more than a few ms, whatever is looked for in however many rows.
 */
export class Keyset<Row> {
  private readonly terms: SearchTerms;
  /** By their text: what is looked for comes in a few forms. */
  private readonly statements = new Map<string, Statement<unknown[], unknown[]>>();

  constructor(
    private readonly db: Database,
    private readonly listed: Listed<Row>,
  ) {
    this.terms = new SearchTerms(db, listed.words);
  }

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
    const last: Condition[] = end ? [upTo(`(${time}, number)`, order, [end.time, end.number])] : [];
    return this.rows(from, [...range, ...others, ...last], by, limit, () => end);
  }

  private bySearch({ conditions, since, until, order, after }: Wish, text: string, limit: number): Step<Row> {
    const { table, time, words } = this.listed;
    const query = this.terms.query(text);
    if (query === undefined) return { rows: [], next: undefined };
    const range: Condition[] = [{ sql: `${words} MATCH ?`, values: [query] }];
    if (after) range.push(beyond("rowid", order, [after.number]));
    if (since !== undefined) range.push({ sql: "rowid > ?", values: [this.lastBefore(since - LATEST)] });
    if (until !== undefined) range.push({ sql: "rowid < ?", values: [this.firstAfter(until + LATEST)] });
    const others: Condition[] = [...conditions];
    if (since !== undefined) others.push({ sql: `${time} >= ?`, values: [since] });
    if (until !== undefined) others.push({ sql: `${time} < ?`, values: [until] });
    const by = `ORDER BY rowid ${order}`;
    const bound = others.length === 0 ? "" : `${by} LIMIT ${STEP}`;
    // Where all that is wanted was found within the step, its end is not looked for.
    const end = () => (bound === "" ? undefined : this.stepEnd("0", "rowid", words, range, by));
    // The words first, then their rows: the other way round SQLite would look at every row.
    const found = `SELECT rowid FROM ${words} ${whereOf(range)} ${bound}`;
    const from = `(${found}) AS found CROSS JOIN ${table} ON number = found.rowid`;
    const values = range.flatMap((condition) => condition.values);
    return this.rows(from, others, `ORDER BY found.rowid ${order}`, limit, end, values);
  }

  private rows(
    from: string,
    where: readonly Condition[],
    by: string,
    limit: number,
    end: () => Position | undefined,
    values: readonly (string | number)[] = [],
  ): Step<Row> {
    const { time, columns, row } = this.listed;
    const statement = this.statement(
      `SELECT ${time}, number, ${columns} FROM ${from} ${whereOf(where)} ${by} LIMIT ?`,
    );
    const rows = statement
      .all(...values, ...where.flatMap((condition) => condition.values), limit)
      .map(([at, number, ...rest]) => ({
        row: row(rest),
        at: { time: at as number, number: number as number },
      }));
    return { rows, next: rows.length === limit ? rows.at(-1)?.at : end() };
  }

  /** The last row that a step looks at; undefined where it comes to the end. */
  private stepEnd(
    time: string,
    number: string,
    from: string,
    where: readonly Condition[],
    by: string,
  ): Position | undefined {
    const found = this.statement(
      `SELECT ${time}, ${number} FROM ${from} ${whereOf(where)} ${by} LIMIT 1 OFFSET ?`,
    ).get(...where.flatMap((condition) => condition.values), STEP - 1);
    return found && { time: found[0] as number, number: found[1] as number };
  }

  private statement(sql: string): Statement<unknown[], unknown[]> {
    const known = this.statements.get(sql);
    if (known) return known;
    if (this.statements.size >= MOST_STATEMENTS) this.statements.clear();
    const made = this.db.prepare<unknown[], unknown[]>(sql).raw();
    this.statements.set(sql, made);
    return made;
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
