import type { Logger } from "../kernel/logger.ts";
import type { BrokerConnection } from "./broker-connection.ts";

interface Entry {
  /** The newest. */
  payload: string;
  /** What the broker of this connection has acknowledged. */
  held: string | undefined;
  sending: boolean;
  refused: string | undefined;
}

/**
 * The newest message of every retained topic, published on every connection and whenever it changes.
 * One of a topic is under way at a time, so that the newest is always the last that the broker sees.
 */
export class RetainedMessages {
  private readonly entries = new Map<string, Entry>();
  private connection: BrokerConnection | undefined;
  private whenSettled: (() => void)[] = [];

  constructor(private readonly logger: Logger) {}

  /** What the broker refuses, for health. */
  get reason(): string | undefined {
    for (const { refused } of this.entries.values()) if (refused !== undefined) return refused;
    return undefined;
  }

  set(topic: string, payload: string): void {
    const entry = this.entries.get(topic);
    if (entry) entry.payload = payload;
    else this.entries.set(topic, { payload, held: undefined, sending: false, refused: undefined });
    this.send(topic);
  }

  attach(connection: BrokerConnection): void {
    this.connection = connection;
    for (const [topic, entry] of this.entries) {
      entry.held = undefined;
      entry.sending = false;
      entry.refused = undefined;
      this.send(topic);
    }
  }

  detach(): void {
    this.connection = undefined;
    this.announceSettled();
  }

  /** Resolves when the broker has answered for the newest of every topic, or the connection is over. */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      this.whenSettled.push(resolve);
      this.announceSettled();
    });
  }

  private send(topic: string): void {
    const { connection } = this;
    const entry = this.entries.get(topic);
    if (!connection || !entry || entry.sending || entry.held === entry.payload) return;
    const { payload } = entry;
    entry.sending = true;
    connection.publish({
      topic,
      payload,
      retain: true,
      settled: (refusal) => {
        if (this.connection !== connection) return;
        entry.sending = false;
        entry.held = payload;
        this.noteRefusal(topic, entry, refusal?.reason);
        this.send(topic);
        this.announceSettled();
      },
    });
  }

  private noteRefusal(topic: string, entry: Entry, why: string | undefined): void {
    const news = why !== undefined && entry.refused === undefined;
    entry.refused = why === undefined ? undefined : `the broker refuses ${topic}: ${why}`;
    if (news) this.logger.error(`${entry.refused}; it is sent again on the next change or connection`);
  }

  private announceSettled(): void {
    const busy = this.connection && [...this.entries.values()].some(({ sending }) => sending);
    if (busy) return;
    for (const resolve of this.whenSettled.splice(0)) resolve();
  }
}
