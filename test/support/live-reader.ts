import { until } from "./until.ts";

/** A message of the stream, as it came. */
export interface Told {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: unknown;
}

/** Follows /api/live as a browser's EventSource does: with the last id that it saw. */
export class LiveReader {
  readonly told: Told[] = [];
  /** Blocks without data: signs of life. */
  signs = 0;
  /** As the standard has it: also a block without data sets it. */
  lastId = "";
  ended = false;
  private readonly leaving = new AbortController();

  private constructor(readonly status: number) {}

  /** Resolves when the service has said hello, or refused. */
  static async open(url: string, token: string, query = "", lastId = ""): Promise<LiveReader> {
    const leaving = new AbortController();
    const response = await fetch(`${url}/api/live?${query}`, {
      headers: { authorization: `Bearer ${token}`, ...(lastId !== "" && { "last-event-id": lastId }) },
      signal: leaving.signal,
    });
    const reader = new LiveReader(response.status);
    reader.leaving.signal.addEventListener("abort", () => leaving.abort());
    if (response.ok && response.body) {
      void reader.read(response.body);
      await until(() => reader.told.length > 0);
    } else {
      reader.ended = true;
      await response.body?.cancel();
    }
    return reader;
  }

  leave(): void {
    this.leaving.abort();
  }

  /** Of one kind: the data. */
  of<T>(event: string): T[] {
    return this.told.filter((one) => one.event === event).map(({ data }) => data as T);
  }

  /** Resolves when so many of a kind have come. */
  async have(event: string, count: number): Promise<void> {
    await until(() => this.of(event).length >= count);
  }

  private async read(body: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let text = "";
    try {
      for await (const chunk of body) {
        text += decoder.decode(chunk as Uint8Array, { stream: true });
        const blocks = text.split("\n\n");
        text = blocks.pop() ?? "";
        for (const block of blocks) this.take(block);
      }
    } catch {
      // It left, or the service did.
    }
    this.ended = true;
  }

  private take(block: string): void {
    const fields = new Map(
      block.split("\n").map((line) => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
      }),
    );
    const id = fields.get("id");
    if (id !== undefined) this.lastId = id;
    const data = fields.get("data");
    if (data !== undefined)
      this.told.push({ event: fields.get("event") ?? "message", id, data: JSON.parse(data) });
    else if (!fields.has("retry")) this.signs += 1;
  }
}
