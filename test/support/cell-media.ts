import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Camera, SIZE } from "../../device/simulator/scene.ts";
import { CHUNK, Soundtrack } from "../../device/simulator/sound.ts";
import { Timeline } from "../../device/simulator/timeline.ts";
import { wavOf } from "../../service/inference/media-check.ts";

const FPS = 5;
const timeline = new Timeline(7);

/** An H.264 file of the simulated cell, 5 frames a second, and what each of its frames shows. */
export function cellVideo(seconds: number): { file: string; truth: ReturnType<typeof truthAt>[] } {
  const file = join(mkdtempSync(join(tmpdir(), "perch-video-")), "cell.mp4");
  const camera = new Camera(timeline);
  const times = Array.from({ length: seconds * FPS }, (_, frame) => (frame * 1000) / FPS);
  const raw = Buffer.concat(times.map((at) => camera.picture(at)));
  const input = [
    "-f",
    "rawvideo",
    "-pix_fmt",
    "rgb24",
    "-s",
    `${SIZE}x${SIZE}`,
    "-r",
    String(FPS),
    "-i",
    "pipe:0",
  ];
  execFileSync(
    "ffmpeg",
    ["-v", "error", ...input, "-c:v", "libx264", "-crf", "16", "-pix_fmt", "yuv420p", file],
    { input: raw },
  );
  return { file, truth: times.map(truthAt) };
}

const truthAt = (at: number) => timeline.sceneAt(at).truth;

/** A WAV file of the simulated cell's sound, and the sounds that are heard in it. */
export function cellSound(seconds: number): { file: string; heard: ReturnType<Timeline["soundsBetween"]> } {
  const file = join(mkdtempSync(join(tmpdir(), "perch-sound-")), "cell.wav");
  const track = new Soundtrack(timeline);
  const samples = new Int16Array(seconds * 1000 * 16);
  for (let at = 0; at < seconds * 1000; at += CHUNK) samples.set(track.chunk(at / CHUNK), at * 16);
  writeFileSync(file, wavOf(samples));
  return { file, heard: timeline.soundsBetween(0, seconds * 1000) };
}
