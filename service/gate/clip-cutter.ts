import { type Clip, SAMPLE_RATE, type Sound } from "../contract/media.ts";
import { follows, joined, lengthOf } from "./samples.ts";

/** Whether a frame of 20 ms has what is listened for. Called once for every frame, in order. */
export type Detector = (frame: Int16Array) => boolean;

export interface GatedClip {
  readonly clip: Clip;
  readonly reason: "voice" | "sound" | "interval" | "heartbeat";
}

/** What a sound that was pushed brought about. */
export interface Cut {
  readonly clips: GatedClip[];
  /** How many sounds were too short to be a clip. */
  readonly held: number;
}

/** All in ms. */
interface Timing {
  readonly preroll: number;
  readonly silence: number;
  readonly minimum: number;
  readonly maximum: number;
  readonly heartbeat: number;
}

const FRAME = 20;
const FRAME_SAMPLES = (SAMPLE_RATE * FRAME) / 1000;
/** Quiet that is left at the end of a clip, ms. */
const TAIL = 100;
/** What is shorter the model cannot take, ms. */
const SHORTEST = 100;
/** Length of a heartbeat's clip, ms. */
const HEARTBEAT_LENGTH = 1500;
/** So many frames in a row begin a clip: one alone is a click. */
const ONSET = 2;

/** A sound under way. Counts are of frames. */
interface Open {
  /** Frames that had what is listened for, since the onset or the last cut. */
  active: number;
  /** Frames without it since the last that had it. */
  quiet: number;
  /** It goes on from a clip that was cut at the longest length. */
  continued: boolean;
}

/**
 * Cuts sound into clips: from before the onset to the silence after it, at most `maximum` long. What is
 * longer goes on in the next clip, sample after sample, however little is left of it. When nothing came
 * for `heartbeat`, the last 1.5 s are a clip.
 */
export class ClipCutter {
  /** The clip that is open, or else the sound before the next one. */
  private frames: Int16Array[] = [];
  /** Capture time of the first of `frames`, epoch ms. */
  private from: number | undefined;
  private rest = new Int16Array(0);
  private open: Open | undefined;
  private onset = 0;
  /** When the last clip ended, or listening began, epoch ms. */
  private cutAt = 0;
  private feed = "";

  constructor(
    private readonly kind: "voice" | "sound",
    private readonly timing: Timing,
    private readonly detect: Detector,
  ) {}

  push(sound: Sound): Cut {
    this.feed = sound.feed;
    const clips: GatedClip[] = [];
    let held = 0;
    const keep = (cut: GatedClip | "held" | undefined) => {
      if (cut === "held") held += 1;
      else if (cut) clips.push(cut);
    };
    keep(this.takeUp(sound.at));
    const samples = joined([this.rest, sound.samples]);
    let start = 0;
    for (; start + FRAME_SAMPLES <= samples.length; start += FRAME_SAMPLES) {
      keep(this.take(samples.slice(start, start + FRAME_SAMPLES)));
    }
    this.rest = samples.slice(start);
    return { clips, held };
  }

  /** Goes on where the sound before ended; after a gap what was open is cut there, and all begins anew. */
  private takeUp(at: number): GatedClip | "held" | undefined {
    if (this.from === undefined) {
      this.from = at;
      this.cutAt = at;
      return undefined;
    }
    const expected = this.now() + lengthOf(this.rest.length);
    if (follows(at, expected)) {
      // The source's times are the true ones: its small corrections are taken over.
      this.from += at - expected;
      return undefined;
    }
    const cut = this.open && this.close(this.open);
    this.frames = [];
    this.rest = new Int16Array(0);
    this.onset = 0;
    this.from = at;
    // A clock that was set back must not put the heartbeat off for as long.
    this.cutAt = Math.min(this.cutAt, at);
    return cut;
  }

  /** End of the last whole frame, epoch ms. */
  private now(): number {
    return (this.from ?? 0) + this.frames.length * FRAME;
  }

  private take(frame: Int16Array): GatedClip | "held" | undefined {
    this.frames.push(frame);
    const active = this.detect(frame);
    return this.open ? this.goOn(this.open, active) : this.wait(active);
  }

  private wait(active: boolean): GatedClip | undefined {
    this.onset = active ? this.onset + 1 : 0;
    if (this.onset >= ONSET) {
      this.open = { active: this.onset, quiet: 0, continued: false };
      this.shorten(this.timing.preroll / FRAME + this.onset);
      return undefined;
    }
    this.shorten(Math.max(HEARTBEAT_LENGTH, this.timing.preroll) / FRAME + ONSET);
    const { heartbeat } = this.timing;
    const due = heartbeat > 0 && this.now() - this.cutAt >= heartbeat;
    if (!due || this.onset > 0 || this.frames.length * FRAME < HEARTBEAT_LENGTH) return undefined;
    const last = this.frames.slice(-HEARTBEAT_LENGTH / FRAME);
    return this.cut(last, this.now() - HEARTBEAT_LENGTH, "heartbeat");
  }

  private goOn(open: Open, active: boolean): GatedClip | "held" | undefined {
    open.active += active ? 1 : 0;
    open.quiet = active ? 0 : open.quiet + 1;
    if (!active && open.quiet * FRAME >= this.timing.silence) return this.close(open);
    if (this.frames.length * FRAME < this.timing.maximum) return undefined;
    const cut = this.cut(this.frames, this.from ?? 0, this.kind);
    this.from = this.now();
    this.frames = [];
    this.open = { active: 0, quiet: open.quiet, continued: true };
    return cut;
  }

  private close({ active, quiet, continued }: Open): GatedClip | "held" | undefined {
    this.open = undefined;
    this.onset = 0;
    // Of a longer sound only the silence at its end is left, which the clip before has begun.
    if (continued && active === 0) return undefined;
    if (!continued && active * FRAME < this.timing.minimum) return "held";
    const surplus = Math.max(0, quiet - TAIL / FRAME);
    const whole = this.frames.slice(0, this.frames.length - surplus);
    if (whole.length * FRAME < SHORTEST) return "held";
    return this.cut(whole, this.from ?? 0, this.kind);
  }

  private cut(frames: readonly Int16Array[], at: number, reason: GatedClip["reason"]): GatedClip {
    this.cutAt = this.now();
    const clip = { feed: this.feed, at, length: frames.length * FRAME, samples: joined(frames) };
    return { clip, reason };
  }

  /** Keeps the last so many frames. */
  private shorten(most: number): void {
    const surplus = this.frames.length - Math.ceil(most);
    if (surplus <= 0) return;
    this.frames.splice(0, surplus);
    this.from = (this.from ?? 0) + surplus * FRAME;
  }
}
