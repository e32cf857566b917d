import type { AuditRow } from "../contract/access.ts";
import type { DecisionRow, LoadTaken } from "../contract/decision.ts";
import type { Event, Observation } from "../contract/observation.ts";
import type { Acknowledgement } from "./change-rows.ts";

/** What one answer, one decision of the governor or one change by somebody leads to. All of it is committed in one transaction, or none of it. */
export interface Entry {
  readonly observation?: Observation;
  readonly events: readonly Event[];
  /** For the broker, in this order; payload is JSON text. */
  readonly messages: readonly { readonly topic: string; readonly payload: string }[];
  /** JPEG of the moment; kept with the entry's events, and only with events. */
  readonly thumbnail?: Buffer;
  readonly decision?: DecisionRow;
  readonly load?: LoadTaken;
  readonly audit?: AuditRow;
  /** Where it changes nothing, the entry's messages are left out. */
  readonly acknowledgement?: Acknowledgement;
}

/** Roughly the bytes of memory that an entry holds while it waits. */
export function weigh(entry: Entry): number {
  const messages = entry.messages.reduce((sum, { topic, payload }) => sum + topic.length + payload.length, 0);
  // The observation and the events are about as large as the messages that carry them.
  return 1024 + 2 * messages + (entry.thumbnail?.length ?? 0);
}
