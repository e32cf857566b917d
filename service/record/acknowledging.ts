import type { ListedEvent } from "../contract/api-events.ts";
import { type AcknowledgedMessage, acknowledgedTopic } from "../contract/topics.ts";
import { type Clock, iso } from "../kernel/clock.ts";
import { PerchError } from "../kernel/errors.ts";
import type { Acknowledgement } from "./change-rows.ts";
import type { Record } from "./record.ts";

/** How long somebody waits for the disk, ms. */
const PATIENCE = 10_000;

interface Options {
  readonly record: Pick<Record, "write" | "pages">;
  /** `<prefix>/<node>`, the first part of every topic. */
  readonly base: string;
  readonly clock: Clock;
}

/** Somebody takes note of an event, or takes that back: in the record and to the broker, in one commit. */
export class Acknowledging {
  constructor(private readonly options: Options) {}

  /**
   * Resolves to the event once it is durable. To say the same again changes nothing: who was first stays. Throws
   * PerchError NOT_FOUND, CONFLICT where there is another note already, and what the record says.
   */
  async acknowledge(id: string, by: string, note: string | undefined): Promise<ListedEvent> {
    const before = this.event(id);
    if (before.acknowledged) return sameNote(before, note);
    const at = iso(this.options.clock.now());
    await this.write(before, { event: id, acknowledged: { at, by, ...(note !== undefined && { note }) } });
    // Somebody else may have been quicker by a moment.
    return sameNote(this.event(id), note);
  }

  /** Nobody has taken note of it any more. Throws PerchError NOT_FOUND, and what the record says. */
  async withdraw(id: string): Promise<ListedEvent> {
    const before = this.event(id);
    if (!before.acknowledged) return before;
    await this.write(before, { event: id, acknowledged: null });
    return this.event(id);
  }

  private event(id: string): ListedEvent {
    const event = this.options.record.pages.event(id);
    if (event) return event;
    throw new PerchError(
      "NOT_FOUND",
      `there is no event ${id}: its id is another, or it was older than what is kept`,
    );
  }

  private async write({ node, watch, rule }: ListedEvent, acknowledgement: Acknowledgement): Promise<void> {
    const { record, base, clock } = this.options;
    const { event, acknowledged } = acknowledgement;
    const message: AcknowledgedMessage = { event, node, watch, rule, acknowledged };
    const messages = [{ topic: acknowledgedTopic(base, watch, rule), payload: JSON.stringify(message) }];
    let cancel: () => void = () => undefined;
    const late = new Promise<never>((_, reject) => {
      cancel = clock.after(PATIENCE, () =>
        reject(
          new PerchError("DATA_UNWRITABLE", "the disk does not take it now: it is kept, and tried again"),
        ),
      );
    });
    await Promise.race([record.write({ events: [], messages, acknowledgement }), late]).finally(() =>
      cancel(),
    );
  }
}

function sameNote(event: ListedEvent, note: string | undefined): ListedEvent {
  const { acknowledged } = event;
  if (note === undefined || acknowledged?.note === note) return event;
  throw new PerchError(
    "CONFLICT",
    `${acknowledged?.by ?? "somebody"} has acknowledged it already, with another note or none: take that back first (DELETE)`,
  );
}
