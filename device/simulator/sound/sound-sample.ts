/** Clips to train the small model with, and to find out what it hears, with the right answers. */
import { SAMPLE_RATE } from "../../../service/contract/media.ts";
import type { Random } from "../random.ts";
import { NOISE_ABOVE, SILENCE_BELOW } from "../script.ts";
import { type Heard, LOUDNESS, NOISES, WORDS } from "../world.ts";
import { alarm } from "./sound-alarm.ts";
import { faded, gainOf, leveled, loudest, mix, rms, to16Bit } from "./sound-filters.ts";
import { noise, type Recipes } from "./sound-noise.ts";
import { echoing, echoOf, hiss, hissLevel } from "./sound-place.ts";
import { speech } from "./sound-speech.ts";
import type { Take, VoiceBank, VoiceSplit } from "./voices.ts";

export interface SampleOptions {
  /** Noises and alarms made as those that the model is trained with, or as it never hears them. */
  readonly split: Recipes;
  readonly voices: VoiceSplit;
  /** 0: dry, still, at the recorded speed; 1: echoes, noise up to 8 dB below, 0.8 to 1.25 times the speed. */
  readonly difficulty: number;
}

export interface SoundSample {
  readonly samples: Int16Array;
  readonly heard: Heard;
  /** A code for each FRAME samples that begin in the clip: TARGET, or TARGET.word + place of the word in WORDS. */
  readonly targets: Uint8Array;
}

/** Samples of a frame of the model's audio projector, 40 ms. */
export const FRAME = 640;

/** What sounds in a frame; `unclear` where two answers would be right. */
export const TARGET = { silence: 0, hum: 1, hiss: 2, grinding: 3, alarm: 4, word: 5, unclear: 255 } as const;

const KINDS = ["silence", "noise", "alarm", "speech"] as const;
/** Of 20: how many clips are of each. */
const SHARES: Record<(typeof KINDS)[number], number> = { silence: 3, noise: 5, alarm: 3, speech: 9 };
const KIND_OF_20 = KINDS.flatMap((kind) => Array.from({ length: SHARES[kind] }, () => kind));

/** Ms: what a gate keeps before and after a sound. */
const GATE_BEFORE = 200;
const GATE_AFTER = [100, 400] as const;
const PER_MS = SAMPLE_RATE / 1000;
/** A noise or alarm lasts so long, ms, and fills such a share of its clip. */
const SHORTEST = 250;
const LEAST_SHARE = 0.3;
/** Least dB by which a sound is above the noise under it, at difficulty 0 and 1. */
const CLEARANCE = [25, 8] as const;

/** A sound at its place in a clip. */
interface Placed {
  readonly heard: Heard;
  readonly code: number;
  readonly at: number;
  /** Samples without its echo. */
  readonly length: number;
  readonly sound: Float32Array;
}

/** Noise of the place under all of a clip. */
interface Bed {
  readonly code: number;
  readonly sound: Float32Array;
}

/** One clip of so many samples, 9,600 (0.6 s) or more. The same random numbers give the same clip. */
export function soundSample(
  random: Random,
  samples: number,
  bank: VoiceBank,
  options: SampleOptions,
): SoundSample {
  const dry = placedOf(random, samples, bank, options);
  const placed = dry && { ...dry, sound: echoing(dry.sound, echoOf(random, options.difficulty)) };
  const bed = placed && bedOf(random, samples, placed, options);
  const mixed = hiss(samples, hissLevel(random), random);
  if (bed) mix(mixed, bed.sound, 0);
  if (placed) mix(mixed, placed.sound, placed.at);
  const targets = targetsOf(samples, placed, bed);
  if (random.chance(0.15)) click(mixed, targets, random, placed ? loudest(placed.sound) : 0);
  return { samples: to16Bit(mixed), heard: placed?.heard ?? { sound: "silence" }, targets };
}

/** Undefined where the clip is silent. */
function placedOf(
  random: Random,
  samples: number,
  bank: VoiceBank,
  options: SampleOptions,
): Placed | undefined {
  const kind = KIND_OF_20[random.whole(0, KIND_OF_20.length - 1)];
  switch (kind) {
    case "noise": {
      const which = random.pick(NOISES);
      const { at, length } = spanOf(random, samples);
      const sound = leveled(noise(which, length, random, options.split), random.between(NOISE_ABOVE, -8));
      const ends = length < samples ? random.between(5, 40) : 0;
      return {
        heard: { sound: "noise", noise: which },
        code: TARGET[which],
        at,
        length,
        sound: faded(sound, ends),
      };
    }
    case "alarm": {
      const { at, length } = spanOf(random, samples);
      const sound = leveled(alarm(length, random, options.split), random.between(-45, -5));
      return { heard: { sound: "alarm" }, code: TARGET.alarm, at, length, sound: faded(sound, 3) };
    }
    case "speech":
      return spokenOf(random, samples, bank, options);
    default:
      return undefined;
  }
}

/** All of the clip, what a gate would cut, or a part that may begin and end anywhere. */
function spanOf(random: Random, samples: number): { at: number; length: number } {
  if (random.chance(0.4)) return { at: 0, length: samples };
  const least = Math.ceil(Math.max(SHORTEST * PER_MS, LEAST_SHARE * samples));
  const cut = { at: Math.floor(around(random, GATE_BEFORE) * PER_MS), after: gateAfter(random) };
  if (random.chance(0.5) && samples - cut.at - cut.after >= least)
    return { at: cut.at, length: samples - cut.at - cut.after };
  const length = random.whole(least, samples);
  return { at: random.whole(0, samples - length), length };
}

function spokenOf(random: Random, samples: number, bank: VoiceBank, options: SampleOptions): Placed {
  const word = random.pick(WORDS);
  const loudness = random.pick(LOUDNESS);
  const whispers = bank.takes(word, options.voices, true);
  const whispered = loudness === "quiet" && whispers.length > 0 && random.chance(0.1);
  const takes = whispered ? whispers : bank.takes(word, options.voices);
  const wish = random.chance(0.5) ? samples - GATE_BEFORE * PER_MS - gateAfter(random) : undefined;
  const { take, speed } = fitting(random, takes, samples, wish, options.difficulty);
  const sound = speech(take.samples, speed, loudness, random, whispered).subarray(0, samples);
  const code = TARGET.word + WORDS.indexOf(word);
  const free = samples - sound.length;
  const before = Math.floor(around(random, GATE_BEFORE) * PER_MS);
  const gated = wish !== undefined && before <= free;
  const at = gated ? before : random.whole(0, free);
  return { heard: { sound: "speech", word, loudness }, code, at, length: sound.length, sound };
}

/** A take and a speed at which it fits into the clip; where a length is wished for, of a few the nearest to it. */
function fitting(
  random: Random,
  takes: readonly Take[],
  samples: number,
  wish: number | undefined,
  difficulty: number,
): { take: Take; speed: number } {
  const tries = Array.from({ length: wish === undefined ? 4 : 8 }, () => {
    const take = takes[random.whole(0, takes.length - 1)];
    if (!take) throw new Error("the voice bank has no voice of this split");
    const speed = 2 ** (random.around(1) * (0.08 + 0.24 * difficulty));
    return { take, speed, length: take.samples.length / speed };
  });
  const fit = tries.filter(({ length }) => length < samples);
  const off = ({ length }: { length: number }) => (wish === undefined ? 0 : Math.abs(length - wish));
  const [best] =
    fit.length > 0 ? fit.sort((a, b) => off(a) - off(b)) : tries.sort((a, b) => a.length - b.length);
  if (!best) throw new Error("unreachable: there is at least one try");
  return { take: best.take, speed: Math.max(best.speed, best.take.samples.length / samples) };
}

/** Noise under an alarm or speech, where it can be soft enough. */
function bedOf(random: Random, samples: number, placed: Placed, options: SampleOptions): Bed | undefined {
  if (placed.heard.sound === "noise" || !random.chance(0.5 * options.difficulty)) return undefined;
  const [easy, hard] = CLEARANCE;
  const clearance = easy + (hard - easy) * options.difficulty;
  const most = 20 * Math.log10(loudest(placed.sound)) - clearance;
  if (most < NOISE_ABOVE) return undefined;
  const which = random.pick(NOISES);
  const level = Math.max(NOISE_ABOVE, most - random.between(0, 15));
  return { code: TARGET[which], sound: leveled(noise(which, samples, random, options.split), level) };
}

/** A single sample that is off, up to `level`; in a silent clip so little that it stays silent. */
function click(mixed: Float32Array, targets: Uint8Array, random: Random, level: number): void {
  const at = random.whole(0, mixed.length - 1);
  const frame = Math.floor(at / FRAME);
  mixed[at] = (mixed[at] ?? 0) + random.pick([-1, 1]) * Math.max(0.002, level * random.between(0.2, 1));
  if (level > 0 && targets[frame] === TARGET.silence) targets[frame] = TARGET.unclear;
}

/** How far below its level a sound is still heard, and how far it is above noise under it, as ratios. */
const AUDIBLE = gainOf(-28);
const ABOVE_BED = gainOf(3);
/** What is so soft is not there: beside silence, and beside noise as a ratio. */
const NOTHING = gainOf(SILENCE_BELOW);
const BELOW_BED = gainOf(-12);
/** Share of a frame that a noise or an alarm fills before the frame is its own. */
const MOST_OF_FRAME = 0.6;

function targetsOf(samples: number, placed: Placed | undefined, bed: Bed | undefined): Uint8Array {
  const targets = new Uint8Array(Math.ceil(samples / FRAME)).fill(bed?.code ?? TARGET.silence);
  if (!placed) return targets;
  const { at, length, sound, code, heard } = placed;
  const audible = loudest(sound) * AUDIBLE;
  for (let frame = Math.floor(at / FRAME); frame < targets.length; frame += 1) {
    const from = frame * FRAME;
    const to = Math.min(samples, from + FRAME);
    const inside = Math.max(0, Math.min(to, at + length) - Math.max(from, at)) / (to - from);
    const own = rmsBetween(sound, from - at, to - at);
    const under = bed ? rms(bed.sound, from, to) : 0;
    if (own < Math.max(NOTHING, under * BELOW_BED)) continue;
    const filled = inside >= (heard.sound === "speech" ? 0.3 : MOST_OF_FRAME);
    targets[frame] = filled && own > audible && own > under * ABOVE_BED ? code : TARGET.unclear;
  }
  return targets;
}

/** Where the sound has not begun or is over there is nothing. */
function rmsBetween(sound: Float32Array, from: number, to: number): number {
  const [begin, end] = [Math.max(0, from), Math.min(sound.length, to)];
  return end <= begin ? 0 : rms(sound, begin, end) * Math.sqrt((end - begin) / (to - from));
}

const around = (random: Random, ms: number) => random.between(0.85, 1.15) * ms;
const gateAfter = (random: Random) => Math.floor(random.between(...GATE_AFTER) * PER_MS);
