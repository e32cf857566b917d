import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { SAMPLE_RATE } from "../../service/contract/media.ts";
import type { GatedClip } from "../../service/gate/clip-cutter.ts";
import { createClipGate } from "../../service/gate/clip-gate.ts";

const run = promisify(execFile);
const gate = {
  kind: "voice",
  aggressiveness: 2,
  preroll: 200,
  silence: 400,
  minimum: 200,
  maximum: 15_000,
  heartbeat: 0,
} as const;

/** Somebody says it, with a second of silence before and after. */
async function spoken(words: string): Promise<Int16Array> {
  const { stdout: wav } = await run("espeak-ng", ["--stdout", words], { encoding: "buffer" });
  const pcm = new Promise<Buffer>((resolve, reject) => {
    const args = ["-hide_banner", "-loglevel", "error", "-i", "pipe:0", "-af", "adelay=1000,apad=pad_dur=1"];
    const output = ["-ar", String(SAMPLE_RATE), "-ac", "1", "-f", "s16le", "pipe:1"];
    const child = execFile(
      "ffmpeg",
      [...args, ...output],
      { encoding: "buffer", maxBuffer: 1e8 },
      (error, stdout) => (error ? reject(error) : resolve(stdout)),
    );
    child.stdin?.end(wav);
  });
  const bytes = await pcm;
  return new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + (bytes.length & ~1)));
}

async function cut(samples: Int16Array): Promise<GatedClip[]> {
  const cutter = await createClipGate(gate);
  const clips: GatedClip[] = [];
  for (let at = 0; at < samples.length; at += 320) {
    const piece = { feed: "microphone", at: (at * 1000) / SAMPLE_RATE, samples: samples.slice(at, at + 320) };
    clips.push(...cutter.push(piece).clips);
  }
  return clips;
}

test("a spoken sentence is one clip that holds it all", async () => {
  const samples = await spoken("please stop the machine now");
  const clips = await cut(samples);
  expect(clips.map(({ reason }) => reason)).toEqual(["voice"]);
  const [{ clip } = { clip: undefined }] = clips;
  const energy = (part: Int16Array): number => part.reduce((sum, value) => sum + value * value, 0);
  expect(energy(clip?.samples ?? new Int16Array())).toBeGreaterThan(0.98 * energy(samples));
});

test("silence and a steady hum are no voice", async () => {
  const hum = Int16Array.from({ length: 5 * SAMPLE_RATE }, (_, n) =>
    Math.round(600 * Math.sin((2 * Math.PI * 50 * n) / SAMPLE_RATE)),
  );
  expect(await cut(new Int16Array(5 * SAMPLE_RATE))).toEqual([]);
  expect(await cut(hum)).toEqual([]);
});

test("two microphones have detectors of their own", async () => {
  const samples = await spoken("help me please");
  const [alone] = await cut(samples);
  const [one, other] = await Promise.all([cut(samples), cut(samples)]);
  expect(one?.[0]?.clip.samples).toEqual(alone?.clip.samples);
  expect(other?.[0]?.clip.samples).toEqual(alone?.clip.samples);
});
