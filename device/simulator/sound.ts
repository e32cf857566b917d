import { SAMPLE_RATE } from "../../service/contract/media.ts";
import { Random } from "./random.ts";
import { HUM_AFTER, HUM_BEFORE, type SoundSegment, type Timeline } from "./timeline.ts";
import { recording } from "./words.ts";

/** Ms of sound in one chunk, and its samples. */
export const CHUNK = 20;
export const CHUNK_SAMPLES = (SAMPLE_RATE * CHUNK) / 1000;
const PER_MS = SAMPLE_RATE / 1000;
/** Deviation of the noisiest background, full scale being 1 (-66 dBFS): the small model takes louder ones for noise. */
const BACKGROUND = 0.0005;
/** Deviation of a noise's hum (-60 dBFS): softer, and the small model no longer takes it for noise; louder, and a gate's clip begins with it. */
const HUM = 0.001;

/** What the microphone of a cell hears, chunk by chunk. */
export class Soundtrack {
  private rendered: { segment: SoundSegment; samples: Float32Array } | undefined;

  constructor(private readonly timeline: Timeline) {}

  /** Chunk `index` since the epoch: it begins at index * CHUNK ms. The same seed and index give the same samples. */
  chunk(index: number): Int16Array {
    const from = index * CHUNK;
    const mixed = this.background(from, index);
    for (const segment of this.timeline.soundsBetween(from, from + CHUNK)) {
      const samples = this.samplesOf(segment);
      const offset = (from - segment.from) * PER_MS;
      for (let i = 0; i < CHUNK_SAMPLES; i += 1) mixed[i] = (mixed[i] ?? 0) + (samples[offset + i] ?? 0);
    }
    return Int16Array.from(mixed, (value) => Math.trunc(Math.max(-1, Math.min(1, value)) * 32767));
  }

  /** Sound between two moments, epoch ms, widened to whole chunks. */
  between(from: number, to: number): Int16Array {
    const first = Math.floor(from / CHUNK);
    const last = Math.ceil(to / CHUNK);
    const samples = new Int16Array((last - first) * CHUNK_SAMPLES);
    for (let index = first; index < last; index += 1)
      samples.set(this.chunk(index), (index - first) * CHUNK_SAMPLES);
    return samples;
  }

  private background(at: number, index: number): Float32Array {
    const mixed = new Float32Array(CHUNK_SAMPLES);
    const place = new Random(this.timeline.seed, "background", this.timeline.stretchAt(at).index);
    if (place.chance(0.2)) return mixed;
    const level = place.between(0, BACKGROUND);
    const random = new Random(this.timeline.seed, "hiss", index);
    return mixed.map(() => level * random.normal());
  }

  private samplesOf(segment: SoundSegment): Float32Array {
    if (this.rendered?.segment !== segment) {
      const random = new Random(this.timeline.seed, "sound", segment.from);
      this.rendered = { segment, samples: render(segment, random) };
    }
    return this.rendered.samples;
  }
}

function render({ from, to, kind }: SoundSegment, random: Random): Float32Array {
  const length = (to - from) * PER_MS;
  switch (kind.sound) {
    case "noise":
      return noise(length, random);
    case "alarm":
      return alarm(length, random);
    case "speech":
      return speech(recording(kind.word, kind.voice), kind.speed, random);
  }
}

/**
 * A machine that hums, roars and hums out: white noise averaged over 2 to 16 samples, roaring at 0.03 to
 * 0.4 of full scale. The hum is there because a gate keeps a little of what came before and after a sound,
 * and the small model, trained on noise that fills its clip, takes one that begins or ends inside for
 * speech. White noise as it is would be heard as silence, however loud.
 */
function noise(length: number, random: Random): Float32Array {
  const width = random.pick([2, 4, 8, 16]);
  const white = Float32Array.from({ length: length + width }, () => random.normal());
  const level = random.between(0.03, 0.4);
  const smooth = new Float32Array(length);
  for (let i = 0; i < length; i += 1) {
    const sum = white.subarray(i, i + width).reduce((total, value) => total + value, 0);
    const roars = i >= HUM_BEFORE * PER_MS && i < length - HUM_AFTER * PER_MS;
    smooth[i] = (sum / Math.sqrt(width)) * (roars ? level : HUM);
  }
  return smooth;
}

/** A tone that is cut into beeps, or two tones in turn; a sine or a square. */
function alarm(length: number, random: Random): Float32Array {
  const first = random.between(500, 2600);
  const second = first * random.pick([1, 1, 1.25, 1.5, 0.75]);
  // At most 0.3 s without a tone, so that no gate takes the pause for the end.
  const period = random.between(0.15, 0.5);
  const begin = random.between(0, period);
  const on = period * (second === first ? random.between(0.4, 0.9) : 1);
  const square = random.chance(0.4);
  const level = random.between(0.1, 0.7);
  let phase = random.between(0, 6);
  return Float32Array.from({ length }, (_, i) => {
    const inPeriod = (i / SAMPLE_RATE + begin) % period;
    phase += (2 * Math.PI * (inPeriod < period / 2 ? first : second)) / SAMPLE_RATE;
    if (inPeriod >= on) return 0;
    return level * (square ? 0.7 * Math.sign(Math.sin(phase)) : Math.sin(phase));
  });
}

/** The recorded word, a little faster or slower and higher or lower, louder or softer. */
function speech(word: Int16Array, speed: number, random: Random): Float32Array {
  const level = random.between(0.5, 1.5) / 32768;
  return Float32Array.from({ length: Math.floor(word.length / speed) }, (_, i) => {
    const at = Math.floor(i * speed);
    const share = i * speed - at;
    return level * ((word[at] ?? 0) * (1 - share) + (word[at + 1] ?? 0) * share);
  });
}
