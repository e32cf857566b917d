import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../service/kernel/paths.ts";

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
] as const;
export type Word = (typeof WORDS)[number];

/** Who speaks, as the recordings are named (sounds/make-words.mjs). */
export const VOICES = ["us", "gb", "low", "high"] as const;
export type Voice = (typeof VOICES)[number];

const WAV_HEADER = 44;
const read = new Map<string, Int16Array>();

/** A spoken word, 16 kHz. Reads its file the first time. */
export function recording(word: Word, voice: Voice): Int16Array {
  const name = `${word}-${voice}.wav`;
  let samples = read.get(name);
  if (!samples) {
    const wav = readFileSync(join(packageRoot, "device/simulator/sounds", name));
    samples = new Int16Array(wav.buffer.slice(wav.byteOffset + WAV_HEADER, wav.byteOffset + wav.length));
    read.set(name, samples);
  }
  return samples;
}
