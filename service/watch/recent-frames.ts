import type { Watch } from "../contract/config-watches.ts";
import type { Frame } from "../contract/media.ts";

/** Frames that are kept to a spacing at most: a fast camera's are thinned out to these. */
const KEPT_TO_A_SPACING = 10;

/** The newest frames of a camera, as far back as a watch's question reaches: some 10 to a spacing, no more. */
export class RecentFrames {
  private kept: Frame[] = [];
  /** How far back a frame may lie that a question takes, ms. */
  private readonly reach: number;

  constructor(private readonly watch: Pick<Watch, "frames" | "spacing">) {
    const { frames, spacing } = watch;
    this.reach = frames === 1 ? 0 : (frames - 0.5) * spacing;
  }

  get newest(): Frame | undefined {
    return this.kept.at(-1);
  }

  add(frame: Frame): void {
    const [last, before] = [this.kept.at(-1), this.kept.at(-2)];
    // A clock that was set back: which of these were before it, nobody can tell.
    if (last && frame.at < last.at) this.kept = [];
    else if (last && before && last.at - before.at < this.watch.spacing / KEPT_TO_A_SPACING) this.kept.pop();
    this.kept = this.kept.filter(({ at }) => frame.at - at < this.reach);
    this.kept.push(frame);
  }

  /**
   * The frames of a question, oldest first and `newest` last: those nearest to one spacing, two, … before it.
   * Undefined where one of them is off by half a spacing or more: the camera is too slow, or just began.
   */
  endingWith(newest: Frame): Frame[] | undefined {
    const { frames, spacing } = this.watch;
    const chosen = [newest];
    for (let back = 1; back < frames; back += 1) {
      const frame = this.nearest(newest.at - back * spacing);
      if (!frame) return undefined;
      chosen.unshift(frame);
    }
    return chosen;
  }

  private nearest(at: number): Frame | undefined {
    const off = (frame: Frame) => Math.abs(frame.at - at);
    const close = this.kept.filter((frame) => off(frame) < this.watch.spacing / 2);
    return close.toSorted((a, b) => off(a) - off(b))[0];
  }
}
