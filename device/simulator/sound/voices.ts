/** Recordings of the words of world.ts in several voices, as sounds/make-voices.mjs makes them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../../service/kernel/paths.ts";
import type { Word } from "../world.ts";

/** Whether the small model was trained with a voice or has never heard it. */
export type VoiceSplit = "known" | "new";

/** One recording of a word, 16 kHz, trimmed. */
export interface Take {
  readonly word: Word;
  readonly voice: string;
  readonly samples: Int16Array;
}

/** A voice of voices.json; its takes lie at from <= sample < to of its WAV file. */
interface VoiceEntry {
  readonly name: string;
  readonly split: VoiceSplit;
  readonly whispered: boolean;
  readonly takes: readonly { readonly word: Word; readonly from: number; readonly to: number }[];
}

export class VoiceBank {
  private readonly byWord = new Map<string, Take[]>();
  private readonly byVoice = new Map<string, Take>();

  private constructor(private readonly voices: readonly VoiceEntry[]) {}

  /** Reads every voice of a folder. Throws where a file is missing. */
  static read(folder: string): VoiceBank {
    const voices: VoiceEntry[] = JSON.parse(readFileSync(join(folder, "voices.json"), "utf8"));
    const bank = new VoiceBank(voices);
    for (const voice of voices) bank.add(voice, samplesOf(readFileSync(join(folder, `${voice.name}.wav`))));
    return bank;
  }

  private add({ name, split, whispered, takes }: VoiceEntry, sound: Int16Array): void {
    for (const { word, from, to } of takes) {
      const take = { word, voice: name, samples: sound.subarray(from, to) };
      const group = groupOf(word, split, whispered);
      const takesOfWord = this.byWord.get(group) ?? [];
      takesOfWord.push(take);
      this.byWord.set(group, takesOfWord);
      const own = `${name}/${word}`;
      if (!this.byVoice.has(own)) this.byVoice.set(own, take);
    }
  }

  /** Voices that do not whisper. */
  names(split: VoiceSplit): string[] {
    return this.voices.filter((voice) => voice.split === split && !voice.whispered).map(({ name }) => name);
  }

  /** The first take of a word in a voice. Throws where there is none. */
  take(word: Word, voice: string): Take {
    const take = this.byVoice.get(`${voice}/${word}`);
    if (!take) throw new Error(`the voice bank has no "${word}" in a voice "${voice}"`);
    return take;
  }

  /** Every take of a word in all voices of a split, spoken or whispered. */
  takes(word: Word, split: VoiceSplit, whispered = false): readonly Take[] {
    return this.byWord.get(groupOf(word, split, whispered)) ?? [];
  }
}

const groupOf = (word: Word, split: VoiceSplit, whispered: boolean) => `${word}/${split}/${whispered}`;

/** Many takes of many voices, there only once make-voices.mjs --training has run. */
export const TRAINING_VOICES = join(packageRoot, "build/voices");

let shipped: VoiceBank | undefined;

/** The voices of the live cell, one take of each word. Reads them the first time. */
export function shippedVoices(): VoiceBank {
  shipped ??= VoiceBank.read(join(packageRoot, "device/simulator/sounds"));
  return shipped;
}

/** Names of the shipped voices. */
export const voiceNames = (split: VoiceSplit): string[] => shippedVoices().names(split);

/** Ms that a word in a shipped voice takes at a speed; a loud one, which is higher, ends up to 13 % earlier. */
export const recordingLength = (word: Word, voice: string, speed: number): number =>
  Math.ceil(shippedVoices().take(word, voice).samples.length / 16 / speed);

const WAV_HEADER = 44;
const FORMAT_AT = 20;
const U_LAW = 7;

function samplesOf(wav: Buffer): Int16Array {
  const format = wav.readUInt16LE(FORMAT_AT);
  if (format === U_LAW) return decoded(wav.subarray(WAV_HEADER));
  return new Int16Array(wav.buffer.slice(wav.byteOffset + WAV_HEADER, wav.byteOffset + wav.length));
}

function decoded(bytes: Uint8Array): Int16Array {
  const samples = new Int16Array(bytes.length);
  for (let i = 0; i < bytes.length; i += 1) samples[i] = DECODED[bytes[i] ?? 0] ?? 0;
  return samples;
}

/** ITU-T G.711 mu-law: the sample that a byte stands for. */
const DECODED = Int16Array.from({ length: 256 }, (_, byte) => {
  const code = ~byte & 0xff;
  const magnitude = (((code & 0x0f) << 3) + 132) << ((code >> 4) & 0x07);
  return code & 0x80 ? 132 - magnitude : magnitude - 132;
});
