import { CellCamera, encodeJpeg, lumaOf } from "../../device/simulator/camera/camera.ts";
import { Timeline } from "../../device/simulator/course/timeline.ts";
import { CHUNK, Soundtrack } from "../../device/simulator/sound/sound.ts";
import type { Figure } from "./figure.ts";

/** Ms of the cell that are rendered, after a start that is not counted. */
const SPAN = 120_000;
const START = 10_000;
const FPS = 5;
const GOAL = 10;
const MOST_MEMORY = 250;
const SIZES = [
  { width: 240, height: 240 },
  { width: 336, height: 192 },
  { width: 1280, height: 720 },
];

/** How many times faster than real time a camera and a microphone are rendered in one thread, JPEG and luma included. */
export async function simulatorFigures(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const size of SIZES) {
    const timeline = new Timeline(7);
    const camera = new CellCamera(timeline, size);
    const soundtrack = new Soundtrack(timeline);
    await render(camera, soundtrack, 0, START);
    const began = process.cpuUsage();
    await render(camera, soundtrack, START, START + SPAN);
    // Processor time, so that a busy neighbour does not count.
    const { user, system } = process.cpuUsage(began);
    const ratio = SPAN / ((user + system) / 1000);
    const small = size.height < 720;
    figures.push({
      name: `${size.width}x${size.height}, ${FPS} a second, and sound: times real time`,
      value: ratio,
      unit: "x",
      goal: small ? GOAL : null,
      ok: !small || ratio >= GOAL,
    });
  }
  const memory = process.memoryUsage.rss() / 2 ** 20;
  figures.push({
    name: "resident",
    value: memory,
    unit: "MiB",
    goal: MOST_MEMORY,
    ok: memory <= MOST_MEMORY,
  });
  return figures;
}

async function render(camera: CellCamera, soundtrack: Soundtrack, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += 1000 / FPS) {
    const picture = camera.picture(at);
    encodeJpeg(picture);
    lumaOf(picture);
    for (let chunk = at / CHUNK; chunk < (at + 1000 / FPS) / CHUNK; chunk += 1) soundtrack.chunk(chunk);
    // The canvas gives its memory back between turns of the event loop, as it does in a cell's process.
    await new Promise(setImmediate);
  }
}
