import type { Outbox, OutboxRow } from "../../service/record/outbox-row.ts";

/** An outbox in memory, with the promises of the real one: ids grow, acknowledging comes later and may fail. */
export class MemoryOutbox implements Outbox {
  private rows: OutboxRow[] = [];
  private nextId = 1;
  private readonly listeners = new Set<() => void>();
  /** Thrown by the next reads or acknowledgements, while set. */
  failure: Error | undefined;
  /** Every id that was taken out, in order. */
  readonly released: number[] = [];

  append(topic: string, payload: string, at = Date.now()): OutboxRow {
    const [row] = this.appendAll([{ topic, payload, at }]);
    if (!row) throw new Error("no row was appended");
    return row;
  }

  /** One commit of several rows. */
  appendAll(messages: readonly { topic: string; payload: string; at: number }[]): OutboxRow[] {
    const rows = messages.map((message) => ({ id: this.nextId++, ...message }));
    this.rows = this.rows.concat(rows);
    for (const listener of this.listeners) listener();
    return rows;
  }

  read(after: number, limit: number): OutboxRow[] {
    if (this.failure) throw this.failure;
    const start = this.firstAbove(after);
    return this.rows.slice(start, start + limit);
  }

  async acknowledge(ids: readonly number[]): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.failure) throw this.failure;
    const gone = new Set(ids);
    this.rows = this.rows.filter(({ id }) => !gone.has(id));
    this.released.push(...ids);
  }

  pending(): number {
    return this.rows.length;
  }

  onAppended(callback: () => void): () => void {
    this.listeners.add(callback);
    return () => this.listeners.delete(callback);
  }

  private firstAbove(after: number): number {
    let low = 0;
    let high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.rows[middle]?.id ?? 0) > after) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
