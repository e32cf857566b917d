import type { AuditRow } from "../contract/access.ts";
import type { DecisionRow, LoadTaken } from "../contract/decision.ts";
import type { Event, Observation } from "../contract/observation.ts";
import type { Database } from "../kernel/sqlite.ts";
import {
  EVENT,
  type EventRow,
  eventOf,
  OBSERVATION,
  type ObservationRow,
  observationOf,
} from "./row-forms.ts";
import { SearchTerms } from "./search-terms.ts";

/** Which events; a field left out does not narrow. */
export interface EventFilter {
  /** Started at or after, epoch ms. */
  readonly since?: number;
  readonly watch?: string;
  readonly rule?: string;
  readonly phase?: Event["phase"];
  /** Default 100. */
  readonly limit?: number;
}

/** Which observations; a field left out does not narrow. */
export interface ObservationFilter {
  /** Captured at or after, epoch ms. */
  readonly since?: number;
  readonly watch?: string;
  /** Default 100. */
  readonly limit?: number;
}

export interface Counts {
  readonly observations: number;
  readonly events: number;
  readonly openEvents: number;
  readonly outbox: number;
}

/** A row whose fields of these names are as SQLite holds them. */
type Stored<T, K extends keyof T> = Omit<T, K> & Readonly<Record<K, string | number>>;

/** What can be asked of the record. Newest first, except where said. */
export class Queries {
  constructor(private readonly db: Database) {}

  events({ since, watch, rule, phase, limit = 100 }: EventFilter = {}): Event[] {
    const { where, values } = conditions({
      "started >= ?": since,
      "watch = ?": watch,
      "rule = ?": rule,
      "phase = ?": phase,
    });
    return this.db
      .prepare<unknown[], EventRow>(
        `SELECT ${EVENT} FROM event ${where} ORDER BY started DESC, number DESC LIMIT ?`,
      )
      .all(...values, limit)
      .map(eventOf);
  }

  /** Events that have not ended, oldest first. */
  openEvents(): Event[] {
    return this.db
      .prepare<[], EventRow>(`SELECT ${EVENT} FROM event WHERE phase <> 'end' ORDER BY started, number`)
      .all()
      .map(eventOf);
  }

  observations({ since, watch, limit = 100 }: ObservationFilter = {}): Observation[] {
    const { where, values } = conditions({ "captured >= ?": since, "watch = ?": watch });
    return this.db
      .prepare<unknown[], ObservationRow>(
        `SELECT ${OBSERVATION} FROM observation ${where} ORDER BY captured DESC, number DESC LIMIT ?`,
      )
      .all(...values, limit)
      .map(observationOf);
  }

  /** Observations and events that have every word of the text, at most `limit` of each. Any text will do. */
  search(text: string, limit = 100): { observations: Observation[]; events: Event[] } {
    const numbers = (words: "observation_words" | "event_words"): string => {
      const query = new SearchTerms(this.db, words).query(text);
      if (query === undefined) return "[]";
      const found = this.db
        .prepare<[string, number], number>(
          `SELECT rowid FROM ${words} WHERE ${words} MATCH ? ORDER BY rowid DESC LIMIT ?`,
        )
        .pluck()
        .all(query, limit);
      return JSON.stringify(found);
    };
    const observations = this.db.prepare<[string], ObservationRow>(
      `SELECT ${OBSERVATION} FROM observation WHERE number IN (SELECT value FROM json_each(?))
       ORDER BY number DESC`,
    );
    const events = this.db.prepare<[string], EventRow>(
      `SELECT ${EVENT} FROM event WHERE number IN (SELECT value FROM json_each(?)) ORDER BY number DESC`,
    );
    return {
      observations: observations.all(numbers("observation_words")).map(observationOf),
      events: events.all(numbers("event_words")).map(eventOf),
    };
  }

  /** What the governor decided at or after a time, epoch ms. */
  decisions({
    since,
    limit = 100,
  }: {
    readonly since?: number;
    readonly limit?: number;
  } = {}): DecisionRow[] {
    const { where, values } = conditions({ "at >= ?": since });
    return this.db
      .prepare<unknown[], Stored<DecisionRow, "free" | "simulated">>(
        `SELECT at, level, pace, reason, text, next, hottest, simulated, free FROM decision ${where}
         ORDER BY at DESC, number DESC LIMIT ?`,
      )
      .all(...values, limit)
      .map(({ free, simulated, ...row }) => ({
        ...row,
        simulated: simulated === 1,
        free: JSON.parse(String(free)) as DecisionRow["free"],
      }));
  }

  /** Who changed what, or was refused to. */
  audit({ limit = 100 }: { readonly limit?: number } = {}): AuditRow[] {
    return this.db
      .prepare<[number], AuditRow>(
        `SELECT at, who, role, "from", what, outcome FROM audit ORDER BY at DESC, number DESC LIMIT ?`,
      )
      .all(limit);
  }

  /** What each level of a ladder took when it was loaded last. */
  loads(ladder: string): LoadTaken[] {
    return this.db
      .prepare<[string], Stored<LoadTaken, "needs">>(
        `SELECT ladder, level, model, context, slots, kv, gpu_layers AS gpuLayers, needs, ms, at
         FROM load WHERE ladder = ?`,
      )
      .all(ladder)
      .map(({ needs, ...row }) => ({ ...row, needs: JSON.parse(String(needs)) as LoadTaken["needs"] }));
  }

  /** Tokens a second that each level of a ladder answered with, by its last thousand answers. */
  rates(ladder: string): { level: string; tokensPerSecond: number }[] {
    return this.db
      .prepare<[string], { level: string; tokensPerSecond: number }>(
        `SELECT level, 1000.0 * sum(tokens) / sum(ms) AS tokensPerSecond FROM (
           SELECT provenance ->> '$.level' AS level, provenance ->> '$.ladder' AS ladder,
             provenance ->> '$.tokens.answer' AS tokens, provenance ->> '$.decode' AS ms
           FROM observation ORDER BY number DESC LIMIT 1000)
         WHERE ladder = ? AND ms > 0 GROUP BY level`,
      )
      .all(ladder);
  }

  /** JPEG kept with an event, if there is one. */
  thumbnail(eventId: string): Buffer | undefined {
    return this.db
      .prepare<[string], Buffer>(
        "SELECT jpeg FROM thumbnail WHERE event = (SELECT number FROM event WHERE id = ?)",
      )
      .pluck()
      .get(eventId);
  }

  counts(): Counts {
    const count = (from: string) =>
      this.db.prepare<[], number>(`SELECT count(*) FROM ${from}`).pluck().get() ?? 0;
    return {
      observations: count("observation"),
      events: count("event"),
      openEvents: count("event WHERE phase <> 'end'"),
      outbox: count("outbox"),
    };
  }
}

/** The conditions whose value is given, and those values. */
function conditions(wanted: Record<string, string | number | undefined>): {
  where: string;
  values: unknown[];
} {
  const given = Object.entries(wanted).filter(([, value]) => value !== undefined);
  return {
    where: given.length === 0 ? "" : `WHERE ${given.map(([condition]) => condition).join(" AND ")}`,
    values: given.map(([, value]) => value),
  };
}
