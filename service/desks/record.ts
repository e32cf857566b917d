import { Live } from "../api/live/live.ts";
import type { RecordRoutes } from "../api/rest/record.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Logger } from "../kernel/logger.ts";
import { Acknowledging } from "../record/acknowledging.ts";
import type { Record as PerchRecord } from "../record/record.ts";

interface Options {
  readonly record: PerchRecord;
  readonly node: string;
  /** `<prefix>/<node>`, the first part of every topic. */
  readonly base: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The record, what happens live and backups, as HTTP sees them. The record is asked anew each time: its database may be opened again. */
export function recordSideOf({ record, node, base, clock, logger }: Options): RecordRoutes {
  const acknowledging = new Acknowledging({ record, base, clock });
  return {
    record: {
      node,
      events: (wanted, page) => record.pages.events(wanted, page),
      observations: (wanted, page) => record.pages.observations(wanted, page),
      allEvents: (wanted) => record.pages.allEvents(wanted),
      allObservations: (wanted) => record.pages.allObservations(wanted),
      event: (id) => record.pages.event(id),
      observationsOf: (event, limit) => record.pages.observationsOf(event, limit),
      picture: (id) => record.queries.thumbnail(id),
      acknowledge: (id, by, note) => acknowledging.acknowledge(id, by, note),
      withdraw: (id) => acknowledging.withdraw(id),
      audit: (after, limit) => record.journals.audit(after, limit),
      decisions: (after, limit) => record.journals.decisions(after, limit),
    },
    live: new Live({
      clock,
      logger,
      changes: {
        after: (number, limit, observations) => record.changes.after(number, limit, observations),
        at: (number) => record.changes.at(number),
        oldest: () => record.changes.oldest(),
        newest: () => record.changes.newest(),
        onChanged: (callback) => record.onChanged(callback),
      },
    }),
    backups: record.backups,
  };
}
