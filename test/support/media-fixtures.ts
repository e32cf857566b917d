import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A folder of media made by ffmpeg for a test, gone when the test says so. */
export class MediaFolder {
  private constructor(readonly path: string) {}

  static async create(): Promise<MediaFolder> {
    return new MediaFolder(await mkdtemp(join(tmpdir(), "perch-media-")));
  }

  remove(): Promise<void> {
    return rm(this.path, { recursive: true, force: true });
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** A video whose grey rises by one step of `step` with every frame, from 16 on. */
  async risingVideo(
    name: string,
    frames: number,
    options: { fps: number; size: string; step?: number },
  ): Promise<string> {
    const grey = `lum='16+${options.step ?? 4}*N':cb=128:cr=128`;
    await this.make(
      ["-f", "lavfi", "-i", `color=black:size=${options.size}:rate=${options.fps},geq=${grey}`],
      [
        "-frames:v",
        String(frames),
        "-c:v",
        "libx264",
        "-qp",
        "1",
        "-preset",
        "ultrafast",
        "-pix_fmt",
        "yuv420p",
      ],
      name,
    );
    return this.file(name);
  }

  /** A tone of 440 Hz. */
  async tone(name: string, seconds: number, rate = 16_000): Promise<string> {
    const end = Math.round(seconds * rate);
    await this.make(
      ["-f", "lavfi", "-i", `sine=frequency=440:sample_rate=${rate}`],
      ["-af", `atrim=end_sample=${end}`],
      name,
    );
    return this.file(name);
  }

  /** One picture of a plain grey, 0 to 255; the name's end says what kind. */
  async picture(name: string, grey: number, size = "320x180"): Promise<Buffer> {
    const colour = `0x${grey.toString(16).padStart(2, "0").repeat(3)}`;
    await this.make(
      ["-f", "lavfi", "-i", `color=${colour}:size=${size}`],
      ["-frames:v", "1", "-q:v", "2"],
      name,
    );
    return readFile(this.file(name));
  }

  private async make(input: string[], output: string[], name: string): Promise<void> {
    await run("ffmpeg", [
      "-hide_banner",
      "-loglevel",
      "error",
      "-nostdin",
      "-y",
      ...input,
      ...output,
      this.file(name),
    ]);
  }
}
