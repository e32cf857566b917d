/**
 * One camera or microphone of the simulated cell, as a process of its own: `cell.ts camera SOURCE BEGIN FPS`
 * or `cell.ts microphone SOURCE BEGIN`; a scenario begins at BEGIN, epoch ms. Writes frames or sound on
 * standard output in real time (protocol.ts) until it is killed or nobody reads any more.
 */
import { messageOf, systemCode } from "../../service/kernel/errors.ts";
import { encode, type Message } from "./protocol.ts";
import type { Script } from "./script.ts";
import { scriptOf } from "./sim-script.ts";
import { parseSimSource, type SimSource } from "./sim-source.ts";

/** Ms of sound that is sent late; what is older is left out. */
const LONGEST_HOLD_UP = 10_000;

process.stdout.on("error", (error) => {
  if (systemCode(error) !== "EPIPE") console.error(error.message);
  process.exit(systemCode(error) === "EPIPE" ? 0 : 1);
});

const [, , kind, text = "", begin, fps] = process.argv;
const source = orEnd(() => parseSimSource(text));
const script = orEnd(() => scriptOf(source, Number(begin)));
if (kind === "camera") await runCamera(script, source, 1000 / Number(fps));
else if (kind === "microphone") await runMicrophone(script);
else end(`"${kind}" is neither camera nor microphone`);

/** What is wrong with a source or scenario is told in a line: the feed shows the last one. */
function orEnd<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    return end(messageOf(error));
  }
}

function end(reason: string): never {
  console.error(`cell: ${reason}`);
  process.exit(2);
}

/** A frame at every whole multiple of `period` ms; those that come too late are left out. */
async function runCamera(script: Script, { size }: SimSource, period: number): Promise<void> {
  const { CellCamera, encodeJpeg, lumaOf } = await import("./camera/camera.ts");
  const { frameTruth } = await import("./course/seen.ts");
  const camera = new CellCamera(script, size);
  everyPeriod(period, (count) => {
    const at = Math.round(count * period);
    const picture = camera.picture(at);
    const truth = frameTruth(script.sceneAt(at), at);
    write({ kind: "frame", at, truth, luma: lumaOf(picture), jpeg: encodeJpeg(picture) });
  });
}

/** Every chunk as it ends; after a hold-up at most the last ten seconds. */
async function runMicrophone(script: Script): Promise<void> {
  const { CHUNK, Soundtrack } = await import("./sound/sound.ts");
  const soundtrack = new Soundtrack(script);
  let next = Math.floor(Date.now() / CHUNK);
  everyPeriod(CHUNK, (count) => {
    // Where the wall clock was set back, it goes on from there.
    next = Math.min(count, Math.max(next, count - LONGEST_HOLD_UP / CHUNK));
    for (; next < count; next += 1)
      write({ kind: "sound", at: next * CHUNK, samples: soundtrack.chunk(next) });
  });
}

/**
 * Calls back just after each whole multiple of `period` ms since the epoch, with its number; not while the
 * reader is behind, so that nothing piles up here.
 */
function everyPeriod(period: number, callback: (count: number) => void): void {
  const wait = (next: number) => {
    setTimeout(
      () => {
        const count = Math.floor(Date.now() / period);
        // A timer may fire a moment early, and then this period has not come yet; or the clock was set back.
        const due = count >= next || count < next - 1;
        if (due && !process.stdout.writableNeedDrain) callback(count);
        wait(Math.floor(Date.now() / period) + 1);
      },
      Math.max(1, next * period - Date.now()),
    );
  };
  wait(Math.floor(Date.now() / period) + 1);
}

function write(message: Message): void {
  process.stdout.write(encode(message));
}
