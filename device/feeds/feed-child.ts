import type { CameraFeed, MicrophoneFeed } from "../../service/contract/config-feeds.ts";
import type { FeedSink, FeedSource, FeedStatus } from "../../service/contract/feed-source.ts";
import type { FeedState } from "../../service/contract/media.ts";
import type { Clock } from "../../service/kernel/clock.ts";
import type { Logger } from "../../service/kernel/logger.ts";
import type { Metrics } from "../../service/kernel/metrics.ts";
import {
  type ChildExit,
  type ChildSpec,
  type RunningChild,
  SupervisedProcess,
} from "../../service/kernel/supervised-process.ts";
import { redact, shownAddress } from "./address.ts";
import { faultReason } from "./fault-reasons.ts";

/** Begins the reason of a file that was played to its end: the feed is offline and rightly so. */
export const FILE_ENDED = "the file ended";

/** Whether a feed is offline because its file was played to the end, which nobody has to mend. */
export const isFileEnded = (status: FeedStatus): boolean =>
  status.state === "offline" && status.reason?.startsWith(FILE_ENDED) === true;

export interface FeedOptions {
  readonly sink: FeedSink;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** The program to run, a name or a path. Default "ffmpeg". */
  readonly ffmpeg?: string;
}

interface ChildOptions extends FeedOptions {
  readonly feed: CameraFeed | MicrophoneFeed;
  /** Ms without output after which the child is started again; undefined: it may be silent for ever. */
  readonly silence: number | undefined;
  /** What comes out of it, in words: "picture", "sound". */
  readonly output: string;
  /** `oldFfmpeg`: the last child turned out to be of a version that lacks what newer ones know. */
  args(oldFfmpeg: boolean): Omit<ChildSpec, "command" | "env">;
  /** Connects the child's pipes; `alive` is to be called with each thing that came out. */
  attach(child: RunningChild, alive: () => void): void;
}

/** What ffconcat of ffmpeg 4 says to a script with options. */
const OLD_FFMPEG = /unknown keyword 'option'/i;
/** ffmpeg reports each of these about input that it could not decode. */
const BROKEN_INPUT = /error while decoding|error submitting packet|no jpeg data found|corrupt decoded frame/i;

/**
 * The ffmpeg child of a feed and the feed's state: started again when it ends or falls silent, each state
 * with its reason in words.
 */
export class FeedChild implements FeedSource {
  readonly id: string;
  private current: FeedStatus;
  private readonly process: SupervisedProcess;
  private outputs = 0;
  private lastOutput = 0;
  private cancelWatch: (() => void) | undefined;
  private silenced = false;
  private stopped = false;
  private oldFfmpeg = false;

  constructor(private readonly options: ChildOptions) {
    const { feed, clock, logger } = options;
    this.id = feed.id;
    this.current = { state: feed.enabled ? "starting" : "disabled", since: clock.now() };
    this.process = new SupervisedProcess({
      name: `ffmpeg of ${feed.id}`,
      clock,
      logger,
      spec: () => ({ command: options.ffmpeg ?? "ffmpeg", ...options.args(this.oldFfmpeg) }),
      onSpawn: (child) => this.begin(child),
      onExit: (exit) => this.ended(exit),
      onStderr: (line) => this.noticed(line),
      backoff: { first: 1000, most: 30_000 },
    });
  }

  get pid(): number | undefined {
    return this.process.pid;
  }

  status(): FeedStatus {
    return this.current;
  }

  start(): void {
    if (!this.options.feed.enabled) {
      this.enter("disabled", "switched off in the configuration", true);
      return;
    }
    this.enter("starting", undefined, true);
    this.process.start();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.cancelWatch?.();
    await this.process.stop();
    if (this.options.feed.enabled) this.enter("offline", "stopped");
  }

  /** Something that the child itself cannot know keeps it from working. */
  trouble(reason: string): void {
    this.enter("offline", reason);
  }

  /** Ends the child for the reason given; it starts again. */
  restart(reason: string): void {
    this.silenced = true;
    this.enter(this.current.state === "live" ? "stalled" : "offline", reason);
    this.process.kill();
  }

  private begin(child: RunningChild): void {
    const { clock } = this.options;
    this.silenced = false;
    this.outputs = 0;
    this.lastOutput = clock.monotonic();
    this.options.attach(child, () => this.alive());
    this.watch();
  }

  private alive(): void {
    if (this.stopped || this.silenced) return;
    this.outputs += 1;
    this.lastOutput = this.options.clock.monotonic();
    if (this.current.state !== "live") this.enter("live");
  }

  /** Looks again when the output is due at the latest. */
  private watch(): void {
    const { silence, clock, output, feed } = this.options;
    this.cancelWatch?.();
    if (silence === undefined) return;
    const left = this.lastOutput + silence - clock.monotonic();
    if (left > 0) {
      this.cancelWatch = clock.after(left, () => this.watch());
      return;
    }
    const seconds = Math.round(silence / 1000);
    this.restart(
      this.outputs > 0
        ? `no ${output} for ${seconds} s: trying again`
        : `${shownAddress(feed.source)} sent no ${output} within ${seconds} s: check that it is on and answers`,
    );
  }

  private ended(exit: ChildExit): "restart" | "stay-down" {
    this.cancelWatch?.();
    const { feed, metrics } = this.options;
    if (exit.code === 0 && feed.source.startsWith("file:") && !feed.loop) {
      this.enter(
        "offline",
        this.outputs > 0 ? FILE_ENDED : `${FILE_ENDED} without any ${this.options.output}`,
      );
      return "stay-down";
    }
    if (!this.silenced) this.enter("offline", this.reasonOf(exit));
    metrics.restarts.inc({ child: `ffmpeg:${feed.id}` });
    return "restart";
  }

  private reasonOf(exit: ChildExit): string {
    const { feed } = this.options;
    if (exit.error?.code === "SETUP_MISSING") return "ffmpeg is not installed: apt-get install ffmpeg";
    if (exit.error) return exit.error.message;
    if (exit.signal) return `ffmpeg was ended by ${exit.signal}: starting it again`;
    if (exit.code === 0 && this.outputs > 0)
      return `${shownAddress(feed.source)} ended the stream: trying again`;
    if (exit.code === 0)
      return `${shownAddress(feed.source)} ended without any ${this.options.output}: trying again`;
    return faultReason(feed, exit.stderr, `ffmpeg ended with code ${exit.code}`);
  }

  private noticed(line: string): void {
    const { feed, logger, metrics } = this.options;
    if (OLD_FFMPEG.test(line)) this.oldFfmpeg = true;
    if (BROKEN_INPUT.test(line)) metrics.drop("frame_invalid");
    logger.debug({ feed: feed.id }, redact(line, feed.source, feed));
  }

  private enter(state: FeedState, reason?: string, always = false): void {
    const { feed, sink, clock } = this.options;
    const same = this.current.state === state;
    if (same && this.current.reason === reason && !always) return;
    const since = same ? this.current.since : clock.now();
    this.current = { state, since, ...(reason === undefined ? {} : { reason }) };
    sink.status(feed.id, this.current);
  }
}

/** Ms without output that count as a stall: two intervals, 10 s at least. */
export function silenceOf(feed: CameraFeed | MicrophoneFeed, interval: number): number | undefined {
  return feed.idle ? undefined : Math.max(2 * interval, 10_000);
}
