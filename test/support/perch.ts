import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { RunReport } from "../../service/report.ts";

const MAIN = join(import.meta.dirname, "../../dist/service/main.js");

export const SCENE_WATCH = {
  id: "scene",
  question: "Describe the image.",
  feeds: ["camera"],
  answer: {
    person: { type: "boolean" },
    light: { type: "enum", values: ["off", "green", "amber", "red"] },
    display: { type: "integer", minimum: 0, maximum: 99 },
  },
  rules: [
    { id: "person-present", when: "person" },
    { id: "light-red", when: 'light == "red"', severity: "alarm" },
  ],
};
export const SOUND_WATCH = {
  id: "sound",
  question: "Describe the sound.",
  feeds: ["microphone"],
  answer: {
    sound: { type: "enum", values: ["silence", "noise", "alarm", "speech"] },
    words: { type: "string", maxLength: 16 },
  },
  rules: [{ id: "alarm-sounds", when: 'sound == "alarm"', severity: "alarm" }],
};
export const CELL_FEEDS = [
  {
    id: "camera",
    kind: "camera",
    source: "sim:cell?seed=7",
    gate: { kind: "motion", interval: "300ms", heartbeat: "2s" },
  },
  {
    id: "microphone",
    kind: "microphone",
    source: "sim:cell?seed=7",
    gate: { kind: "sound", heartbeat: "5s" },
  },
];

/** The built service as a child process, with everything of its own in a temporary folder. */
export class PerchProcess {
  private child: ChildProcess | undefined;
  readonly folder = mkdtempSync(join(tmpdir(), "perch-e2e-"));
  /** Lines of standard error and output of all lives. */
  readonly log: string[] = [];

  /** `under`: a command that runs it, with its own arguments. */
  constructor(
    private config: Record<string, unknown>,
    private readonly under: readonly string[] = [],
  ) {}

  get data(): string {
    return join(this.folder, "data");
  }

  get database(): string {
    return join(this.data, "perch.db");
  }

  get pid(): number {
    return this.child?.pid ?? 0;
  }

  configure(config: Record<string, unknown>): void {
    this.config = config;
  }

  /** Starts it; more arguments follow `run --config F`. */
  start(...args: string[]): void {
    if (!existsSync(MAIN)) throw new Error("the service is not built: npm run build");
    const file = join(this.folder, "perch.json");
    const whole = {
      node: "cell",
      data: this.data,
      http: { port: 0 },
      mqtt: { broker: { kind: "embedded", port: 0 } },
      ...this.config,
    };
    writeFileSync(file, JSON.stringify(whole));
    const line = [...this.under, process.execPath, MAIN, "run", "--config", file, ...args];
    const [command = "", ...words] = line;
    const child = spawn(command, words, {
      cwd: this.folder,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child = child;
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on("line", (line) => this.log.push(line));
  }

  /** Ends it with a signal and resolves to its exit code (null where a signal killed it). */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    const { child } = this;
    if (!child) return null;
    const code =
      child.exitCode !== null || child.signalCode !== null
        ? child.exitCode
        : await exitOf(child, () => child.kill(signal));
    this.child = undefined;
    return code;
  }

  /** Resolves to the exit code once it ends by itself. */
  async ended(): Promise<number | null> {
    const { child } = this;
    if (!child || child.exitCode !== null) return child?.exitCode ?? null;
    return exitOf(child, () => undefined);
  }

  /** The answer of /health/ready. */
  async health(): Promise<{ status: string; parts: Record<string, { state: string; reason?: string }> }> {
    const [, url] = /health +(http[^\s"]+)/.exec(this.log.join("\n")) ?? [];
    if (url === undefined) throw new Error("the service has not said where its health is");
    return (await fetch(url)).json() as Promise<Awaited<ReturnType<PerchProcess["health"]>>>;
  }

  report(name: string): RunReport {
    return JSON.parse(readFileSync(join(this.folder, name), "utf8")) as RunReport;
  }

  /** Process ids of its children whose command line holds a text. */
  children(text: string): number[] {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => parentOf(pid) === this.pid && commandLine(pid).includes(text));
  }

  async dispose(): Promise<void> {
    await this.end("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function exitOf(child: ChildProcess, then: () => void): Promise<number | null> {
  const exited = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
  then();
  return exited;
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)/m.exec(readProc(pid, "status"))?.[1]);
}

export function commandLine(pid: number): string {
  return readProc(pid, "cmdline").replaceAll("\0", " ");
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    // It ended between the listing and the look.
    return "";
  }
}
