/**
 * What there is in a simulated cell at one moment, and what a perfect viewer or listener would say of it.
 * Timelines and scenarios decide it, place.ts says where it stands, camera.ts and sound.ts render it.
 */
import type { Truth } from "../../service/contract/media.ts";

export const LIGHTS = ["off", "green", "amber", "red"] as const;
export type Light = (typeof LIGHTS)[number];

/** What is wrong with the camera; but for "ok" nothing else of the picture can be asked. */
export const CAMERA_STATES = ["ok", "dark", "blurred", "covered", "moved"] as const;
export type CameraState = (typeof CAMERA_STATES)[number];

export const BELTS = ["running", "empty", "jammed"] as const;
export type Belt = (typeof BELTS)[number];

/** In the order in which an answer names them. */
export const THINGS = ["cup", "book", "bag"] as const;
export type Thing = (typeof THINGS)[number];

export const MOST_PEOPLE = 3;

export interface Person {
  /** Decides clothes, hair, skin and size. */
  readonly looks: number;
  /** Middle of the body across the picture, 0 left to 1 right; outside of that while walking in or out. */
  readonly x: number;
  readonly pose: "standing" | "lying";
}

export interface Scene {
  /** At most MOST_PEOPLE, none hiding another's head. */
  readonly people: readonly Person[];
  readonly light: Light;
  /** The lamp goes on and off every half second (BLINK). */
  readonly blinking: boolean;
  /** 0 to 99, two digits always. */
  readonly display: number;
  /** Undefined where the place has no belt. */
  readonly belt?: Belt;
  /** On the desk; undefined where the place has none. */
  readonly things?: readonly Thing[];
  readonly camera: CameraState;
}

/** Ms: a blinking lamp is lit in the first half of each period, counted from the epoch. */
export const BLINK = 1000;

/** What the lamp shows at a moment, epoch ms. */
export const shownLight = ({ light, blinking }: Scene, at: number): Light =>
  blinking && ((at % BLINK) + BLINK) % BLINK >= BLINK / 2 ? "off" : light;

/**
 * The right answers about one picture taken at `at`, epoch ms, by name of the field. A picture cannot show
 * that a lamp blinks, so `blinking` is not among them; of a camera that is not ok only `camera` and
 * `description` are.
 */
export function pictureTruth(scene: Scene, at: number): Truth {
  if (scene.camera !== "ok") return { camera: scene.camera, description: faultText(scene.camera) };
  const light = shownLight(scene, at);
  return { ...commonTruth(scene), light, description: sceneText(scene, light) };
}

/** The same of two pictures half a BLINK apart, of which one shows a blinking lamp lit. */
export function picturesTruth(scene: Scene): Truth {
  if (scene.camera !== "ok") return pictureTruth(scene, 0);
  const { light } = scene;
  const blinking = scene.blinking && light !== "off";
  const description = `${sceneText(scene, light)}${blinking ? " and blinks" : ""}`;
  return { ...commonTruth(scene), light, blinking, description };
}

function commonTruth({ people, display, belt, things }: Scene): Truth {
  return {
    person: people.length > 0,
    people: people.length,
    lying: people.some(({ pose }) => pose === "lying"),
    display,
    camera: "ok",
    ...(belt && { belt }),
    ...(things && { things: things.length === 0 ? "nothing" : things.join(", ") }),
  };
}

const NUMBERS = ["nobody is here", "one person waits", "two people wait", "three people wait"] as const;

/** "two people wait, light is red"; "one person waits, one lies on the floor, light is off". */
function sceneText({ people }: Scene, light: Light): string {
  const standing = people.filter(({ pose }) => pose === "standing").length;
  const lying = people.length - standing;
  const parts = standing > 0 || lying === 0 ? [NUMBERS[standing] ?? ""] : [];
  if (lying > 0) parts.push(lying === 1 ? "one lies on the floor" : "some lie on the floor");
  return [...parts, `light is ${light}`].join(", ");
}

const faultText = (camera: CameraState) => `the camera is ${camera}`;

export const SOUNDS = ["silence", "noise", "alarm", "speech"] as const;
export type SoundName = (typeof SOUNDS)[number];

/** Sorts of noise; "hum" is a machine or a ward as it should sound. */
export const NOISES = ["hum", "hiss", "grinding"] as const;
export type Noise = (typeof NOISES)[number];

/** How loud a speaker is. It is vocal effort: level, pitch and brightness together (sound.ts). */
export const LOUDNESS = ["quiet", "normal", "loud"] as const;
export type Loudness = (typeof LOUDNESS)[number];

export const WORDS = [
  "help",
  "nurse",
  "stop",
  "start",
  "water",
  "doctor",
  "fire",
  "yes",
  "no",
  "pain",
  "open",
  "close",
  "left",
  "right",
  "up",
  "down",
  "hello",
  "thanks",
  "wait",
  "ready",
  "hurry",
  "cold",
  "sick",
  "police",
  "sorry",
  "machine",
  "again",
  "family",
  "number",
  "toilet",
  "medicine",
  "broken",
] as const;
export type Word = (typeof WORDS)[number];

/** Words of somebody who needs help. */
export const CALLS: readonly Word[] = ["help", "nurse", "doctor", "pain", "fire"];

/** What a clip is about. */
export type Heard =
  | { readonly sound: "silence" }
  | { readonly sound: "noise"; readonly noise: Noise }
  | { readonly sound: "alarm" }
  | { readonly sound: "speech"; readonly word: Word; readonly loudness: Loudness };

/** The right answers about a clip, by name of the field. */
export function soundTruth(heard: Heard): Truth {
  const speech = heard.sound === "speech" ? heard : undefined;
  return {
    sound: heard.sound,
    words: speech?.word ?? "",
    loudness: speech?.loudness ?? "none",
    help: speech !== undefined && CALLS.includes(speech.word),
    machine: machineOf(heard),
    description: soundText(heard),
  };
}

/** What one would say of a machine that sounds so. */
function machineOf(heard: Heard): string {
  if (heard.sound === "noise") return heard.noise === "hum" ? "normal" : heard.noise;
  return heard.sound === "alarm" ? "alarm" : "other";
}

function soundText(heard: Heard): string {
  switch (heard.sound) {
    case "silence":
      return "it is silent";
    case "noise":
      return heard.noise === "hum" ? "a machine hums" : heard.noise === "hiss" ? "air hisses" : "it grinds";
    case "alarm":
      return "an alarm sounds";
    case "speech":
      return `somebody says ${heard.word}`;
  }
}

/** The right answers about pictures and a clip together. */
export const jointTruth = (seen: Truth, heard: Truth): Truth => ({
  ...seen,
  ...heard,
  description: `${seen.description}, ${heard.description}`,
});
