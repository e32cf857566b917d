import { SAMPLE_RATE } from "../contract/media.ts";

/** A piece of a long sound that is asked about by itself. */
export interface SoundClip {
  /** Seconds from the beginning of the whole. */
  readonly from: number;
  readonly to: number;
  readonly samples: Int16Array;
}

/** Seconds of a clip: beyond 15 the model hears badly, and below 4 it lacks what goes before and after. */
const LONGEST = 15;
const SHORTEST = 4;
/** Samples of a step: 20 ms. */
const STEP = SAMPLE_RATE / 50;
/** Steps of the pause that is looked for: 0.3 s. */
const PAUSE = 15;
/** Steps that are kept around what is heard: 0.2 s. */
const MARGIN = 10;
/** Level of a step below which nothing is heard, dBFS. */
const SILENT = -55;

/**
 * Cuts sound of any length into clips, each where it is quietest, and leaves out where nothing is heard at all. Takes
 * 16 kHz mono as it comes; holds 15 s of it.
 */
export class ClipCutter {
  private readonly room = new Int16Array(LONGEST * SAMPLE_RATE);
  /** Samples that are in it. */
  private held = 0;
  /** Samples that went before. */
  private passed = 0;

  /** The clips that are complete with this piece. */
  push(piece: Int16Array): SoundClip[] {
    const clips: SoundClip[] = [];
    for (let at = 0; at < piece.length; ) {
      const next = piece.subarray(at, at + this.room.length - this.held);
      this.room.set(next, this.held);
      this.held += next.length;
      at += next.length;
      if (this.held === this.room.length) clips.push(...this.cut(quietest(levelsOf(this.room)) * STEP));
    }
    return clips;
  }

  /** What is left. */
  end(): SoundClip[] {
    return this.cut(this.held);
  }

  /** Seconds that were taken. */
  get seconds(): number {
    return (this.passed + this.held) / SAMPLE_RATE;
  }

  private cut(count: number): SoundClip[] {
    const samples = this.room.slice(0, count);
    const begun = this.passed;
    this.room.copyWithin(0, count, this.held);
    this.held -= count;
    this.passed += count;
    const levels = levelsOf(samples);
    const first = levels.findIndex((level) => level > SILENT);
    if (first < 0) return [];
    const last = levels.findLastIndex((level) => level > SILENT);
    const from = Math.max(0, first - MARGIN) * STEP;
    const to = Math.min(samples.length, (last + 1 + MARGIN) * STEP);
    const at = (sample: number) => (begun + sample) / SAMPLE_RATE;
    return [{ from: at(from), to: at(to), samples: samples.slice(from, to) }];
  }
}

/** Level of each step, whole dBFS; the last may be shorter. */
function levelsOf(samples: Int16Array): number[] {
  const count = Math.ceil(samples.length / STEP);
  return Array.from({ length: count }, (_, index) => {
    const step = samples.subarray(index * STEP, (index + 1) * STEP);
    let sum = 0;
    for (const sample of step) sum += sample * sample;
    return Math.round(10 * Math.log10(sum / step.length / 32_768 ** 2 + 1e-12));
  });
}

/** The step in the middle of the quietest pause, the last of equals; never within the first seconds. */
function quietest(levels: readonly number[]): number {
  const powers = levels.map((level) => 10 ** (level / 10));
  const begin = (SHORTEST * SAMPLE_RATE) / STEP;
  let sum = powers.slice(begin, begin + PAUSE).reduce((total, power) => total + power, 0);
  let least = sum;
  let found = begin;
  for (let at = begin + 1; at + PAUSE <= levels.length; at += 1) {
    sum += (powers[at + PAUSE - 1] ?? 0) - (powers[at - 1] ?? 0);
    // A sum that runs along is never exactly the same again.
    if (sum > least * 1.000_001 + 1e-12) continue;
    least = Math.min(sum, least);
    found = at;
  }
  return found + Math.floor(PAUSE / 2);
}
