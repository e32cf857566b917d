import { spawn } from "node:child_process";

const KEPT_LINES = 25;
const running = new Set();

/** What set-up could not do, with what the person at the keyboard can do about it. */
export class SetupError extends Error {
  constructor(message, { output = [], advice } = {}) {
    super(message);
    this.output = output;
    this.advice = advice;
  }
}

/**
 * Runs one command to its end. `onLine` sees every line of its output; the last lines go into the error
 * where it fails.
 */
export function run(command, args, { cwd, env, onLine = () => undefined, advice } = {}) {
  return new Promise((resolve, reject) => {
    const tail = [];
    const keep = (line) => {
      if (line.trim() === "") return;
      tail.push(line);
      if (tail.length > KEPT_LINES) tail.shift();
      onLine(line);
    };
    // A group of its own, so that ending it ends the compilers below it too.
    const child = spawn(command, args, {
      cwd,
      detached: true,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.add(child);
    for (const stream of [child.stdout, child.stderr]) splitLines(stream, keep);
    child.on("error", (error) => {
      running.delete(child);
      reject(new SetupError(`${command} could not be started: ${error.message}`, { advice }));
    });
    child.on("close", (code, signal) => {
      running.delete(child);
      if (code === 0) resolve(tail);
      else reject(new SetupError(`${said(command, args)} ${ended(code, signal)}`, { output: tail, advice }));
    });
  });
}

/** Ends every command that still runs, and what those started. */
export function endCommands() {
  for (const child of running) {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch (error) {
      // ESRCH: it ended by itself meanwhile.
      if (error.code !== "ESRCH") throw error;
    }
  }
}

function splitLines(stream, keep) {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (text) => {
    const lines = (rest + text).split(/\r?\n|\r/);
    rest = lines.pop() ?? "";
    for (const line of lines) keep(line);
  });
  stream.on("end", () => keep(rest));
}

const said = (command, args) => [command, ...args].join(" ").slice(0, 160);
const ended = (code, signal) => (signal ? `was ended by ${signal}` : `failed with exit code ${code}`);
