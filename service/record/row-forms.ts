import type { Acknowledged, ListedEvent, StoredEvent } from "../contract/api-events.ts";
import type { Event, Observation, Provenance } from "../contract/observation.ts";
import { iso } from "../kernel/clock.ts";

export const OBSERVATION = "id, node, watch, feeds, captured, answered, answer, provenance";
export const EVENT = `id, sequence, node, watch, rule, title, severity, phase, started, at, ended, reason,
  observation, answer, acknowledged, acknowledged_by, note`;

/** An observation as SQLite holds it: times are epoch ms, the rest of what is no text is JSON. */
export interface ObservationRow
  extends Omit<Observation, "feeds" | "captured" | "answered" | "answer" | "provenance"> {
  readonly feeds: string;
  readonly captured: number;
  readonly answered: number;
  readonly answer: string;
  readonly provenance: string;
}

/** The columns that say who took note of an event. */
export interface AcknowledgedColumns {
  readonly acknowledged: number | null;
  readonly acknowledged_by: string | null;
  readonly note: string | null;
}

export interface EventRow
  extends Omit<Event, "started" | "at" | "ended" | "reason" | "answer">,
    AcknowledgedColumns {
  readonly started: number;
  readonly at: number;
  readonly ended: number | null;
  readonly reason: string | null;
  readonly answer: string;
}

// The database holds only what passed the contract on its way in.
export function observationOf(row: ObservationRow): Observation {
  return {
    id: row.id,
    node: row.node,
    watch: row.watch,
    feeds: JSON.parse(row.feeds) as string[],
    captured: iso(row.captured),
    answered: iso(row.answered),
    answer: JSON.parse(row.answer) as Observation["answer"],
    provenance: JSON.parse(row.provenance) as Provenance,
  };
}

export function eventOf(row: EventRow): Event {
  const { id, sequence, node, watch, rule, title, severity, phase, reason, observation } = row;
  return {
    ...{ id, sequence, node, watch, rule, title, severity, phase },
    started: iso(row.started),
    at: iso(row.at),
    ended: row.ended === null ? null : iso(row.ended),
    ...(reason !== null && { reason }),
    observation,
    answer: JSON.parse(row.answer) as Event["answer"],
  };
}

export const storedEventOf = (row: EventRow): StoredEvent => ({
  ...eventOf(row),
  acknowledged: acknowledgedOf(row),
});

export const listedEventOf = (row: EventRow & { readonly picture: number }): ListedEvent => ({
  ...storedEventOf(row),
  picture: row.picture === 1,
});

export function acknowledgedOf({
  acknowledged,
  acknowledged_by,
  note,
}: AcknowledgedColumns): Acknowledged | null {
  if (acknowledged === null) return null;
  return { at: iso(acknowledged), by: acknowledged_by ?? "", ...(note !== null && { note }) };
}
