import type { OutboxRow } from "../record/outbox-row.ts";

/** Packet too large, payload format invalid: said of one message, not of its topic. */
const OF_ONE_ROW = new Set([0x95, 0x99]);
/** So many rows are set aside one by one; beyond that it is their topic that is held. */
const MOST_ASIDE = 1000;

interface Aside {
  readonly topic: string;
  readonly reason: string;
  readonly breaks: boolean;
}

/**
 * What the broker does not take, for now. A refused topic is held as a whole, so that its messages keep
 * their order; a refusal that is about one message sets that row aside alone. Both stay in the outbox.
 * After `retry` they are sent again, and in doubt until the broker acknowledged one.
 */
export class Refusals {
  private readonly topics = new Map<string, string>();
  private readonly rows = new Map<number, Aside>();
  private readonly doubtful = new Map<string, string>();

  /** Whether the row has to wait. */
  holds(row: OutboxRow): boolean {
    return this.topics.has(row.topic) || this.rows.has(row.id);
  }

  /** Whether anything waits for a retry. */
  get holding(): boolean {
    return this.topics.size > 0 || this.rows.size > 0;
  }

  /** The broker refused the row with an MQTT 5 reason code. Answers whether that is news. */
  refused(row: OutboxRow, code: number, reason: string): boolean {
    if (OF_ONE_ROW.has(code) && this.rows.size < MOST_ASIDE) return this.setAside(row, reason, false);
    const news = !this.topics.has(row.topic) && !this.doubtful.has(row.topic);
    this.topics.set(row.topic, `the broker refuses ${row.topic}: ${reason}`);
    return news;
  }

  /** `breaks`: it ends every connection it goes over, so it is tried again only with what may be another broker. */
  setAside(row: OutboxRow, reason: string, breaks: boolean): boolean {
    const news = !this.rows.has(row.id) && !this.doubtful.has(row.topic);
    this.rows.set(row.id, {
      topic: row.topic,
      reason: `message ${row.id} on ${row.topic}: ${reason}`,
      breaks,
    });
    return news;
  }

  /** Nothing is held, and nothing in doubt. */
  get none(): boolean {
    return !this.holding && this.doubtful.size === 0;
  }

  /** What the broker answered no to may go again; a row that breaks connections stays aside. */
  retry(): void {
    for (const [topic, reason] of this.topics) this.doubtful.set(topic, reason);
    this.topics.clear();
    this.release(({ breaks }) => !breaks);
  }

  /** The broker was away and may be another one now: everything may go again. */
  forget(): void {
    this.retry();
    this.release(() => true);
  }

  /** The broker took a message of this topic. */
  accepted(topic: string): void {
    if (this.doubtful.size > 0) this.doubtful.delete(topic);
  }

  /** Everything in the outbox that may be sent was sent and acknowledged: nothing is in doubt any more. */
  drained(): void {
    this.doubtful.clear();
  }

  private release(which: (row: Aside) => boolean): void {
    for (const [id, row] of this.rows) {
      if (!which(row)) continue;
      this.doubtful.set(row.topic, row.reason);
      this.rows.delete(id);
    }
  }

  /** For health: what the broker does not take, the first of it in words. */
  get reason(): string | undefined {
    const aside = [...this.rows.values()].map(({ reason }) => reason);
    const all = [...this.topics.values(), ...aside, ...this.doubtful.values()];
    const [first] = all;
    if (first === undefined) return undefined;
    const more = all.length > 1 ? ` (and ${all.length - 1} more)` : "";
    return `${first}${more}; kept in the outbox and tried again`;
  }
}
