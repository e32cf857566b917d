// Speaks the words of world.ts with espeak-ng, the recordings of the simulated cell:
//
//   npx tsx device/simulator/sounds/make-voices.mjs              the six voices beside this script, in git
//   npx tsx device/simulator/sounds/make-voices.mjs --training   many takes of 33 voices, in build/voices
//
// Either way voices.json says which samples of which voice's WAV file are which word (voices.ts reads it).
// Needs espeak-ng 1.51 or later.
import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Random } from "../random.ts";
import { WORDS } from "../world.ts";
import { muLawOf, PCM, polyphase, trimmed, U_LAW, wavOf } from "./recording.mjs";

const KNOWN = "known";
const NEW = "new";
const SHIPPED = [
  { name: "us", split: KNOWN, espeak: "en-us", pitch: 50, rate: 160 },
  { name: "gb", split: KNOWN, espeak: "en-gb", pitch: 45, rate: 150 },
  { name: "us-m1", split: KNOWN, espeak: "en-us+m1", pitch: 35, rate: 165 },
  { name: "gb-f3", split: KNOWN, espeak: "en-gb+f3", pitch: 60, rate: 155 },
  { name: "scotland", split: NEW, espeak: "en-gb-scotland", pitch: 50, rate: 160 },
  { name: "us-f4", split: NEW, espeak: "en-us+f4", pitch: 55, rate: 155 },
];
const TRAINED = [
  ["us", "en-us"],
  ["gb", "en-gb"],
  ["rp", "en-gb-x-rp"],
  ["lancaster", "en-gb-x-gbclan"],
  ["caribbean", "en-029"],
  ["new-york", "en-us-nyc"],
  ["us-m1", "en-us+m1"],
  ["gb-m2", "en-gb+m2"],
  ["us-m3", "en-us+m3"],
  ["rp-m4", "en-gb-x-rp+m4"],
  ["us-m5", "en-us+m5"],
  ["gb-m6", "en-gb+m6"],
  ["new-york-m8", "en-us-nyc+m8"],
  ["us-f1", "en-us+f1"],
  ["gb-f2", "en-gb+f2"],
  ["gb-f3", "en-gb+f3"],
  ["us-f5", "en-us+f5"],
  ["us-klatt", "en-us+klatt"],
  ["gb-klatt3", "en-gb+klatt3"],
  ["us-alex", "en-us+Alex"],
  ["gb-annie", "en-gb+Annie"],
  ["us-andrea", "en-us+Andrea"],
  ["lancaster-max", "en-gb-x-gbclan+max"],
  ["caribbean-steph", "en-029+steph"],
].map(([name, espeak]) => ({ name, espeak, split: KNOWN, takes: 11 }));
const UNHEARD = [
  ["scotland", "en-gb-scotland"],
  ["us-f4", "en-us+f4"],
  ["gb-m7", "en-gb+m7"],
  ["west-midlands", "en-gb-x-gbcwmd"],
  ["us-quincy", "en-us+quincy"],
  ["rp-belinda", "en-gb-x-rp+belinda"],
].map(([name, espeak]) => ({ name, espeak, split: NEW, takes: 7 }));
const WHISPERED = [
  ["us-whisper", "en-us+whisper"],
  ["gb-whisper", "en-gb+whisper"],
  ["us-whisperf", "en-us+whisperf"],
].map(([name, espeak]) => ({ name, espeak, split: KNOWN, takes: 6, whispered: true }));

const training = process.argv.includes("--training");
const folder = training ? join(import.meta.dirname, "../../../build/voices") : import.meta.dirname;
const voices = training ? [...TRAINED, ...UNHEARD, ...WHISPERED] : SHIPPED.map((v) => ({ ...v, takes: 1 }));
const run = promisify(execFile);

checkEspeak();
mkdirSync(folder, { recursive: true });
const began = Date.now();
const index = [];
for (const voice of voices) index.push(await record(voice));
writeFileSync(join(folder, "voices.json"), indexText(index));
console.log(`${index.length} voices in ${folder} in ${((Date.now() - began) / 1000).toFixed(0)} s`);

/** All takes of a voice, one after another in one file. */
async function record({ name, split, espeak, whispered = false, ...how }) {
  const wanted = WORDS.flatMap((word) => takesOf(word, name, how));
  const spoken = await inParallel(wanted, (take) => speak(espeak, take));
  let from = 0;
  const takes = spoken.map((samples, i) => {
    const take = { ...wanted[i], from, to: from + samples.length };
    from = take.to;
    return take;
  });
  const all = new Int16Array(from);
  for (const [i, samples] of spoken.entries()) all.set(samples, takes[i].from);
  writeFileSync(join(folder, `${name}.wav`), training ? wavOf(PCM, all) : wavOf(U_LAW, muLawOf(all)));
  console.log(
    `${name} (${espeak}, ${split}): ${takes.length} takes, ${(from / 16_000).toFixed(0)} s of sound`,
  );
  return { name, split, whispered, espeak, takes };
}

/** One as the shipped voice speaks, where there is one, and others at any pitch and rate, words a minute. */
function takesOf(word, name, { takes }) {
  const shipped = SHIPPED.find((voice) => voice.name === name);
  return Array.from({ length: takes }, (_, i) => {
    if (i === 0 && shipped) return { word, pitch: shipped.pitch, rate: shipped.rate };
    const random = new Random("voices", name, word, i);
    return { word, pitch: random.whole(15, 85), rate: random.whole(120, 210) };
  });
}

async function speak(espeak, { word, pitch, rate }) {
  const args = ["-v", espeak, "-p", String(pitch), "-s", String(rate), "--stdout", word];
  const { stdout } = await run("espeak-ng", args, { encoding: "buffer", maxBuffer: 1 << 24 });
  const sampleRate = stdout.readUInt32LE(24);
  const pcm = new Int16Array(Uint8Array.from(stdout.subarray(44)).buffer);
  const samples = trimmed(polyphase(pcm, sampleRate));
  if (samples.length < 2000) throw new Error(`espeak-ng says nothing for "${word}" in the voice ${espeak}`);
  return samples;
}

/** As many at once as there are processors; results in the order of the items. */
async function inParallel(items, work) {
  const results = [];
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const mine = next++;
      results[mine] = await work(items[mine]);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return results;
}

/** A line for each take. */
function indexText(index) {
  const entries = index.map(({ takes, ...voice }) => {
    const lines = takes.map((take) => `    ${JSON.stringify(take)}`).join(",\n");
    return `  ${JSON.stringify(voice).slice(0, -1)},"takes":[\n${lines}\n  ]}`;
  });
  return `[\n${entries.join(",\n")}\n]\n`;
}

function checkEspeak() {
  try {
    execFileSync("espeak-ng", ["--version"], { stdio: "ignore" });
  } catch {
    console.error("make-voices: espeak-ng is missing; on Debian and Ubuntu: sudo apt-get install espeak-ng");
    process.exit(1);
  }
}
