import type { Feed } from "../../service/contract/config-feeds.ts";
import type { FeedSink, FeedSource, FeedStatus } from "../../service/contract/feed-source.ts";
import type { Truth } from "../../service/contract/media.ts";
import type { Clock } from "../../service/kernel/clock.ts";
import { isPerchError } from "../../service/kernel/errors.ts";

const OFF = { state: "disabled", reason: "switched off" } as const;

interface Options {
  readonly feed: Feed;
  readonly sink: FeedSink;
  readonly clock: Clock;
  /** Makes the source of the feed, a new one each time. Throws PerchError where it has none. */
  readonly make: (feed: Feed, sink: FeedSink) => FeedSource;
}

/** A feed that can be switched on and off while the service runs: what is off has no source at all. */
export class SwitchedFeed implements FeedSource {
  readonly id: string;
  private source: FeedSource | undefined;
  private off: FeedStatus;
  private enabled: boolean;
  private running = false;
  /** One change after the other. */
  private turn: Promise<void> = Promise.resolve();

  constructor(private readonly options: Options) {
    const { feed, clock } = options;
    this.id = feed.id;
    this.enabled = feed.enabled;
    this.off = { state: feed.enabled ? "starting" : "disabled", since: clock.now() };
  }

  start(): void {
    this.running = true;
    if (this.enabled) this.begin();
    else this.rest(OFF);
  }

  async stop(): Promise<void> {
    this.running = false;
    await this.turn;
    await this.source?.stop();
  }

  status(): FeedStatus {
    return this.source?.status() ?? this.off;
  }

  get pid(): number | undefined {
    return this.source?.pid;
  }

  truth(from: number, to: number): Truth | undefined {
    return this.source?.truth?.(from, to);
  }

  /** Resolves when it is on, or when what it ran has ended. */
  switch(enabled: boolean): Promise<void> {
    this.turn = this.turn.then(() => this.become(enabled));
    return this.turn;
  }

  private async become(enabled: boolean): Promise<void> {
    if (enabled === this.enabled) return;
    this.enabled = enabled;
    if (!this.running) return;
    if (enabled) this.begin();
    else await this.end();
  }

  private begin(): void {
    const { feed, sink, make } = this.options;
    // What a source says while it ends, nobody has to hear: the feed is off by then.
    const own = () => this.enabled;
    const muted: FeedSink = {
      frame: (frame) => own() && sink.frame(frame),
      sound: (sound) => own() && sink.sound(sound),
      status: (id, status) => own() && sink.status(id, status),
    };
    try {
      this.source = make({ ...feed, enabled: true }, muted);
    } catch (error) {
      // A scenario that was right when the configuration was read, and is gone.
      if (!isPerchError(error)) throw error;
      this.rest({ state: "offline", reason: error.message });
      return;
    }
    this.source.start();
  }

  private async end(): Promise<void> {
    const { source } = this;
    this.source = undefined;
    this.rest(OFF);
    await source?.stop();
  }

  private rest(status: Omit<FeedStatus, "since">): void {
    this.off = { ...status, since: this.options.clock.now() };
    this.options.sink.status(this.id, this.off);
  }
}
