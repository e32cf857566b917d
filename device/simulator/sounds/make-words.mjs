// Speaks the ten words in four of the voices that the small model was trained with, as 16 kHz mono WAV
// files beside this script. The files are committed; run this only to change words or voices.
// Needs espeak-ng and ffmpeg.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const WORDS = ["help", "nurse", "stop", "start", "water", "doctor", "fire", "yes", "no", "pain"];
const VOICES = [
  { name: "us", voice: "en-us", pitch: 50, wordsPerMinute: 160 },
  { name: "gb", voice: "en-gb", pitch: 45, wordsPerMinute: 150 },
  { name: "low", voice: "en-us+m1", pitch: 35, wordsPerMinute: 165 },
  { name: "high", voice: "en-gb+f3", pitch: 60, wordsPerMinute: 155 },
];
// The training data's trimming: what stays below 0.01 of full scale is cut off, save so many samples.
const THRESHOLD = 0.01 * 32768;
const KEPT_BEFORE = 200;
const KEPT_AFTER = 400;
const FORMAT = ["-f", "s16le", "-ar", "16000", "-ac", "1"];

for (const { name, voice, pitch, wordsPerMinute } of VOICES) {
  for (const word of WORDS) {
    const spoken = execFileSync(
      "espeak-ng",
      ["-v", voice, "-p", String(pitch), "-s", String(wordsPerMinute), "--stdout", word],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const resampled = ffmpeg(["-i", "pipe:0", ...FORMAT, "pipe:1"], spoken);
    const wav = ffmpeg(
      [...FORMAT, "-i", "pipe:0", "-bitexact", "-flags:a", "+bitexact", "-f", "wav", "pipe:1"],
      trim(resampled),
    );
    // ffmpeg cannot go back over a pipe to fill in the lengths.
    wav.writeUInt32LE(wav.length - 8, 4);
    wav.writeUInt32LE(wav.length - 44, 40);
    writeFileSync(join(import.meta.dirname, `${word}-${name}.wav`), wav);
  }
}

function ffmpeg(args, input) {
  return execFileSync("ffmpeg", ["-v", "error", ...args], { input });
}

function trim(pcm) {
  const samples = new Int16Array(pcm.buffer, pcm.byteOffset, pcm.length >> 1);
  const loud = (sample) => Math.abs(sample) > THRESHOLD;
  const from = Math.max(0, samples.findIndex(loud) - KEPT_BEFORE);
  const to = samples.findLastIndex(loud) + KEPT_AFTER;
  return pcm.subarray(from * 2, Math.min(to * 2, pcm.length));
}
