import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CellCamera } from "../../device/simulator/camera/camera.ts";
import { frameTruth } from "../../device/simulator/course/seen.ts";
import { Timeline } from "../../device/simulator/course/timeline.ts";
import type { SoundSegment } from "../../device/simulator/script.ts";
import { DEFAULT_SIZE } from "../../device/simulator/sim-source.ts";
import { Soundtrack } from "../../device/simulator/sound/sound.ts";
import type { Truth } from "../../service/contract/media.ts";
import { wavOf } from "../../service/inference/media-check.ts";

const FPS = 5;
const timeline = new Timeline(7);

/** An H.264 file of the simulated cell, 5 frames a second, and what each of its frames shows. */
export function cellVideo(seconds: number): { file: string; truth: Truth[] } {
  const file = join(mkdtempSync(join(tmpdir(), "perch-video-")), "cell.mp4");
  const { width, height } = DEFAULT_SIZE;
  const camera = new CellCamera(timeline, DEFAULT_SIZE);
  const times = Array.from({ length: seconds * FPS }, (_, frame) => (frame * 1000) / FPS);
  const raw = Buffer.concat(times.map((at) => Buffer.from(camera.picture(at).rgba)));
  const input = ["-f", "rawvideo", "-pix_fmt", "rgba", "-s", `${width}x${height}`, "-r", String(FPS)];
  const output = ["-c:v", "libx264", "-crf", "16", "-pix_fmt", "yuv420p", file];
  execFileSync("ffmpeg", ["-v", "error", ...input, "-i", "pipe:0", ...output], { input: raw });
  return { file, truth: times.map((at) => frameTruth(timeline.sceneAt(at), at)) };
}

/** A WAV file of the simulated cell's sound, and the sounds that are heard in it. */
export function cellSound(seconds: number): { file: string; heard: SoundSegment[] } {
  const file = join(mkdtempSync(join(tmpdir(), "perch-sound-")), "cell.wav");
  writeFileSync(file, wavOf(new Soundtrack(timeline).between(0, seconds * 1000)));
  return { file, heard: timeline.soundsBetween(0, seconds * 1000) };
}
