import type { Change, EventChange } from "../contract/api-live.ts";
import type { Database } from "../kernel/sqlite.ts";
import { OBSERVATION, type ObservationRow, observationOf } from "./row-forms.ts";

interface ChangeRow {
  readonly number: number;
  readonly at: number;
  readonly kind: EventChange | "observation";
  readonly watch: string;
  readonly event: string | null;
  readonly observation: number | null;
}

/** What changed, in the order of commits: a day of it, for those who follow the record and were away for a while. */
export class Changes {
  constructor(private readonly db: Database) {}

  /** Changes with a number above that, oldest first, at most `limit`; observations only where they are wanted. */
  after(number: number, limit: number, observations: boolean): Change[] {
    const rows = this.db
      .prepare<[number, number], ChangeRow>(
        `SELECT number, at, kind, watch, event, observation FROM change WHERE number > ?
         ORDER BY number LIMIT ?`,
      )
      .all(number, limit);
    const seen = this.db.prepare<[number | null], ObservationRow>(
      `SELECT ${OBSERVATION} FROM observation WHERE number = ?`,
    );
    return rows.map(({ number: own, at, kind, watch, event, observation }): Change => {
      if (kind !== "observation") return { number: own, at, watch, kind, event: event ?? "null" };
      const row = observations ? seen.get(observation) : undefined;
      return { number: own, at, watch, kind, observation: row && observationOf(row) };
    });
  }

  /** When a change was committed, epoch ms; undefined where it is not kept any more, or never was. */
  at(number: number): number | undefined {
    return this.db.prepare<[number], number>("SELECT at FROM change WHERE number = ?").pluck().get(number);
  }

  /** The oldest change that is kept. */
  oldest(): { readonly number: number; readonly at: number } | undefined {
    return this.db
      .prepare<[], { number: number; at: number }>("SELECT number, at FROM change ORDER BY number LIMIT 1")
      .get();
  }

  /** Number of the newest change there ever was; 0 where there was none. */
  newest(): number {
    return (
      this.db.prepare<[], number>("SELECT seq FROM sqlite_sequence WHERE name = 'change'").pluck().get() ?? 0
    );
  }
}
