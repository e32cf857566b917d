/** One message that waits for the broker's acknowledgement. */
export interface OutboxRow {
  /** Grows with every row; the order in which rows are published. */
  readonly id: number;
  readonly topic: string;
  /** JSON text. */
  readonly payload: string;
  /** When it was committed, epoch ms. */
  readonly at: number;
}

/** The outbox as delivery sees it. */
export interface Outbox {
  /** Rows with an id above `after`, in order, at most `limit`. */
  read(after: number, limit: number): OutboxRow[];
  /** Takes acknowledged rows out; durable when the promise resolves. Calls that come together share one commit. */
  acknowledge(ids: readonly number[]): Promise<void>;
  /** Rows that wait. */
  pending(): number;
  /** Called after every commit that added rows. The returned function ends it. */
  onAppended(callback: () => void): () => void;
}
