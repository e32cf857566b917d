import { execFileSync } from "node:child_process";
import { wavOf } from "../../service/inference/media-check.ts";

/** What ffmpeg makes of a lavfi source. */
export function ffmpeg(...args: string[]): Buffer {
  return execFileSync("ffmpeg", ["-v", "error", ...args, "pipe:1"], { maxBuffer: 64e6 });
}

/** A square test picture, different for each seed. */
export const picture = (seed = 0, edge = 240): Buffer =>
  ffmpeg(
    "-f",
    "lavfi",
    "-i",
    `testsrc=s=${edge}x${edge},hue=h=${seed * 37}`,
    "-frames:v",
    "1",
    "-f",
    "mjpeg",
  );

/** A tone of 16 kHz mono. */
export function tone(hertz: number, seconds: number): Buffer {
  const samples = Int16Array.from({ length: Math.round(seconds * 16_000) }, (_, index) =>
    Math.round(8000 * Math.sin((2 * Math.PI * hertz * index) / 16_000)),
  );
  return wavOf(samples);
}
