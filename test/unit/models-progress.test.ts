import { describe, expect, it } from "vitest";
import { FileProgress, progressText } from "../../service/cli/models-progress.ts";
import { bytesText } from "../../service/contract/units.ts";
import type { LadderFile } from "../../service/inference/model-files.ts";

const GB = 1e9;
const file: LadderFile = { file: "a.gguf", bytes: 7 * GB, sha256: "", role: "text", levels: ["q4_0"] };

function progressOn(screen: { isTTY: boolean; columns?: number }) {
  const written: string[] = [];
  const clock = { now: 0 };
  const out = { ...screen, write: (text: string) => written.push(text) };
  return { written, clock, progress: new FileProgress(out, () => clock.now) };
}

describe("the progress of a file", () => {
  it("tells percent, speed and the time that is left", () => {
    expect(progressText("a.gguf", 7 * GB, 0.84 * GB, 45.1e6)).toBe(
      "a.gguf  12 %  840.0 MB of 7.0 GB  45.1 MB/s  3 min left",
    );
    expect(progressText("a.gguf", 7 * GB, 0, 1e5)).toBe("a.gguf  0 %  0 kB of 7.0 GB  100 kB/s  19.4 h left");
    expect(progressText("a.gguf", 7 * GB, 6.999 * GB, 45e6)).toMatch(/ {2}99 % .* 1 s left$/);
    expect(progressText("a.gguf", 7 * GB, 7 * GB, 0)).toBe("a.gguf  100 %  7.0 GB of 7.0 GB");
    expect([bytesText(1), bytesText(175_115_616)]).toEqual(["1 kB", "175.1 MB"]);
  });

  it("is one line in its place on a terminal, never wider than that", () => {
    const { written, clock, progress } = progressOn({ isTTY: true, columns: 30 });
    for (const at of [0, 100, 200, 250, 400]) {
      clock.now = at;
      progress.progress(file, at * 1e6);
    }
    progress.note("the connection broke");
    progress.progress(file, 7 * GB);
    expect(written).toEqual([
      "\r\u001b[Ka.gguf  2 %  200.0 MB of 7.0 ",
      "\r\u001b[Ka.gguf  5 %  400.0 MB of 7.0 ",
      "\r\u001b[K",
      "the connection broke\n",
      "\r\u001b[Ka.gguf  100 %  7.0 GB of 7.0 \n",
    ]);
  });

  it("is a line every 10 s elsewhere, with the speed of the last ones", () => {
    const { written, clock, progress } = progressOn({ isTTY: false });
    // Begun from 3 GB that were there; 10 MB a second.
    for (let second = 0; second <= 25; second += 1) {
      clock.now = second * 1000;
      progress.progress(file, 3 * GB + second * 1e7);
    }
    expect(written).toEqual([
      "a.gguf  44 %  3.1 GB of 7.0 GB  10.0 MB/s  7 min left\n",
      "a.gguf  45 %  3.2 GB of 7.0 GB  10.0 MB/s  7 min left\n",
    ]);
  });
});
