import type { AuditRow } from "../contract/access.ts";
import type { AuditPage, DecisionPage } from "../contract/api-record.ts";
import type { DecisionRow } from "../contract/decision.ts";
import { iso } from "../kernel/clock.ts";
import type { Database } from "../kernel/sqlite.ts";
import type { Position } from "./keyset.ts";

/** A row and its place in the order. */
type Keyed<Row> = Row & { readonly key_time: number; readonly key_number: number };

interface JournalPage<T> {
  readonly items: T[];
  readonly next: Position | undefined;
}

/** What people changed and what the governor decided, a page at a time, the newest first. */
export class Journals {
  constructor(private readonly db: Database) {}

  audit(after: Position | undefined, limit: number): JournalPage<AuditPage["audit"][number]> {
    const { items, next } = this.page<AuditRow>("audit", 'who, role, "from", what, outcome', after, limit);
    return { items: items.map(({ at, ...row }) => ({ at: iso(at), ...row })), next };
  }

  decisions(after: Position | undefined, limit: number): JournalPage<DecisionPage["decisions"][number]> {
    type Row = Omit<DecisionRow, "free" | "simulated"> & {
      readonly free: string;
      readonly simulated: number;
    };
    const columns = "level, pace, reason, text, next, hottest, simulated, free";
    const { items, next } = this.page<Row>("decision", columns, after, limit);
    const form = ({ at, simulated, free, ...row }: Row) => ({
      ...{ at: iso(at), ...row, simulated: simulated === 1 },
      free: JSON.parse(free) as DecisionRow["free"],
    });
    return { items: items.map(form), next };
  }

  private page<Row extends { readonly at: number }>(
    table: "audit" | "decision",
    columns: string,
    after: Position | undefined,
    limit: number,
  ): JournalPage<Row> {
    const rows = this.db
      .prepare<unknown[], Keyed<Row>>(
        `SELECT at, ${columns}, at AS key_time, number AS key_number FROM ${table}
         ${after ? "WHERE (at, number) < (?, ?)" : ""} ORDER BY at DESC, number DESC LIMIT ?`,
      )
      .all(...(after ? [after.time, after.number] : []), limit + 1);
    const kept = rows.slice(0, limit);
    const plain = ({ key_time: _time, key_number: _number, ...row }: Keyed<Row>) => row as unknown as Row;
    const last = rows.length > limit ? kept.at(-1) : undefined;
    return { items: kept.map(plain), next: last && { time: last.key_time, number: last.key_number } };
  }
}
