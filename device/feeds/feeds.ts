import type { FeedStatus } from "../../service/contract/feed-source.ts";
import type { Health, Part } from "../../service/kernel/part.ts";
import { isFileEnded } from "./feed-child.ts";
import type { SwitchedFeed } from "./switched-feed.ts";

/** All feeds of the box, as one part: each recovers by itself, and one that is away degrades the part. */
export class Feeds implements Part {
  readonly name = "feeds";
  private running = false;

  constructor(private readonly sources: readonly SwitchedFeed[]) {}

  async start(): Promise<void> {
    this.running = true;
    for (const source of this.sources) source.start();
  }

  async stop(): Promise<void> {
    this.running = false;
    await Promise.all(this.sources.map((source) => source.stop()));
  }

  health(): Health {
    if (!this.running) return { state: "stopped" };
    const detail = Object.fromEntries(this.sources.map((source) => [source.id, source.status().state]));
    const away = this.sources.filter((source) => {
      const status = source.status();
      return ["stalled", "offline"].includes(status.state) && !isFileEnded(status);
    });
    if (away.length === 0) return { state: "ok", detail };
    const reason = away
      .map((source) => `${source.id}: ${source.status().reason ?? source.status().state}`)
      .join("; ");
    return { state: "degraded", reason, detail };
  }

  /** What was true of a feed between two moments (epoch ms), as FeedSource.truth has it. */
  truth(feed: string, from: number, to: number) {
    return this.source(feed)?.truth(from, to);
  }

  /** Undefined where there is no such feed. */
  status(feed: string): FeedStatus | undefined {
    return this.source(feed)?.status();
  }

  /** Resolves when each of them that is there is on, or off and has ended. */
  async switch(wanted: readonly { readonly id: string; readonly enabled: boolean }[]): Promise<void> {
    await Promise.all(wanted.map(({ id, enabled }) => this.source(id)?.switch(enabled)));
  }

  private source(feed: string): SwitchedFeed | undefined {
    return this.sources.find(({ id }) => id === feed);
  }
}
