import { type Clip, SAMPLE_RATE, type Sound } from "../contract/media.ts";

/** Whether a frame of 20 ms has what is listened for. Called once for every frame, in order. */
export type Detector = (frame: Int16Array) => boolean;

export interface GatedClip {
  readonly clip: Clip;
  readonly reason: "voice" | "sound" | "interval" | "heartbeat";
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
/** Length of a heartbeat's clip, ms. */
const HEARTBEAT_LENGTH = 1500;
/** So many frames in a row begin a clip: one alone is a click. */
const ONSET = 2;
/** A gap in the capture times above this is a gap in the sound, ms. */
const GAP = 1000;

/**
 * Cuts sound into clips: from before the onset to the silence after it, at most `maximum` long (what is
 * longer goes on in the next clip). When nothing came for `heartbeat`, the last 1.5 s are a clip.
 */
export class ClipCutter {
  /** The clip that is open, or else the sound before the next one. */
  private frames: Int16Array[] = [];
  /** Capture time of the first of `frames`, epoch ms. */
  private from = 0;
  private rest = new Int16Array(0);
  private open = false;
  private active = 0;
  private onset = 0;
  private quiet = 0;
  private cutAt: number | undefined;
  private feed = "";

  constructor(
    private readonly kind: "voice" | "sound",
    private readonly timing: Timing,
    private readonly detect: Detector,
  ) {}

  /** The clips that this sound completes, and how many sounds were too short to be one. */
  push(sound: Sound): { clips: GatedClip[]; held: number } {
    this.feed = sound.feed;
    const clips: GatedClip[] = [];
    let held = 0;
    const keep = (cut: GatedClip | "held" | undefined) => {
      if (cut === "held") held += 1;
      else if (cut) clips.push(cut);
    };
    if (this.follows(sound.at)) keep(undefined);
    else keep(this.restart(sound.at));
    const samples = joined([this.rest, sound.samples]);
    let start = 0;
    for (; start + FRAME_SAMPLES <= samples.length; start += FRAME_SAMPLES) {
      keep(this.take(samples.slice(start, start + FRAME_SAMPLES)));
    }
    this.rest = samples.slice(start);
    return { clips, held };
  }

  private follows(at: number): boolean {
    if (this.frames.length === 0) return false;
    const expected = this.now() + (this.rest.length * 1000) / SAMPLE_RATE;
    const drift = at - expected;
    if (Math.abs(drift) > GAP) return false;
    // The source's times are the true ones: its small corrections are taken over.
    this.from += drift;
    return true;
  }

  /** After a gap what was open is cut there, and nothing before it belongs to what comes. */
  private restart(at: number): GatedClip | "held" | undefined {
    const cut = this.open ? this.close() : undefined;
    this.frames = [];
    this.rest = new Int16Array(0);
    this.onset = 0;
    this.from = at;
    this.cutAt ??= at;
    return cut;
  }

  private now(): number {
    return this.from + this.frames.length * FRAME;
  }

  private take(frame: Int16Array): GatedClip | "held" | undefined {
    this.frames.push(frame);
    const active = this.detect(frame);
    return this.open ? this.goOn(active) : this.wait(active);
  }

  private wait(active: boolean): GatedClip | undefined {
    this.onset = active ? this.onset + 1 : 0;
    if (this.onset >= ONSET) {
      this.open = true;
      this.active = this.onset;
      this.quiet = 0;
      this.shorten(this.timing.preroll / FRAME + this.onset);
      return undefined;
    }
    const due = this.timing.heartbeat > 0 && this.now() - (this.cutAt ?? this.now()) >= this.timing.heartbeat;
    this.shorten(Math.max(HEARTBEAT_LENGTH, this.timing.preroll) / FRAME + ONSET);
    if (!due || this.onset > 0 || this.frames.length * FRAME < HEARTBEAT_LENGTH) return undefined;
    return this.cut(this.frames.slice(-HEARTBEAT_LENGTH / FRAME), "heartbeat");
  }

  private goOn(active: boolean): GatedClip | "held" | undefined {
    this.active += active ? 1 : 0;
    this.quiet = active ? 0 : this.quiet + 1;
    if (this.quiet * FRAME >= this.timing.silence) return this.close();
    if (this.frames.length * FRAME < this.timing.maximum) return undefined;
    const cut = this.cut(this.frames, this.kind);
    this.from = this.now();
    this.frames = [];
    this.active = 0;
    return cut;
  }

  private close(): GatedClip | "held" {
    this.open = false;
    this.onset = 0;
    if (this.active * FRAME < this.timing.minimum) return "held";
    const tail = Math.min(this.quiet, TAIL / FRAME);
    const whole = this.frames.slice(0, this.frames.length - this.quiet + tail);
    return this.cut(whole, this.kind);
  }

  private cut(frames: readonly Int16Array[], reason: GatedClip["reason"]): GatedClip {
    this.cutAt = this.now();
    const end = reason === "heartbeat" ? this.now() : this.from + frames.length * FRAME;
    const length = frames.length * FRAME;
    return { clip: { feed: this.feed, at: end - length, length, samples: joined(frames) }, reason };
  }

  /** Keeps the last so many frames. */
  private shorten(most: number): void {
    const surplus = this.frames.length - Math.ceil(most);
    if (surplus <= 0) return;
    this.frames.splice(0, surplus);
    this.from += surplus * FRAME;
  }
}

/** Takes a clip of a fixed length at fixed intervals, whatever is heard. Ms. */
export class IntervalCutter {
  private pieces: Int16Array[] = [];
  private samples = 0;
  private due: number | undefined;

  constructor(private readonly timing: { readonly interval: number; readonly length: number }) {}

  push(sound: Sound): { clips: GatedClip[]; held: number } {
    const { interval, length } = this.timing;
    const ended = sound.at + (sound.samples.length * 1000) / SAMPLE_RATE;
    this.pieces.push(sound.samples);
    this.samples += sound.samples.length;
    const wanted = (length * SAMPLE_RATE) / 1000;
    while (this.samples - (this.pieces[0]?.length ?? 0) >= wanted)
      this.samples -= this.pieces.shift()?.length ?? 0;
    this.due ??= sound.at + Math.max(interval, length);
    if (ended < this.due || this.samples < wanted) return { clips: [], held: 0 };
    this.due = ended + interval;
    const clip = {
      feed: sound.feed,
      at: ended - length,
      length,
      samples: joined(this.pieces).slice(-wanted),
    };
    return { clips: [{ clip, reason: "interval" }], held: 0 };
  }
}

function joined(pieces: readonly Int16Array[]): Int16Array {
  const whole = new Int16Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
