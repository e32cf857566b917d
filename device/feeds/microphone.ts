import type { MicrophoneFeed } from "../../service/contract/config-feeds.ts";
import type { FeedSource, FeedStatus } from "../../service/contract/feed-source.ts";
import { SAMPLE_RATE } from "../../service/contract/media.ts";
import type { ChildSpec, RunningChild } from "../../service/kernel/supervised-process.ts";
import { FeedChild, type FeedOptions, silenceOf } from "./feed-child.ts";
import { SoundChunks, SoundClock } from "./sound-chunks.ts";
import { sourceInput } from "./source-input.ts";

/** A microphone: sound device, the sound of an RTSP or HTTP stream, or a file. Gives 20 ms of 16 kHz mono at a time. */
export class FfmpegMicrophone implements FeedSource {
  readonly id: string;
  private readonly child: FeedChild;

  constructor(
    private readonly feed: MicrophoneFeed,
    private readonly options: FeedOptions,
  ) {
    this.id = feed.id;
    this.child = new FeedChild({
      ...options,
      feed,
      silence: silenceOf(feed, 0),
      output: "sound",
      args: (oldFfmpeg) => soundSpec(feed, oldFfmpeg),
      attach: (child, alive) => this.attach(child, alive),
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
  }
  stop(): Promise<void> {
    return this.child.stop();
  }

  private attach(child: RunningChild, alive: () => void): void {
    const chunks = new SoundChunks();
    const times = new SoundClock(this.feed.realtime || !this.feed.source.startsWith("file:"));
    const hand = (samples: Int16Array) => {
      alive();
      const at = times.stamp(samples.length, this.options.clock.now());
      this.options.sink.sound({ feed: this.id, at, samples });
    };
    child.stdout.on("data", (bytes: Buffer) => chunks.push(bytes).forEach(hand));
    child.stdout.on("end", () => {
      const rest = chunks.end();
      if (rest) hand(rest);
    });
  }
}

function soundSpec(feed: MicrophoneFeed, oldFfmpeg: boolean): Omit<ChildSpec, "command" | "env"> {
  const { args, script } = sourceInput(feed, oldFfmpeg);
  const spec = {
    args: [
      ...["-hide_banner", "-loglevel", "error", "-nostats", "-threads", "1"],
      ...args,
      ...["-map", "0:a:0", "-ac", "1", "-ar", String(SAMPLE_RATE), "-c:a", "pcm_s16le"],
      ...["-flush_packets", "1", "-f", "s16le", "pipe:1"],
    ],
  };
  return script === undefined ? spec : { ...spec, input: script };
}
