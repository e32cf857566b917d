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

export interface PictureRow extends EventRow {
  readonly picture: number;
}

/** The values of OBSERVATION. */
export type ObservationValues = readonly [
  ...[id: string, node: string, watch: string, feeds: string, captured: number, answered: number],
  ...[answer: string, provenance: string],
];
/** The values of EVENT, and whether there is a picture. */
export type EventValues = readonly [
  ...[id: string, sequence: number, node: string, watch: string, rule: string, title: string],
  ...[severity: Event["severity"], phase: Event["phase"], started: number, at: number, ended: number | null],
  ...[reason: string | null, observation: string, answer: string],
  ...[acknowledged: number | null, acknowledged_by: string | null, note: string | null, picture: number],
];

export const observationRowOf = (values: ObservationValues): ObservationRow => ({
  id: values[0],
  node: values[1],
  watch: values[2],
  feeds: values[3],
  captured: values[4],
  answered: values[5],
  answer: values[6],
  provenance: values[7],
});

export const eventRowOf = (values: EventValues): PictureRow => ({
  id: values[0],
  sequence: values[1],
  node: values[2],
  watch: values[3],
  rule: values[4],
  title: values[5],
  severity: values[6],
  phase: values[7],
  started: values[8],
  at: values[9],
  ended: values[10],
  reason: values[11],
  observation: values[12],
  answer: values[13],
  acknowledged: values[14],
  acknowledged_by: values[15],
  note: values[16],
  picture: values[17],
});

// The database holds only what passed the contract on its way in. Plain assignments: a page makes fifty of these, and
// spreading objects into each other takes longer than SQLite does to find them.
export const observationOf = (row: ObservationRow): Observation => ({
  id: row.id,
  node: row.node,
  watch: row.watch,
  feeds: JSON.parse(row.feeds) as string[],
  captured: iso(row.captured),
  answered: iso(row.answered),
  answer: JSON.parse(row.answer) as Observation["answer"],
  provenance: JSON.parse(row.provenance) as Provenance,
});

export function eventOf(row: EventRow): Event {
  const event: Event = {
    id: row.id,
    sequence: row.sequence,
    node: row.node,
    watch: row.watch,
    rule: row.rule,
    title: row.title,
    severity: row.severity,
    phase: row.phase,
    started: iso(row.started),
    at: iso(row.at),
    ended: row.ended === null ? null : iso(row.ended),
    observation: row.observation,
    answer: JSON.parse(row.answer) as Event["answer"],
  };
  if (row.reason !== null) event.reason = row.reason;
  return event;
}

export function storedEventOf(row: EventRow): StoredEvent {
  const event = eventOf(row) as StoredEvent;
  event.acknowledged = acknowledgedOf(row);
  return event;
}

export function listedEventOf(row: PictureRow): ListedEvent {
  const event = storedEventOf(row) as ListedEvent;
  event.picture = row.picture === 1;
  return event;
}

export function acknowledgedOf({
  acknowledged,
  acknowledged_by,
  note,
}: AcknowledgedColumns): Acknowledged | null {
  if (acknowledged === null) return null;
  return { at: iso(acknowledged), by: acknowledged_by ?? "", ...(note !== null && { note }) };
}
