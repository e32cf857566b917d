/** What the microphone of a simulated cell hears. */
import { SAMPLE_RATE } from "../../../service/contract/media.ts";
import { Random } from "../random.ts";
import type { Script, SoundEvent, SoundSegment } from "../script.ts";
import type { Heard } from "../world.ts";
import { alarm } from "./sound-alarm.ts";
import { faded, leveled, mix, to16Bit } from "./sound-filters.ts";
import { noise } from "./sound-noise.ts";
import { echoing, echoOf, hiss, hissLevel, LONGEST_ECHO } from "./sound-place.ts";
import { speech } from "./sound-speech.ts";
import { shippedVoices } from "./voices.ts";

/** Ms of sound in one chunk, and its samples. */
export const CHUNK = 20;
export const CHUNK_SAMPLES = (SAMPLE_RATE * CHUNK) / 1000;
const PER_MS = SAMPLE_RATE / 1000;
/** Ms after which a noise or an alarm begins anew, so that no memory is too small for it. */
const LONGEST_LOOP = 20_000;
/** Sounds that are kept rendered. */
const KEPT = 6;

/** What somebody who hears nothing else would say. */
export function heardOf(event: SoundEvent): Heard {
  switch (event.sound) {
    case "noise":
      return { sound: "noise", noise: event.noise };
    case "alarm":
      return { sound: "alarm" };
    case "speech":
      return { sound: "speech", word: event.word, loudness: event.loudness };
  }
}

/** The sound of a script, chunk by chunk. */
export class Soundtrack {
  private readonly rendered = new Map<string, Float32Array>();

  constructor(private readonly script: Script) {}

  /** Chunk `index`, from index * CHUNK ms. The same script and index give the same samples, in whatever order. */
  chunk(index: number): Int16Array {
    const from = index * CHUNK;
    const { seed } = this.script;
    const { place } = this.script.settingAt(from);
    const level = hissLevel(new Random(seed, "hiss of place", place));
    const mixed = hiss(CHUNK_SAMPLES, level, new Random(seed, "hiss", index));
    for (const segment of this.script.soundsBetween(from - LONGEST_ECHO, from + CHUNK))
      this.add(mixed, segment, from);
    return to16Bit(mixed);
  }

  /** Sound between two moments, ms, widened to whole chunks. */
  between(from: number, to: number): Int16Array {
    const first = Math.floor(from / CHUNK);
    const last = Math.ceil(to / CHUNK);
    const samples = new Int16Array((last - first) * CHUNK_SAMPLES);
    for (let index = first; index < last; index += 1)
      samples.set(this.chunk(index), (index - first) * CHUNK_SAMPLES);
    return samples;
  }

  /** Adds what sounds of a segment in the chunk from `at`. */
  private add(mixed: Float32Array, segment: SoundSegment, at: number): void {
    const samples = this.samplesOf(segment);
    const loop = LONGEST_LOOP * PER_MS;
    const begin = Math.round((at - segment.from) * PER_MS);
    const length = Math.round((segment.to - segment.from) * PER_MS);
    if (length <= loop) {
      mix(mixed, samples, -begin);
      return;
    }
    for (let i = 0; i < mixed.length; i += 1) {
      const t = begin + i;
      if (t >= 0 && t < length) mixed[i] = (mixed[i] ?? 0) + (samples[t % loop] ?? 0);
    }
  }

  private samplesOf(segment: SoundSegment): Float32Array {
    const name = `${segment.from} ${segment.to} ${JSON.stringify(segment.what)}`;
    const known = this.rendered.get(name);
    if (known) return known;
    const samples = this.render(segment, name);
    const oldest = [...this.rendered.keys()].slice(0, Math.max(0, this.rendered.size - KEPT + 1));
    for (const old of oldest) this.rendered.delete(old);
    this.rendered.set(name, samples);
    return samples;
  }

  private render({ from, to, what }: SoundSegment, name: string): Float32Array {
    const { seed } = this.script;
    const { place } = this.script.settingAt(from);
    const length = Math.round(Math.min(to - from, LONGEST_LOOP) * PER_MS);
    const samples = eventSamples(what, length, new Random(seed, "sound", name));
    return echoing(samples, echoOf(new Random(seed, "echo", place), 1));
  }
}

/** A sound without echo; speech is as long as it is, all else of `length` samples. */
export function eventSamples(event: SoundEvent, length: number, random: Random): Float32Array {
  switch (event.sound) {
    case "noise":
      return faded(leveled(noise(event.noise, length, random, "train"), event.level), 15);
    case "alarm":
      return faded(leveled(alarm(length, random, "train"), event.level), 5);
    case "speech": {
      const { samples } = shippedVoices().take(event.word, event.voice);
      return speech(samples, event.speed, event.loudness, random);
    }
  }
}
