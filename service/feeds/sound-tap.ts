import { SAMPLE_RATE, type Sound } from "../contract/media.ts";
import type { Clock } from "../kernel/clock.ts";
import { PerchError } from "../kernel/errors.ts";

/** Clips that may be taken at once. */
const MOST = 8;
/** Ms without any sound after which a clip is given up. */
const QUIET = 5_000;

interface Taking {
  readonly samples: Int16Array;
  taken: number;
  done(): void;
}

/** Takes clips from microphones, from now on, for whoever wants to hear them; the gates are not held up by it. */
export class SoundTap {
  private readonly taking = new Map<string, Set<Taking>>();
  private count = 0;

  constructor(
    private readonly clock: Clock,
    /** Ids of the microphones. */
    private readonly microphones: readonly string[],
  ) {}

  /** Everything that a microphone sends. */
  sound({ feed, samples }: Sound): void {
    for (const clip of this.taking.get(feed) ?? []) {
      const room = clip.samples.length - clip.taken;
      clip.samples.set(samples.subarray(0, room), clip.taken);
      clip.taken += Math.min(room, samples.length);
      if (clip.taken === clip.samples.length) clip.done();
    }
  }

  /**
   * The next seconds of a microphone. Rejects with NOT_FOUND where there is none of that id, FEED_UNREACHABLE where it sends nothing, QUEUE_FULL where too many
   * listen, CANCELLED when the signal aborts.
   */
  async take(feed: string, seconds: number, signal: AbortSignal): Promise<Int16Array> {
    if (!this.microphones.includes(feed))
      throw new PerchError("NOT_FOUND", `there is no microphone ${feed}${listed(this.microphones)}`);
    if (this.count >= MOST)
      throw new PerchError("QUEUE_FULL", `${MOST} clips are being taken already: try again in a few seconds`);
    const samples = new Int16Array(Math.round(seconds * SAMPLE_RATE));
    const clips = this.taking.get(feed) ?? new Set();
    this.taking.set(feed, clips);
    let taking: Taking | undefined;
    this.count += 1;
    try {
      await new Promise<void>((resolve, reject) => {
        const clip = { samples, taken: 0, done: resolve };
        taking = clip;
        clips.add(clip);
        signal.addEventListener(
          "abort",
          () => reject(new PerchError("CANCELLED", "nobody listens any more")),
          { once: true },
        );
        this.giveUpWhenQuiet(feed, clip, reject);
      });
      return samples;
    } finally {
      this.count -= 1;
      if (taking) clips.delete(taking);
    }
  }

  private giveUpWhenQuiet(feed: string, clip: Taking, reject: (error: PerchError) => void): void {
    const before = clip.taken;
    this.clock.after(QUIET, () => {
      if (!this.taking.get(feed)?.has(clip)) return;
      if (clip.taken > before) this.giveUpWhenQuiet(feed, clip, reject);
      else reject(new PerchError("FEED_UNREACHABLE", `${feed} sends nothing now`));
    });
  }
}

const listed = (ids: readonly string[]): string => (ids.length > 0 ? `; there are ${ids.join(", ")}` : "");
