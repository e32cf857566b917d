import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CELL_FEEDS, PerchProcess, SCENE_WATCH, SOUND_WATCH } from "../support/perch.ts";
import type { Figure } from "./figure.ts";

const OWN_GOAL = 10;
const MEMORY_GOAL = 160;
const CPU_GOAL = 1.25;
const RUN = "60s";
/** Length of the video, s, and cameras that play it beside the first one. */
const VIDEO = 60;
const MORE_CAMERAS = 4;
/** Clock ticks a second of /proc/PID/stat on Linux. */
const TICKS = 100;

/** Perch's own time an observation, and the memory of its process. The built service is measured from outside. */
export async function serviceFigures(): Promise<Figure[]> {
  const feeds = CELL_FEEDS.map((feed) =>
    feed.kind === "camera" ? { ...feed, fps: 10, gate: { kind: "interval", interval: "100ms" } } : feed,
  );
  const perch = new PerchProcess({ feeds, watches: [SCENE_WATCH, SOUND_WATCH] });
  try {
    perch.start("--for", RUN, "--report", "out.json");
    const resident: number[] = [];
    const watching = setInterval(() => resident.push(residentOf(perch.pid)), 1000);
    await perch.ended();
    clearInterval(watching);
    const { latency, observations } = perch.report("out.json");
    // The sum of the two 99th percentiles is no less than that of the whole way.
    const [own, handed] = [latency.own, latency.commit_to_publish];
    const p99 = (own?.p99 ?? Number.NaN) + (handed?.p99 ?? Number.NaN);
    const p50 = (own?.p50 ?? Number.NaN) + (handed?.p50 ?? Number.NaN);
    const peak = Math.max(...resident);
    return [
      {
        name: `own time an observation, p99 of ${observations}`,
        value: p99,
        unit: "ms, at most",
        goal: OWN_GOAL,
        ok: p99 <= OWN_GOAL,
      },
      { name: "own time an observation, p50", value: p50, unit: "ms", goal: null, ok: true },
      {
        name: "resident, one camera and one microphone, peak",
        value: peak,
        unit: "MB, at most",
        goal: MEMORY_GOAL,
        ok: peak <= MEMORY_GOAL,
      },
    ];
  } finally {
    await perch.dispose();
  }
}

/** CPU time that a further 720p camera at 5 frames a second costs, against ffmpeg alone decoding the same file. */
export async function cameraFigures(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), "perch-bench-camera-"));
  try {
    const video = join(folder, "yard.mp4");
    makeYard(video);
    const before = childSeconds();
    execFileSync("ffmpeg", ["-v", "error", "-i", video, "-f", "null", "-"]);
    const bare = childSeconds() - before;
    const one = await secondsWith(1, video);
    const more = await secondsWith(1 + MORE_CAMERAS, video);
    const camera = (more - one) / MORE_CAMERAS;
    const ratio = camera / bare;
    return [
      { name: "a further camera", value: camera, unit: `CPU s a ${VIDEO} s`, goal: null, ok: true },
      { name: "ffmpeg to null", value: bare, unit: `CPU s a ${VIDEO} s`, goal: null, ok: true },
      {
        name: "a further camera against ffmpeg to null",
        value: ratio,
        unit: "ratio, at most",
        goal: CPU_GOAL,
        ok: ratio <= CPU_GOAL,
      },
    ];
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A yard as a surveillance camera sees it: detail that stands still, sensor noise, something that moves through. */
function makeYard(file: string): void {
  const scene = `mandelbrot=s=1280x720:r=5:end_pts=100000,trim=end_frame=1,loop=-1:1,setpts=N/5/TB`;
  const noise = "noise=alls=6:allf=t";
  const mover = `color=c=gray:s=120x240:r=5[m];[v][m]overlay=x='mod(t*90\\,1400)-120':y=300:shortest=1`;
  execFileSync("ffmpeg", [
    "-v",
    "error",
    "-filter_complex",
    `${scene},${noise}[v];${mover}[o]`,
    "-map",
    "[o]",
    "-t",
    String(VIDEO),
    "-r",
    "5",
    "-c:v",
    "libx264",
    "-preset",
    "veryfast",
    "-crf",
    "23",
    "-g",
    "50",
    "-pix_fmt",
    "yuv420p",
    file,
  ]);
}

/** CPU seconds of the service and all its children while so many cameras play the whole file at its own pace. */
async function secondsWith(cameras: number, video: string): Promise<number> {
  const feeds = Array.from({ length: cameras }, (_, index) => ({
    id: `camera-${index}`,
    kind: "camera",
    source: `file:${video}`,
    gate: { kind: "motion", interval: "1s", heartbeat: "0s" },
  }));
  const perch = new PerchProcess({ feeds, watches: [] });
  const before = childSeconds();
  try {
    perch.start("--for", `${VIDEO + 5}s`);
    await perch.ended();
    return childSeconds() - before;
  } finally {
    await perch.dispose();
  }
}

/** CPU seconds of all ended children of this process and of theirs. Source: proc(5), stat, cutime and cstime. */
function childSeconds(): number {
  const stat = readFileSync("/proc/self/stat", "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[13]) + Number(fields[14])) / TICKS;
}

/** Megabytes of a process in memory. */
function residentOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1000;
}
