import type { Truth } from "../../service/contract/media.ts";
import { Random } from "./random.ts";
import { recording, VOICES, type Voice, WORDS, type Word } from "./words.ts";

export const LIGHTS = ["off", "green", "amber", "red"] as const;
export type Light = (typeof LIGHTS)[number];

export interface SceneTruth {
  readonly person: boolean;
  readonly light: Light;
  /** 0 to 99. */
  readonly display: number;
}

/** A while in which the scene does not change: from <= t < to, epoch ms. */
export interface SceneSegment {
  readonly from: number;
  readonly to: number;
  readonly truth: SceneTruth;
  /** Which visit of a person it is, counted in its stretch: each looks and stands otherwise. */
  readonly visit: number;
}

/** One sound, from <= t < to, epoch ms. Between sounds it is nearly silent. */
export interface SoundSegment {
  readonly from: number;
  readonly to: number;
  readonly kind: SoundKind;
}

export type SoundKind =
  | { readonly sound: "noise" }
  | { readonly sound: "alarm" }
  | {
      readonly sound: "speech";
      readonly word: Word;
      readonly voice: Voice;
      /** How much faster than the recording it is spoken. */
      readonly speed: number;
    };

/** A minute of the cell: one layout and one background noise, then others. */
export interface Stretch {
  /** Its number since the epoch. */
  readonly index: number;
  readonly from: number;
  readonly to: number;
  /** Without gaps. */
  readonly scene: readonly SceneSegment[];
  /** In order, with at least 1.5 s of quiet between them and 0.5 s at both ends. */
  readonly sounds: readonly SoundSegment[];
}

/** Ms. */
export const STRETCH = 60_000;
const SHORTEST = 2000;
const LONGEST = 4000;
const QUIET_BETWEEN = 1500;
const QUIET_AT_ENDS = 500;
/** Ms that a noise is only a hum, before and after it is loud. */
export const HUM_BEFORE = 500;
export const HUM_AFTER = 700;
/** Share of a sound that a clip must hold for the clip to be about that sound. */
const HEARD = 0.8;

/**
 * What is to be seen and heard in the simulated cell at any moment, endless in both directions and
 * decided by the seed and the wall clock alone, so that cameras, microphones and the service agree
 * without talking to each other.
 */
export class Timeline {
  private kept: Stretch[] = [];

  constructor(readonly seed: number) {}

  /** The minute that holds `at`, epoch ms. */
  stretchAt(at: number): Stretch {
    const index = Math.floor(at / STRETCH);
    const known = this.kept.find((stretch) => stretch.index === index);
    if (known) return known;
    const stretch = stretchOf(this.seed, index);
    this.kept = [stretch, ...this.kept.slice(0, 3)];
    return stretch;
  }

  sceneAt(at: number): SceneSegment {
    const { scene } = this.stretchAt(at);
    const segment = scene.find(({ to }) => at < to);
    if (!segment) throw new Error(`the simulated scene has a gap at ${at}`);
    return segment;
  }

  /** Sounds that are heard, if only in part, between two moments, epoch ms. */
  soundsBetween(from: number, to: number): SoundSegment[] {
    const found: SoundSegment[] = [];
    for (let at = from; Math.floor(at / STRETCH) <= Math.floor(to / STRETCH); at += STRETCH)
      for (const sound of this.stretchAt(at).sounds)
        if (sound.from < to && sound.to > from) found.push(sound);
    return found;
  }

  /**
   * What a perfect listener would answer about a clip from `from` to `to`, epoch ms; the accuracy report
   * counts answers against this. `{sound: "silence", words: ""}` where no sound falls into the clip.
   * Where one does: its kind, and the word if it is speech, provided that the clip holds at least 80% of
   * a word, or of an alarm or noise either 80% or so much that it fills half of the clip. Undefined
   * where there is no one right answer: two sounds, or less of a sound.
   */
  soundTruth(from: number, to: number): Truth | undefined {
    const [first, second] = this.soundsBetween(from, to);
    if (!first) return { sound: "silence", words: "" };
    if (second) return undefined;
    const heard = Math.min(to, first.to) - Math.max(from, first.from);
    const whole = heard >= HEARD * (first.to - first.from);
    if (first.kind.sound === "speech") return whole ? { sound: "speech", words: first.kind.word } : undefined;
    return whole || heard >= (to - from) / 2 ? { sound: first.kind.sound, words: "" } : undefined;
  }
}

/** The minute `index` of a seed. Pure. */
export function stretchOf(seed: number, index: number): Stretch {
  const from = index * STRETCH;
  const to = from + STRETCH;
  const scene = sceneOf(new Random(seed, "scene", index), from, to);
  const sounds = soundsOf(new Random(seed, "sounds", index), from, to, scene);
  return { index, from, to, scene, sounds };
}

function sceneOf(random: Random, begin: number, end: number): SceneSegment[] {
  const segments: SceneSegment[] = [];
  let truth: SceneTruth = {
    person: random.chance(0.5),
    light: random.pick(LIGHTS),
    display: random.whole(0, 99),
  };
  let visit = 0;
  for (let from = begin; from < end; ) {
    const to = from + segmentLength(random, end - from);
    segments.push({ from, to, truth, visit });
    const next = changed(random, truth);
    if (next.person && !truth.person) visit += 1;
    truth = next;
    from = to;
  }
  return segments;
}

/** Ms; never leaves a rest that would be too short for a segment of its own. */
function segmentLength(random: Random, rest: number): number {
  const wished = random.whole(SHORTEST, LONGEST);
  if (rest - wished >= SHORTEST) return wished;
  return rest <= LONGEST ? rest : Math.floor(rest / 2);
}

function changed(random: Random, truth: SceneTruth): SceneTruth {
  switch (random.pick(["person", "light", "count", "count", "jump"] as const)) {
    case "person":
      return { ...truth, person: !truth.person };
    case "light":
      return { ...truth, light: otherThan(random, LIGHTS, truth.light) };
    case "count":
      return { ...truth, display: (truth.display + 1) % 100 };
    case "jump":
      return { ...truth, display: (truth.display + random.whole(2, 98)) % 100 };
  }
}

function otherThan(random: Random, lights: typeof LIGHTS, light: Light): Light {
  const step = random.whole(1, lights.length - 1);
  return lights[(lights.indexOf(light) + step) % lights.length] ?? light;
}

function soundsOf(
  random: Random,
  begin: number,
  end: number,
  scene: readonly SceneSegment[],
): SoundSegment[] {
  const sounds: SoundSegment[] = [];
  let from = begin + random.whole(QUIET_AT_ENDS, LONGEST / 2);
  for (;;) {
    const kind = kindOf(random, personStays(scene, from));
    const to = from + soundLength(random, kind);
    if (to > end - QUIET_AT_ENDS) return sounds;
    sounds.push({ from, to, kind });
    from = Math.max(to + QUIET_BETWEEN, from + random.whole(3000, 5000));
  }
}

/** Somebody is in the picture now and in the second after. */
function personStays(scene: readonly SceneSegment[], at: number): boolean {
  const near = scene.filter(({ from, to }) => from < at + 1000 && to > at);
  return near.every(({ truth }) => truth.person);
}

function kindOf(random: Random, person: boolean): SoundKind {
  const sound = random.pick(["noise", "alarm", "speech", "speech", "speech"] as const);
  if (sound !== "speech") return { sound };
  // A person who calls for help is what the kiosk and the clinic examples wait for.
  const word = person && random.chance(0.3) ? "help" : random.pick(WORDS);
  return { sound, word, voice: random.pick(VOICES), speed: random.between(0.94, 1.06) };
}

/** Ms. */
function soundLength(random: Random, kind: SoundKind): number {
  switch (kind.sound) {
    case "noise":
      return HUM_BEFORE + random.whole(800, 1200) + HUM_AFTER;
    case "alarm":
      return random.whole(1000, 1400);
    case "speech":
      return Math.ceil(recording(kind.word, kind.voice).length / kind.speed / 16);
  }
}
