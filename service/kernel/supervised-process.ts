import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { Backoff } from "./backoff.ts";
import { type Clock, sleep } from "./clock.ts";
import { messageOf, PerchError, systemCode } from "./errors.ts";
import type { Logger } from "./logger.ts";

const SETPRIV = ["/usr/bin/setpriv", "/bin/setpriv"].find((path) => existsSync(path));
const STDERR_LINES = 40;
const LINE_LENGTH = 500;
/** Ms from SIGTERM to SIGKILL. */
const GRACE = 3000;

export interface ChildSpec {
  readonly command: string;
  readonly args: readonly string[];
  /** Beyond PATH, HOME, LANG and the like: a child gets nothing else of this process's environment, which may hold secrets. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Written to its standard input, which is then closed; the way for secrets, which must not stand in a process list. */
  readonly input?: string;
  /** Keeps its standard input open for whoever started it: RunningChild.stdin. Not together with `input`. */
  readonly openInput?: boolean;
  /** Pipes from the child beyond standard output, on file descriptors 3, 4, … */
  readonly extraPipes?: number;
}

export interface RunningChild {
  readonly process: ChildProcess;
  /** Its standard input, with `openInput` only. A child that ends breaks the pipe, which is no fault by itself. */
  readonly stdin?: Writable;
  readonly stdout: Readable;
  /** The pipes on file descriptors 3, 4, … */
  readonly extra: readonly Readable[];
}

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last lines that it wrote to standard error. */
  readonly stderr: readonly string[];
  /** Set where it could not be started at all. */
  readonly error?: PerchError;
  /** Ms from spawn to exit. */
  readonly lifetime: number;
}

interface Options {
  readonly name: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called before each spawn, so that a restart may run something else. */
  spec(): ChildSpec;
  onSpawn(child: RunningChild): void;
  /** Answers whether to start it again; not asked after stop(). */
  onExit(exit: ChildExit): "restart" | "stay-down";
  onStderr?(line: string): void;
  readonly backoff: { readonly first: number; readonly most: number };
  /** A life of at least so many ms counts as one that worked: the waits begin anew. Default 30 s. */
  readonly settled?: number;
  /** Ms from SIGTERM to SIGKILL. Default 3 s. */
  readonly grace?: number;
}

/**
 * One child process in its own process group, started again with backoff and jitter when it ends, and
 * ended as a group: SIGTERM, then SIGKILL. The kernel kills it when this process dies, however it dies
 * (prctl PR_SET_PDEATHSIG, through setpriv), so that a killed service leaves no engine holding memory.
 */
export class SupervisedProcess {
  private child: ChildProcess | undefined;
  private exited: Promise<void> = Promise.resolve();
  private loop: Promise<void> | undefined;
  private readonly stopper = new AbortController();
  private readonly backoff: Backoff;
  private lines: string[] = [];
  private spawns = 0;

  constructor(private readonly options: Options) {
    this.backoff = new Backoff(options.backoff.first, options.backoff.most);
  }

  /** Process id of the child that runs now. */
  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** How many times it was started again. */
  get restarts(): number {
    return Math.max(0, this.spawns - 1);
  }

  /** The last lines of standard error of the current or last child. */
  get stderr(): readonly string[] {
    return this.lines;
  }

  start(): void {
    this.loop ??= this.supervise();
  }

  /** Ends the child, which then starts again (or not) as after any exit. */
  kill(signal: NodeJS.Signals = "SIGTERM"): void {
    const child = this.child;
    if (!child) return;
    this.signalGroup(child, signal);
    if (signal !== "SIGKILL") this.killLater(child);
  }

  /** Ends the child for good and waits until it is gone. */
  async stop(): Promise<void> {
    this.stopper.abort();
    this.kill();
    await this.exited;
    await this.loop;
  }

  private async supervise(): Promise<void> {
    const { clock, onExit, settled = 30_000 } = this.options;
    while (!this.stopper.signal.aborted) {
      const exit = await this.run();
      if (this.stopper.signal.aborted || onExit(exit) === "stay-down") return;
      if (exit.lifetime >= settled) this.backoff.reset();
      await sleep(clock, this.backoff.next(), this.stopper.signal);
    }
  }

  private run(): Promise<ChildExit> {
    const { clock, logger, name } = this.options;
    const spec = this.options.spec();
    const begun = clock.monotonic();
    this.lines = [];
    this.spawns += 1;
    const finished = new Promise<ChildExit>((resolve) => {
      let done = false;
      const finish = (exit: Omit<ChildExit, "stderr" | "lifetime">) => {
        if (done) return;
        done = true;
        this.child = undefined;
        resolve({ ...exit, stderr: this.lines, lifetime: clock.monotonic() - begun });
      };
      const failed = (error: unknown) => finish({ code: null, signal: null, error: spawnError(spec, error) });
      const child = spawnChild(spec, failed);
      if (!child) return;
      this.child = child;
      child.on("error", failed);
      child.on("exit", () => this.endRest(child));
      child.on("close", (code, signal) =>
        finish({ code, signal, ...notRun(spec.command, code, this.lines) }),
      );
      if (child.pid === undefined) return;
      logger.debug({ child: name, pid: child.pid }, `${name} started`);
      this.readStderr(child.stderr as Readable);
      const stdin = child.stdin ?? undefined;
      if (stdin) tolerateBrokenPipe(stdin, logger, name);
      if (spec.input !== undefined) stdin?.end(spec.input);
      this.options.onSpawn({
        process: child,
        ...(stdin && spec.openInput ? { stdin } : {}),
        stdout: child.stdout as Readable,
        extra: child.stdio.slice(3) as Readable[],
      });
    });
    this.exited = finished.then(() => undefined);
    return finished;
  }

  /**
   * The child has ended; what it started and left behind must not outlive it, nor hold its pipes open:
   * what has left its group is not ours to end, but is not waited for.
   */
  private endRest(child: ChildProcess): void {
    this.signalGroup(child, "SIGKILL");
    const cancel = this.options.clock.after(this.options.grace ?? GRACE, () => {
      for (const pipe of child.stdio) pipe?.destroy();
    });
    child.once("close", cancel);
  }

  private readStderr(stream: Readable): void {
    let rest = "";
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => {
      const parts = (rest + text).split(/\r?\n|\r/);
      rest = (parts.pop() ?? "").slice(-LINE_LENGTH);
      for (const part of parts) this.keepLine(part);
    });
    stream.on("end", () => this.keepLine(rest));
  }

  private keepLine(raw: string): void {
    const line = raw.trim().slice(0, LINE_LENGTH);
    if (line === "") return;
    this.lines.push(line);
    if (this.lines.length > STDERR_LINES) this.lines.shift();
    this.options.onStderr?.(line);
  }

  private killLater(child: ChildProcess): void {
    const cancel = this.options.clock.after(this.options.grace ?? GRACE, () =>
      this.signalGroup(child, "SIGKILL"),
    );
    child.once("close", cancel);
  }

  private signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, signal);
    } catch (error) {
      // ESRCH: the group is already gone, which is what was wanted.
      if (systemCode(error) !== "ESRCH")
        this.options.logger.warn({ err: error }, `${this.options.name}: ${messageOf(error)}`);
    }
  }
}

const PASSED_ON = [
  "PATH",
  "HOME",
  "LANG",
  "LC_ALL",
  "TZ",
  "TMPDIR",
  "XDG_RUNTIME_DIR",
  "LD_LIBRARY_PATH",
  "CUDA_VISIBLE_DEVICES",
];

function childEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    PASSED_ON.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}

/** A child that ends before it read its input breaks the pipe; its exit says why. */
function tolerateBrokenPipe(stdin: Writable, logger: Logger, name: string): void {
  stdin.on("error", (error) =>
    logger.debug({ child: name }, `${name} did not read its input: ${error.message}`),
  );
}

/** Starts a child in a group of its own. What the system refuses at once (memory, too long a line) goes to `failed` too. */
function spawnChild(spec: ChildSpec, failed: (error: unknown) => void): ChildProcess | undefined {
  const [command, args] = SETPRIV
    ? [SETPRIV, ["--pdeathsig", "KILL", "--", spec.command, ...spec.args]]
    : [spec.command, [...spec.args]];
  try {
    return spawn(command, args, {
      detached: true,
      cwd: spec.cwd,
      env: { ...childEnvironment(), ...spec.env },
      stdio: [
        spec.input === undefined && !spec.openInput ? "ignore" : "pipe",
        "pipe",
        "pipe",
        ...Array<"pipe">(spec.extraPipes ?? 0).fill("pipe"),
      ],
    });
  } catch (error) {
    failed(error);
    return undefined;
  }
}

function spawnError({ command, cwd }: ChildSpec, error: unknown): PerchError {
  // The system's ENOENT does not say which of the two is not there.
  if (cwd !== undefined && !existsSync(cwd))
    return new PerchError(
      "PROCESS_FAILED",
      `${command} could not be started: there is no folder ${cwd}`,
      error,
    );
  if (systemCode(error) === "ENOENT")
    return new PerchError("SETUP_MISSING", `${command} is not installed`, error);
  return new PerchError("PROCESS_FAILED", `${command} could not be started: ${messageOf(error)}`, error);
}

/** setpriv answers 127 where what it should run is not there, and 126 where it may not be run. */
function notRun(command: string, code: number | null, stderr: readonly string[]): { error?: PerchError } {
  const word = stderr.find((line) => line.startsWith("setpriv:"));
  if (word === undefined) return {};
  if (code === 127) return { error: new PerchError("SETUP_MISSING", `${command} is not installed`) };
  if (code === 126)
    return {
      error: new PerchError("PROCESS_FAILED", `${command} may not be run: ${word.split(": ").at(-1)}`),
    };
  return {};
}
