import { SAMPLE_RATE, type Sound } from "../contract/media.ts";
import type { Cut } from "./clip-cutter.ts";
import { follows, joined, lengthOf } from "./samples.ts";

/** Takes a clip of a fixed length at fixed intervals, whatever is heard; none that holds a gap. Ms. */
export class IntervalCutter {
  private pieces: Int16Array[] = [];
  private samples = 0;
  private ended: number | undefined;
  private due: number | undefined;

  constructor(private readonly timing: { readonly interval: number; readonly length: number }) {}

  push(sound: Sound): Cut {
    const { interval, length } = this.timing;
    if (this.ended !== undefined && !follows(sound.at, this.ended)) this.restart();
    this.ended = sound.at + lengthOf(sound.samples.length);
    this.pieces.push(sound.samples);
    this.samples += sound.samples.length;
    const wanted = (length * SAMPLE_RATE) / 1000;
    while (this.samples - (this.pieces[0]?.length ?? 0) >= wanted)
      this.samples -= this.pieces.shift()?.length ?? 0;
    this.due ??= sound.at + Math.max(interval, length);
    if (this.ended < this.due || this.samples < wanted) return { clips: [], held: 0 };
    this.due = this.ended + interval;
    const clip = {
      feed: sound.feed,
      at: this.ended - length,
      length,
      samples: joined(this.pieces).slice(-wanted),
    };
    return { clips: [{ clip, reason: "interval" }], held: 0 };
  }

  private restart(): void {
    this.pieces = [];
    this.samples = 0;
    this.due = undefined;
  }
}
