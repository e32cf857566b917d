import type { OutboxRow } from "../record/outbox-row.ts";

/** A row under way, and when it was sent, monotonic ms. */
export interface Sent {
  readonly row: OutboxRow;
  readonly at: number;
}

/** A connection that breaks this often on one and the same row breaks because of it. */
const STRIKES = 5;

/**
 * The sliding window of one outbox: which rows are under way and where the reading of the outbox stands.
 * Pure. It lives over connections: each one begins at the lowest row again.
 *
 * A broker of MQTT 3.1.1 answers a message that it does not take by ending the connection, and would do
 * so for ever. When a connection ended without one acknowledgement, rows go one at a time until one is
 * acknowledged; `broken` names the row that went alone in STRIKES connections that broke.
 */
export class PublishWindow {
  private position = 0;
  private readonly underWay = new Map<number, Sent>();
  private progressed = false;
  private cautious = false;
  private suspect: { id: number; strikes: number } | undefined;
  /** Rows that were shown to break connections: once is enough the next time. */
  private readonly breakers = new Set<number>();

  constructor(private readonly size: number) {}

  /** Id of the last row that was looked at: read the outbox from here. */
  get after(): number {
    return this.position;
  }

  get inFlight(): number {
    return this.underWay.size;
  }

  /** How many rows may be sent now. */
  get room(): number {
    return (this.cautious ? 1 : this.size) - this.underWay.size;
  }

  /** When the oldest row under way was sent, monotonic ms. */
  get oldest(): number | undefined {
    for (const { at } of this.underWay.values()) return at;
    return undefined;
  }

  has(id: number): boolean {
    return this.underWay.has(id);
  }

  /** The outbox is to be read from the lowest row again; what is under way stays so. */
  rewind(): void {
    this.position = 0;
  }

  /** The row was looked at, whether it is sent or not. */
  passed(id: number): void {
    this.position = id;
  }

  sent(row: OutboxRow, at: number): void {
    this.underWay.set(row.id, { row, at });
  }

  /** The broker answered for this row. Undefined where it was not under way. */
  settled(id: number, taken: boolean): Sent | undefined {
    const sent = this.underWay.get(id);
    this.underWay.delete(id);
    if (!sent) return undefined;
    this.progressed = true;
    if (taken) {
      this.cautious = false;
      this.suspect = undefined;
    }
    return sent;
  }

  /**
   * The connection is over. `broke`: the broker ended it by itself.
   * Answers the row that breaks every connection it goes over, if this shows one.
   */
  lost(broke: boolean): OutboxRow | undefined {
    const [first] = this.underWay.values();
    const stuck = broke && first !== undefined && !this.progressed;
    const alone = this.cautious && this.underWay.size === 1;
    this.underWay.clear();
    this.position = 0;
    this.progressed = false;
    if (!stuck) return undefined;
    this.cautious = true;
    if (!alone) return undefined;
    const strikes = this.suspect?.id === first.row.id ? this.suspect.strikes + 1 : 1;
    this.suspect = { id: first.row.id, strikes };
    if (strikes < STRIKES && !this.breakers.has(first.row.id)) return undefined;
    this.breakers.add(first.row.id);
    this.cautious = false;
    this.suspect = undefined;
    return first.row;
  }
}
