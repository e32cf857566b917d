import { fileURLToPath } from "node:url";
import type { CameraFeed, MicrophoneFeed } from "../../service/contract/config-feeds.ts";
import type { FeedSink, FeedSource, FeedStatus } from "../../service/contract/feed-source.ts";
import { type FeedState, LUMA_HEIGHT, LUMA_WIDTH, type Truth } from "../../service/contract/media.ts";
import type { Clock } from "../../service/kernel/clock.ts";
import { messageOf } from "../../service/kernel/errors.ts";
import type { Logger } from "../../service/kernel/logger.ts";
import type { Metrics } from "../../service/kernel/metrics.ts";
import { packageRoot } from "../../service/kernel/paths.ts";
import {
  type ChildExit,
  type ChildSpec,
  type RunningChild,
  SupervisedProcess,
} from "../../service/kernel/supervised-process.ts";
import { picturesTruthBetween } from "./course/seen.ts";
import { Decoder, type Message } from "./protocol.ts";
import type { Script } from "./script.ts";
import { scriptOf } from "./sim-script.ts";
import { parseSimSource, type SimSource, simSourceText } from "./sim-source.ts";

interface Parts {
  readonly sink: FeedSink;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** When a scenario begins, epoch ms: of all feeds of one service the same. Where left out, when this process began. */
  readonly begin?: number;
}

/** Ms without a word from the child, beyond its own period, that count as a stall. */
const PATIENCE = 5000;

/** On a whole second, so that a lamp blinks in a scenario as it does in `perch simulate`. */
const PROCESS_BEGAN = Math.ceil(performance.timeOrigin / 1000) * 1000;

/**
 * A camera or microphone of the simulated cell. Throws FEED_INVALID where the source is not one, and
 * CONFIG_INVALID with all that is wrong with its scenario.
 */
export function createSimulatedFeed(feed: CameraFeed | MicrophoneFeed, parts: Parts): FeedSource {
  return new SimulatedFeed(feed, parseSimSource(feed.source), parts);
}

/** Renders in a child process, so that neither the service's event loop nor its memory pays for it. */
class SimulatedFeed implements FeedSource {
  readonly id: string;
  private readonly begin: number;
  private readonly script: Script;
  private readonly child: SupervisedProcess;
  private current: FeedStatus;
  private forgetStall: () => void = () => undefined;

  constructor(
    private readonly feed: CameraFeed | MicrophoneFeed,
    private readonly source: SimSource,
    private readonly parts: Parts,
  ) {
    const { clock, logger } = parts;
    this.id = feed.id;
    this.begin = parts.begin ?? PROCESS_BEGAN;
    this.script = scriptOf(source, this.begin);
    this.current = { state: "offline", since: clock.now() };
    this.child = new SupervisedProcess({
      name: `feed ${feed.id}`,
      clock,
      logger,
      spec: () => this.spec(),
      onSpawn: (child) => this.read(child),
      onExit: (exit) => this.ended(exit),
      backoff: { first: 250, most: 10_000 },
      grace: 1000,
    });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  start(): void {
    this.become("starting");
    this.child.start();
  }

  async stop(): Promise<void> {
    this.forgetStall();
    await this.child.stop();
    this.forgetStall();
    this.become("offline", "stopped");
  }

  status(): FeedStatus {
    return this.current;
  }

  /** See FeedSource.truth; undefined where there is no one right answer. */
  truth(from: number, to: number): Truth | undefined {
    if (this.feed.kind === "microphone") return this.script.soundTruth(from, to);
    return picturesTruthBetween(this.script, from, to);
  }

  private spec(): ChildSpec {
    const own = fileURLToPath(import.meta.url);
    const compiled = own.endsWith(".js");
    const cell = own.replace(/simulated-feed\.(js|ts)$/, "cell.$1");
    const rate = this.feed.kind === "camera" ? [String(this.feed.fps)] : [];
    return {
      command: process.execPath,
      args: [
        ...(compiled ? [] : ["--import", "tsx"]),
        cell,
        this.feed.kind,
        simSourceText(this.source),
        String(this.begin),
        ...rate,
      ],
      cwd: packageRoot,
    };
  }

  private read({ stdout }: RunningChild): void {
    const decoder = new Decoder();
    this.expectMore();
    stdout.on("data", (piece: Buffer) => {
      for (const message of this.decode(decoder, piece)) this.pass(message);
    });
  }

  private decode(decoder: Decoder, piece: Buffer): Message[] {
    try {
      return decoder.push(piece);
    } catch (error) {
      this.parts.logger.error({ feed: this.id, err: error }, `${this.id}: ${messageOf(error)}`);
      this.child.kill("SIGKILL");
      return [];
    }
  }

  private pass(message: Message): void {
    const { sink } = this.parts;
    const { at } = message;
    this.become("live");
    this.expectMore();
    if (message.kind === "sound") {
      sink.sound({ feed: this.id, at, samples: message.samples });
      return;
    }
    const luma = { width: LUMA_WIDTH, height: LUMA_HEIGHT, data: message.luma };
    sink.frame({ feed: this.id, at, jpeg: message.jpeg, luma, truth: { ...message.truth } });
  }

  private expectMore(): void {
    const period = this.feed.kind === "camera" ? 1000 / this.feed.fps : 0;
    const patience = PATIENCE + 2 * period;
    this.forgetStall();
    this.forgetStall = this.parts.clock.after(patience, () => {
      this.become("stalled", `nothing came for ${patience} ms; it is started again`);
      this.child.kill("SIGKILL");
    });
  }

  private ended({ code, signal, stderr, error }: ChildExit): "restart" {
    this.forgetStall();
    this.parts.metrics.restarts.inc({ child: `feed ${this.id}` });
    const how = error?.message ?? `the simulated cell ended (${signal ?? `exit ${code}`})`;
    const reason = [how, stderr.at(-1)].filter(Boolean).join(": ");
    this.become("offline", `${reason}; it is started again`);
    return "restart";
  }

  private become(state: FeedState, reason?: string): void {
    if (this.current.state === state && this.current.reason === reason) return;
    this.current = { state, since: this.parts.clock.now(), ...(reason === undefined ? {} : { reason }) };
    this.parts.sink.status(this.id, this.current);
  }
}
