import { spawn } from "node:child_process";
import { PerchError, systemCode } from "../kernel/errors.ts";

interface Options {
  /** What is decoded, for the error: "picture". */
  readonly what: string;
  /** Ms after which it is given up. Default 10 s. */
  readonly timeout?: number;
  /** Most bytes that come out. Default 20 MB. */
  readonly most?: number;
}

const STDERR = 4000;

/**
 * Runs ffmpeg once: bytes in on pipe:0, bytes out on pipe:1, no files and no network (a playlist that
 * names others finds nothing). Rejects with MEDIA_INVALID where it cannot decode or takes too long,
 * SETUP_MISSING where there is no ffmpeg.
 */
export function runFfmpeg(args: readonly string[], input: Buffer, options: Options): Promise<Buffer> {
  const { what, timeout = 10_000, most = 20e6 } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(
      "ffmpeg",
      [
        ...["-hide_banner", "-loglevel", "error", "-protocol_whitelist", "pipe"],
        ...["-threads", "1"],
        ...args,
      ],
      { stdio: ["pipe", "pipe", "pipe"] },
    );
    const pieces: Buffer[] = [];
    let size = 0;
    let complaint = "";
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, timeout);
    child.stdout.on("data", (piece: Buffer) => {
      size += piece.length;
      if (size > most) child.kill("SIGKILL");
      else pieces.push(piece);
    });
    child.stderr.setEncoding("utf8");
    child.stderr.on("data", (text: string) => {
      complaint = (complaint + text).slice(-STDERR);
    });
    // It may end before it has read everything, which is no fault of its own: its exit says what is.
    child.stdin.on("error", (error) => {
      complaint ||= error.message;
    });
    child.stdin.end(input);
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(
        systemCode(error) === "ENOENT"
          ? new PerchError("SETUP_MISSING", "ffmpeg is not installed: run npm run setup", error)
          : new PerchError("PROCESS_FAILED", `ffmpeg could not be started: ${error.message}`, error),
      );
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      if (code === 0 && size > 0) return resolve(Buffer.concat(pieces));
      const last = complaint.trim().split("\n").at(-1)?.trim();
      const why = late ? `it took longer than ${timeout / 1000} s` : last || "nothing came out";
      reject(new PerchError("MEDIA_INVALID", `the ${what} cannot be decoded: ${why}`));
    });
  });
}
