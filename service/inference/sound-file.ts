import { type ChildProcess, spawn } from "node:child_process";
import { SAMPLE_RATE } from "../contract/media.ts";
import { PerchError, systemCode } from "../kernel/errors.ts";
import { SOUND_FORMATS } from "./media-check.ts";

/** Ms that ffmpeg may think about the next piece. */
const STALL = 30_000;
const STDERR = 4_000;
/** A file may name no others, and nothing else is opened. */
const INPUT = ["-protocol_whitelist", "file", "-format_whitelist", SOUND_FORMATS];

interface Options {
  /** Seconds that are taken. */
  readonly longest: number;
  readonly signal: AbortSignal;
}

/**
 * The sound of a file, decoded as fast as it is taken, in pieces of some KB: 16 kHz, mono. Throws MEDIA_INVALID
 * (it cannot be decoded), MEDIA_TOO_LARGE (it is longer than is taken), CANCELLED (the signal aborted),
 * SETUP_MISSING. The child is gone when the generator is over, however it ends.
 */
export async function* soundOf(path: string, { longest, signal }: Options): AsyncGenerator<Int16Array> {
  const told = await lengthOf(path, signal);
  if (told !== undefined && told > longest) throw tooLong(longest);
  const child = spawn(
    "ffmpeg",
    [
      ...["-hide_banner", "-nostdin", "-loglevel", "error", "-threads", "1"],
      ...[...INPUT, "-i", `file:${path}`, "-vn", "-sn", "-dn", "-map", "0:a:0", "-t", String(longest + 1)],
      ...["-ac", "1", "-ar", String(SAMPLE_RATE), "-f", "s16le", "pipe:1"],
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  const run = watched(child, signal);
  let count = 0;
  try {
    for await (const piece of samplesOf(child, run)) {
      count += piece.length;
      if (count > longest * SAMPLE_RATE) throw tooLong(longest);
      yield piece;
    }
    await run.over(path, count > 0);
  } finally {
    run.end();
  }
}

/** What a file says of its length in seconds, if anything. Rejects with SETUP_MISSING and CANCELLED only. */
async function lengthOf(path: string, signal: AbortSignal): Promise<number | undefined> {
  const fields = ["-show_entries", "format=duration", "-of", "csv=p=0"];
  const child = spawn("ffprobe", ["-v", "error", ...INPUT, ...fields, `file:${path}`], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const run = watched(child, signal);
  let text = "";
  child.stdout.on("data", (piece: Buffer) => {
    text = (text + piece.toString("latin1")).slice(0, 100);
  });
  await run.closed;
  run.end();
  run.throwIfNotRun();
  const seconds = Number.parseFloat(text);
  return Number.isFinite(seconds) ? seconds : undefined;
}

interface Run {
  readonly closed: Promise<number | null>;
  /** Gives it up where the next piece takes too long. */
  waits(): void;
  goesOn(): void;
  throwIfNotRun(): void;
  /** Throws what it ended with where that is no success. */
  over(path: string, some: boolean): Promise<void>;
  /** It is over, or is ended now. */
  end(): void;
}

function watched(child: ChildProcess, signal: AbortSignal): Run {
  let complaint = "";
  let failed: Error | undefined;
  let late = false;
  const kill = () => child.kill("SIGKILL");
  const give = () => {
    late = true;
    kill();
  };
  let timer = setTimeout(give, STALL);
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(-STDERR);
  });
  child.once("error", (error) => {
    failed = error;
  });
  if (signal.aborted) kill();
  signal.addEventListener("abort", kill, { once: true });
  const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
  const throwIfNotRun = () => {
    if (signal.aborted) throw new PerchError("CANCELLED", "the client has gone");
    if (failed && systemCode(failed) === "ENOENT")
      throw new PerchError("SETUP_MISSING", "ffmpeg is not installed: run npm run setup", failed);
    if (failed) throw new PerchError("PROCESS_FAILED", `ffmpeg could not be started: ${failed.message}`);
  };
  return {
    closed,
    waits: () => {
      clearTimeout(timer);
      timer = setTimeout(give, STALL);
    },
    goesOn: () => clearTimeout(timer),
    throwIfNotRun,
    over: async (path, some) => {
      const code = await closed;
      throwIfNotRun();
      if (code === 0 && some) return;
      const last = complaint.trim().split("\n").at(-1)?.replaceAll(`file:${path}`, "it").trim();
      const why = late ? "it takes too long" : last || "nothing came out";
      throw new PerchError("MEDIA_INVALID", `the sound file cannot be decoded: ${why}`);
    },
    end: () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", kill);
      kill();
    },
  };
}

/** Pieces whose samples are whole. */
async function* samplesOf({ stdout }: ChildProcess, run: Run): AsyncGenerator<Int16Array> {
  let rest = Buffer.alloc(0);
  for await (const piece of stdout ?? []) {
    run.goesOn();
    const bytes = Buffer.concat([rest, piece as Buffer]);
    const whole = bytes.length & ~1;
    rest = bytes.subarray(whole);
    // A copy, because samples must begin at an even address.
    if (whole > 0) yield new Int16Array(new Uint8Array(bytes.subarray(0, whole)).buffer);
    run.waits();
  }
}

const tooLong = (longest: number): PerchError =>
  new PerchError("MEDIA_TOO_LARGE", `the sound is longer than ${longest / 60} min; cut it`);
