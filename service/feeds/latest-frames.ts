import type { FeedStatus } from "../contract/feed-source.ts";
import type { Frame, Picture, Sound } from "../contract/media.ts";
import type { Clock } from "../kernel/clock.ts";

/** Arrivals by which the rate of frames is measured. */
const MEASURED = 21;
/** Ms without a frame after which a camera that usually sends several a second sends none. */
const QUIET = 5_000;

/** What is known of one feed. */
class Slot {
  newest: Picture | undefined;
  /** When the last picture or sound was captured, epoch ms. */
  last: number | undefined;
  /** When frames came of late, monotonic ms. */
  arrivals: number[] = [];
  readonly waiting = new Set<() => void>();
}

/**
 * The newest picture of each camera, for whoever looks: it is replaced by the next one, whether anybody looked or
 * not, and nobody who looks holds a camera back.
 */
export class LatestFrames {
  private readonly slots = new Map<string, Slot>();

  constructor(private readonly clock: Clock) {}

  frame({ feed, at, jpeg }: Frame): void {
    const slot = this.slot(feed);
    slot.newest = { at, jpeg };
    slot.last = at;
    slot.arrivals.push(this.clock.monotonic());
    if (slot.arrivals.length > MEASURED) slot.arrivals.shift();
    for (const call of [...slot.waiting]) call();
  }

  sound({ feed, at }: Sound): void {
    this.slot(feed).last = at;
  }

  /** A picture of a camera that is away shows nothing of now. */
  status(feed: string, { state }: FeedStatus): void {
    if (state !== "offline" && state !== "disabled") return;
    const slot = this.slot(feed);
    slot.newest = undefined;
    slot.arrivals = [];
  }

  newest(feed: string): Picture | undefined {
    return this.slot(feed).newest;
  }

  /** When its last picture or sound was captured, epoch ms. */
  last(feed: string): number | undefined {
    return this.slot(feed).last;
  }

  /** Frames a second, by the last of them; 0 where none come now. */
  rate(feed: string): number {
    const { arrivals } = this.slot(feed);
    const [first, last] = [arrivals[0], arrivals.at(-1)];
    if (first === undefined || last === undefined || arrivals.length < 2) return 0;
    const mean = (last - first) / (arrivals.length - 1);
    if (this.clock.monotonic() - last > Math.max(QUIET, 3 * mean)) return 0;
    return Math.round(10_000 / Math.max(mean, 1)) / 10;
  }

  /** Calls back with each new picture of a camera, until the returned function is called. */
  onPicture(feed: string, callback: () => void): () => void {
    const { waiting } = this.slot(feed);
    waiting.add(callback);
    return () => waiting.delete(callback);
  }

  private slot(feed: string): Slot {
    const known = this.slots.get(feed);
    if (known) return known;
    const slot = new Slot();
    this.slots.set(feed, slot);
    return slot;
  }
}
