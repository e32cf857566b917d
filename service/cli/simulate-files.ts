import { execFile } from "node:child_process";
import { closeSync, mkdirSync, openSync, readdirSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { CellCamera, encodeJpeg } from "../../device/simulator/camera/camera.ts";
import { frameTruth } from "../../device/simulator/course/seen.ts";
import type { Script } from "../../device/simulator/script.ts";
import { CHUNK, CHUNK_SAMPLES, Soundtrack } from "../../device/simulator/sound/sound.ts";
import { wavHeader } from "../inference/media-check.ts";
import { messageOf, PerchError, systemCode } from "../kernel/errors.ts";
import type { Simulation } from "./simulate.ts";
import { UsageError } from "./usage.ts";

const DEFAULT_FPS = 5;
/** Ms between two looks at the progress. */
const TELL_EVERY = 1000;

/**
 * `--out`: pictures, sound, right answers and a video of a scenario from its beginning, or of the cell from
 * the epoch on: the same options give the same bytes. Resolves to the exit code.
 */
export async function writeFiles(simulation: Simulation, folder: string): Promise<number> {
  const { size, fps = DEFAULT_FPS, wished, length: own } = simulation;
  const length = wished ?? own;
  const script = simulation.script(0);
  const times = Array.from({ length: Math.ceil((length / 1000) * fps) }, (_, i) =>
    Math.round((i * 1000) / fps),
  );
  makeFolder(folder);
  const camera = new CellCamera(script, size);
  const sound = new SoundFile(script, join(folder, "sound.wav"), length);
  const progress = new Progress(length);
  for (const [frame, at] of times.entries()) {
    writeFileSync(join(folder, pictureName(frame)), encodeJpeg(camera.picture(at)));
    sound.writeUntil(times[frame + 1] ?? length);
    progress.reach(at);
    // The canvas gives its memory back only between turns of the event loop.
    if (frame % 20 === 19) await new Promise(setImmediate);
  }
  sound.close();
  progress.end();
  writeFileSync(join(folder, "truth.jsonl"), truthLines(script, times, length));
  const video = await writeVideo(folder, fps);
  process.stdout.write(
    `${folder}: ${times.length} pictures in frames, sound.wav, truth.jsonl${video ? ", video.mp4" : "; no video.mp4: there is no ffmpeg"}\n`,
  );
  return 0;
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    if (readdirSync(folder).length > 0)
      throw new UsageError(`--out ${folder}: it holds files already; name a new or an empty folder`);
    mkdirSync(join(folder, "frames"));
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    throw new UsageError(`--out ${folder}: ${messageOf(error)}`);
  }
}

/** Of a picture by its number from 0; files count from 1, as ffmpeg does. */
const pictureName = (frame: number) => `frames/${String(frame + 1).padStart(6, "0")}.jpg`;

class SoundFile {
  private readonly soundtrack: Soundtrack;
  private readonly file: number;
  private readonly chunks: number;
  private written = 0;

  constructor(script: Script, path: string, length: number) {
    this.soundtrack = new Soundtrack(script);
    this.chunks = Math.ceil(length / CHUNK);
    this.file = openSync(path, "w");
    writeSync(this.file, wavHeader(this.chunks * CHUNK_SAMPLES * Int16Array.BYTES_PER_ELEMENT));
  }

  /** All sound before a moment, ms. */
  writeUntil(at: number): void {
    for (; this.written < this.chunks && this.written * CHUNK < at; this.written += 1) {
      const { buffer, byteOffset, byteLength } = this.soundtrack.chunk(this.written);
      writeSync(this.file, new Uint8Array(buffer, byteOffset, byteLength));
    }
  }

  close(): void {
    closeSync(this.file);
  }
}

/** How far it is and how fast, on standard error: rewritten on a terminal, told once elsewhere. */
class Progress {
  private readonly began = performance.now();
  private told = this.began;

  constructor(private readonly length: number) {}

  reach(at: number): void {
    if (!process.stderr.isTTY || performance.now() - this.told < TELL_EVERY) return;
    this.told = performance.now();
    process.stderr.write(`\r${this.text(at)} `);
  }

  end(): void {
    process.stderr.write(`${process.stderr.isTTY ? "\r" : ""}${this.text(this.length)}\n`);
  }

  private text(at: number): string {
    const speed = at / Math.max(1, performance.now() - this.began);
    return `${Math.floor((100 * at) / this.length)} %, ${speed.toFixed(1)} times as fast as real time`;
  }
}

/** A line for each picture and each sound, in the order of time: what a perfect viewer and listener would say. */
function truthLines(script: Script, times: readonly number[], length: number): string {
  const pictures = times.map((at, frame) => {
    const truth = frameTruth(script.sceneAt(at), at);
    return { at, line: { at, picture: pictureName(frame), truth } };
  });
  const sounds = script.soundsBetween(0, length).map(({ from, to, what }) => {
    const truth = script.soundTruth(from, to);
    return { at: from, line: { at: from, until: to, sound: what, ...(truth && { truth }) } };
  });
  const all = [...pictures, ...sounds].sort((a, b) => a.at - b.at);
  return all.map(({ line }) => `${JSON.stringify(line)}\n`).join("");
}

/** False where there is no ffmpeg. */
async function writeVideo(folder: string, fps: number): Promise<boolean> {
  const input = ["-framerate", String(fps), "-i", "frames/%06d.jpg", "-i", "sound.wav"];
  // H.264 takes whole pairs of pixels only.
  const picture = ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-c:v", "libx264", "-pix_fmt", "yuv420p"];
  const output = [...picture, "-c:a", "aac", "-movflags", "+faststart", "video.mp4"];
  try {
    const args = ["-v", "error", "-nostdin", ...input, ...output];
    await promisify(execFile)("ffmpeg", args, { cwd: folder });
    return true;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false;
    throw new PerchError("PROCESS_FAILED", `ffmpeg cannot write ${join(folder, "video.mp4")}`, error);
  }
}
