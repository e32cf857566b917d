import type { Writable } from "node:stream";
import type { CameraFeed } from "../../service/contract/config-feeds.ts";
import type { FeedSource, FeedStatus } from "../../service/contract/feed-source.ts";
import { Backoff } from "../../service/kernel/backoff.ts";
import { sleep } from "../../service/kernel/clock.ts";
import { messageOf, PerchError, systemCode } from "../../service/kernel/errors.ts";
import { attachFrames, type CameraOptions, cameraSpec } from "./camera.ts";
import { faultReason } from "./fault-reasons.ts";
import { FeedChild, silenceOf } from "./feed-child.ts";

/**
 * SOI and an empty comment. ffmpeg's parser ends a picture where it sees the next one begin, so the beginning
 * of the next picture goes out together with each picture, and none waits for an interval.
 */
const NEXT_BEGINS = Buffer.from([0xff, 0xd8, 0xff, 0xfe, 0x00, 0x02]);
const SOI_BYTES = 2;

/** A camera that gives one picture a request: fetched here at the feed's pace, decoded by one lasting child. */
export class SnapshotCamera implements FeedSource {
  readonly id: string;
  private readonly child: FeedChild;
  private readonly stopper = new AbortController();
  private readonly backoff = new Backoff(1000, 30_000);
  private stdin: Writable | undefined;
  private begun = false;
  /** When the first picture was written that nothing has come of yet; clock.monotonic(). */
  private unanswered: number | undefined;
  private loop: Promise<void> | undefined;

  constructor(
    private readonly feed: CameraFeed,
    private readonly options: CameraOptions,
  ) {
    this.id = feed.id;
    this.child = new FeedChild({
      ...options,
      feed,
      // Its input comes from here; whether it is silent without reason is judged here too.
      silence: undefined,
      output: "picture",
      args: () => ({ ...cameraSpec(feed, options.image, PIPED_JPEG), openInput: true }),
      attach: (child, alive) => {
        this.stdin = child.stdin;
        this.begun = false;
        this.unanswered = undefined;
        attachFrames(feed, options, child, () => {
          this.unanswered = undefined;
          alive();
        });
      },
    });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  status(): FeedStatus {
    return this.child.status();
  }

  start(): void {
    this.child.start();
    if (this.feed.enabled) this.loop ??= this.fetchAll();
  }

  async stop(): Promise<void> {
    this.stopper.abort();
    await this.loop;
    await this.child.stop();
  }

  private async fetchAll(): Promise<void> {
    const { clock } = this.options;
    const { signal } = this.stopper;
    while (!signal.aborted) {
      const begun = clock.monotonic();
      const wait = await this.fetchOne(signal);
      await sleep(clock, Math.max(0, wait - (clock.monotonic() - begun)), signal);
    }
  }

  /** Gives the ms from the beginning of this fetch to the next. */
  private async fetchOne(signal: AbortSignal): Promise<number> {
    const interval = 1000 / this.feed.fps;
    try {
      // Loaded where there is such a camera only: its HTTP client and canvas hold 40 MB.
      const { fetchSnapshot } = await import("./snapshot-fetch.ts");
      this.write(await fetchSnapshot(this.feed, signal));
      this.backoff.reset();
      return interval;
    } catch (error) {
      if (signal.aborted) return 0;
      const texts = [messageOf(error), systemCode(error) ?? ""].filter((text) => text !== "");
      const own = error instanceof PerchError && !/ answered \d+$/.test(error.message);
      this.child.trouble(
        own ? error.message : faultReason(this.feed, texts, "the snapshot could not be fetched"),
      );
      return Math.max(interval, this.backoff.next());
    }
  }

  private write(jpeg: Buffer): void {
    const { stdin } = this;
    // Still full of an earlier picture: the newest waits for nobody.
    if (!stdin || stdin.destroyed || stdin.writableNeedDrain) {
      this.checkChild();
      return;
    }
    // The first picture of a child is spent on finding out what it is.
    const rounds = this.begun ? 1 : 2;
    if (!this.begun) stdin.write(NEXT_BEGINS);
    this.begun = true;
    for (let round = 0; round < rounds; round += 1) {
      stdin.write(jpeg.subarray(SOI_BYTES));
      stdin.write(NEXT_BEGINS);
    }
    this.unanswered ??= this.options.clock.monotonic();
    this.checkChild();
  }

  /** A child that is given pictures and gives none back is started again. */
  private checkChild(): void {
    const silence = silenceOf(this.feed, 1000 / this.feed.fps) ?? 10_000;
    const { unanswered } = this;
    if (unanswered === undefined || this.options.clock.monotonic() - unanswered < silence) return;
    this.unanswered = undefined;
    this.child.restart("the pictures that it sends cannot be decoded: trying again");
  }
}

const PIPED_JPEG = [
  ...[
    "-use_wallclock_as_timestamps",
    "1",
    "-fflags",
    "nobuffer",
    "-probesize",
    "32",
    "-analyzeduration",
    "0",
  ],
  ...["-f", "mjpeg", "-i", "pipe:0"],
];
