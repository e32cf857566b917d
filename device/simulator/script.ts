/** What happens in a cell over time: the endless timeline.ts or a scenario.ts that somebody wrote. */
import type { Truth } from "../../service/contract/media.ts";
import type { Loudness, Noise, Scene, Word } from "./world.ts";

export interface Script {
  /** Decides all that the script leaves open: places, looks, grain, hiss. */
  readonly seed: number;
  /** What there is at a moment, ms. The timeline counts from the epoch, a scenario from its beginning. */
  sceneAt(at: number): Scene;
  /** Where it is at a moment. */
  settingAt(at: number): Setting;
  /** Sounds that are heard, if only in part, between two moments, ms; in the order of their beginnings. */
  soundsBetween(from: number, to: number): SoundSegment[];
  /** The right answers about a clip from `from` to `to`, ms; undefined where there is no one right answer. */
  soundTruth(from: number, to: number): Truth | undefined;
}

export interface Setting {
  /** Another number is another place: layout, background, colours, echo, camera's own noise. */
  readonly place: number;
  /** 0 at night, when lamps and display are nearly all that shines, to 1 at noon. */
  readonly daylight: number;
}

/** One sound, from <= t < to, ms. */
export interface SoundSegment {
  readonly from: number;
  readonly to: number;
  readonly what: SoundEvent;
}

/** Levels are those of the loudest 100 ms or so, dBFS (0 is a full-scale square wave's). */
export type SoundEvent =
  | { readonly sound: "noise"; readonly noise: Noise; readonly level: number }
  | { readonly sound: "alarm"; readonly level: number }
  | {
      readonly sound: "speech";
      readonly word: Word;
      /** Name of a voice in the bank (voices.ts). */
      readonly voice: string;
      readonly loudness: Loudness;
      /** How much faster than the recording, 0.8 to 1.25. */
      readonly speed: number;
    };

/** What is softer than this is silence, dBFS: the model's audio projector cannot tell levels well above it apart. */
export const SILENCE_BELOW = -72;
/** The softest noise that is told from silence, dBFS; nothing is rendered between the two. */
export const NOISE_ABOVE = -52;
