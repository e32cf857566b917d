import type { FeedSource } from "../../service/contract/feed-source.ts";
import type { Health, Part } from "../../service/kernel/part.ts";
import { isFileEnded } from "./feed-child.ts";

/** All feeds of the box, as one part: each recovers by itself, and one that is away degrades the part. */
export class Feeds implements Part {
  readonly name = "feeds";
  private running = false;

  constructor(private readonly sources: readonly FeedSource[]) {}

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
    return this.sources.find((source) => source.id === feed)?.truth?.(from, to);
  }
}
