import { execFile } from "node:child_process";
import { closeSync, mkdirSync, openSync, readdirSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { CellCamera, encodeJpeg } from "../../device/simulator/camera.ts";
import type { Script } from "../../device/simulator/script.ts";
import { frameTruth } from "../../device/simulator/seen.ts";
import { CHUNK, CHUNK_SAMPLES, heardOf, Soundtrack } from "../../device/simulator/sound.ts";
import { soundTruth } from "../../device/simulator/world.ts";
import { wavHeader } from "../inference/media-check.ts";
import { messageOf, systemCode } from "../kernel/errors.ts";
import type { Simulation } from "./simulate.ts";
import { UsageError } from "./usage.ts";

const DEFAULT_FPS = 5;
/** Ms between two lines of progress. */
const TELL_EVERY = 1000;

/**
 * `--out`: frames, sound, right answers and a video of a scenario from its beginning, or of the cell from
 * the epoch on: the same options give the same bytes. Resolves to the exit code.
 */
export async function writeFiles(simulation: Simulation, folder: string): Promise<number> {
  const { fps = DEFAULT_FPS, wished, length: own } = simulation;
  const length = wished ?? own;
  makeFolder(folder);
  const script = simulation.script(0);
  const frames = await writeFrames(script, simulation.size, { folder, fps, length });
  writeSound(script, folder, length);
  writeTruth(script, folder, { fps, length, frames });
  const video = await writeVideo(folder, fps);
  process.stdout.write(
    `${folder}: ${frames} pictures in frames/, sound.wav, truth.jsonl${video ? ", video.mp4" : ""}\n`,
  );
  if (!video) process.stderr.write("no video.mp4: there is no ffmpeg on the PATH\n");
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

interface Extent {
  readonly folder: string;
  readonly fps: number;
  /** Ms. */
  readonly length: number;
}

/** Ms of a picture, by its number from 0. */
const timeOf = (frame: number, fps: number) => Math.round((frame * 1000) / fps);

async function writeFrames(
  script: Script,
  size: Simulation["size"],
  { folder, fps, length }: Extent,
): Promise<number> {
  const camera = new CellCamera(script, size);
  const count = Math.ceil((length / 1000) * fps);
  const began = performance.now();
  let told = began;
  for (let frame = 0; frame < count; frame += 1) {
    const jpeg = encodeJpeg(camera.picture(timeOf(frame, fps)));
    writeFileSync(join(folder, "frames", `${String(frame + 1).padStart(6, "0")}.jpg`), jpeg);
    if (performance.now() - told > TELL_EVERY) {
      told = performance.now();
      tell(timeOf(frame + 1, fps), length, told - began);
    }
    // The canvas gives its memory back only between turns of the event loop.
    if (frame % 20 === 19) await new Promise(setImmediate);
  }
  tell(length, length, performance.now() - began);
  process.stderr.write("\n");
  return count;
}

function tell(at: number, length: number, spent: number): void {
  const share = Math.floor((100 * at) / length);
  process.stderr.write(`\r${share} %, ${Math.round(at / Math.max(1, spent))} times as fast as it happens `);
}

function writeSound(script: Script, folder: string, length: number): void {
  const soundtrack = new Soundtrack(script);
  const chunks = Math.ceil(length / CHUNK);
  const file = openSync(join(folder, "sound.wav"), "w");
  writeSync(file, wavHeader(chunks * CHUNK_SAMPLES * Int16Array.BYTES_PER_ELEMENT));
  for (let index = 0; index < chunks; index += 1) {
    const { buffer, byteOffset, byteLength } = soundtrack.chunk(index);
    writeSync(file, new Uint8Array(buffer, byteOffset, byteLength));
  }
  closeSync(file);
}

/** A line for each picture, then one for each sound: what a perfect viewer and listener would say. */
function writeTruth(
  script: Script,
  folder: string,
  { fps, length, frames }: Omit<Extent, "folder"> & { readonly frames: number },
): void {
  const pictures = Array.from({ length: frames }, (_, frame) => {
    const at = timeOf(frame, fps);
    const file = `frames/${String(frame + 1).padStart(6, "0")}.jpg`;
    return { at, file, truth: frameTruth(script.sceneAt(at), at) };
  });
  const sounds = script
    .soundsBetween(0, length)
    .map(({ from, to, what }) => ({ from, to, truth: soundTruth(heardOf(what)) }));
  const lines = [...pictures, ...sounds].map((line) => `${JSON.stringify(line)}\n`);
  writeFileSync(join(folder, "truth.jsonl"), lines.join(""));
}

/** False where there is no ffmpeg. */
async function writeVideo(folder: string, fps: number): Promise<boolean> {
  const input = ["-framerate", String(fps), "-i", "frames/%06d.jpg", "-i", "sound.wav"];
  // H.264 takes whole pairs of pixels only.
  const coding = [
    "-c:v",
    "libx264",
    "-vf",
    "pad=ceil(iw/2)*2:ceil(ih/2)*2",
    "-pix_fmt",
    "yuv420p",
    "-c:a",
    "aac",
  ];
  try {
    await promisify(execFile)("ffmpeg", ["-v", "error", "-nostdin", ...input, ...coding, "video.mp4"], {
      cwd: folder,
    });
    return true;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false;
    throw new UsageError(`${join(folder, "video.mp4")}: ffmpeg could not write it: ${messageOf(error)}`);
  }
}
