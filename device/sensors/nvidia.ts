import { execFile } from "node:child_process";
import type { Readable } from "node:stream";
import type { Memory, Sensor, SensorReading, Zone } from "../../service/contract/readings.ts";
import { type Clock, sleep } from "../../service/kernel/clock.ts";
import { messageOf } from "../../service/kernel/errors.ts";
import type { Logger } from "../../service/kernel/logger.ts";
import { type ChildExit, SupervisedProcess } from "../../service/kernel/supervised-process.ts";
import { HeldSince } from "./held-since.ts";
import {
  FIELDS,
  type GpuProcess,
  type GpuRow,
  type GpuThresholds,
  gpuLimit,
  parseProcess,
  parseRow,
  parseThresholds,
  throttlingOf,
  withoutRefused,
} from "./nvidia-output.ts";

/** Seconds between two rounds of the children's output. */
const ROUND = 1;
const PROCESS_ROUND = 2;
/** A row older than this does not count, and a child that gave none for longer is started again, ms. */
const STALE = 5000;
/** Starting nvidia-smi takes long where no program keeps the driver loaded, ms. */
const START = 15_000;
const LONGEST_LINE = 4096;
/** Names of GPUs that have no memory of their own: a Jetson's, and GB10. */
const TEGRA = /orin|thor|xavier|tegra|nvgpu/i;
const GB10 = /\bGB10\b/;

export interface NvidiaOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Process ids of our own children that may use a GPU. */
  readonly pids: () => readonly number[];
  /** Default "nvidia-smi". */
  readonly command?: string;
}

interface Dated<T> {
  readonly at: number;
  readonly value: T;
}

/** NVIDIA GPUs, by one nvidia-smi that runs on and prints a line a GPU each second, and one for the memory of processes. */
export class Nvidia implements Sensor {
  readonly name = "nvidia-smi";
  readonly interval = 1000;
  readonly timeout = START;
  private fields: readonly string[] = FIELDS;
  private readonly command: string;
  private gpus: SupervisedProcess | undefined;
  private processes: SupervisedProcess | undefined;
  private readonly rows = new Map<number, Dated<GpuRow>>();
  private readonly held = new Map<string, Dated<GpuProcess>>();
  private readonly since = new Map<string, HeldSince>();
  private thresholds: readonly GpuThresholds[] = [];
  private list = "";
  private heard = 0;
  private words: string[] = [];
  private fault: string | undefined;

  constructor(private readonly options: NvidiaOptions) {
    this.command = options.command ?? "nvidia-smi";
  }

  async probe(): Promise<boolean> {
    this.list = await outputOf(this.command, ["-L"]);
    if (!/^GPU \d+:/m.test(this.list)) return false;
    this.thresholds = parseThresholds(await outputOf(this.command, ["-q", "-d", "TEMPERATURE"]));
    return true;
  }

  /** Whether a GPU lies on the same RAM as the processor: known after the probe. */
  get sharesRam(): boolean {
    return TEGRA.test(this.list) || GB10.test(this.list);
  }

  async read(signal: AbortSignal): Promise<SensorReading> {
    const { clock } = this.options;
    this.start();
    while (this.rows.size === 0 && this.fault === undefined && !signal.aborted)
      await sleep(clock, 100, signal);
    const now = clock.monotonic();
    const fresh = [...this.rows.values()].filter(({ at }) => now - at < STALE).map(({ value }) => value);
    if (fresh.length === 0) {
      if (this.fault !== undefined) throw new Error(this.fault);
      const silence = now - this.heard;
      if (silence >= START) this.startAgain(now);
      throw new Error(`has said nothing for ${Math.round(silence / 1000)} s`);
    }
    return this.readingOf(fresh, now);
  }

  facts(): Record<string, string | number> {
    return Object.fromEntries([...this.rows.values()].map(({ value }) => [idOf(value), value.name]));
  }

  async close(): Promise<void> {
    const children = [this.gpus, this.processes];
    this.gpus = undefined;
    this.processes = undefined;
    await Promise.all(children.map((child) => child?.stop()));
  }

  private readingOf(fresh: readonly GpuRow[], now: number): SensorReading {
    const zones: Zone[] = [];
    const memories: Memory[] = [];
    const failed: { sensor: string; reason: string }[] = [];
    for (const row of fresh) {
      const id = idOf(row);
      const limit = gpuLimit(
        row,
        this.thresholds.find(({ bus }) => bus === row.bus),
      );
      // A Jetson's thermal zones give the same GPU, and where it throttles.
      if (row.celsius !== undefined && (limit !== null || !TEGRA.test(row.name)))
        zones.push({ id, celsius: row.celsius, limit });
      if (row.memory)
        memories.push({ id, total: row.memory.total, free: row.memory.free, own: this.ownOf(row, now) });
      if (row.faults[0] !== undefined) failed.push({ sensor: id, reason: row.faults[0] });
    }
    for (const { value, at } of this.rows.values())
      if (now - at >= STALE)
        failed.push({ sensor: idOf(value), reason: "is no longer listed by nvidia-smi" });
    const watts = fresh.flatMap((row) => row.watts ?? []);
    return {
      zones,
      memories,
      throttling: fresh.flatMap((row) => throttlingOf(idOf(row), row.reasons ?? 0)),
      ...(watts.length > 0 ? { watts: watts.reduce((sum, one) => sum + one, 0) } : {}),
      failed,
    };
  }

  /**
   * What our children hold of a GPU, bytes. In a container nvidia-smi may not see processes at all: then what
   * the GPU's memory has lost since none of them ran stands for it.
   */
  private ownOf({ uuid, memory }: GpuRow, now: number): number {
    const pids = new Set(this.options.pids());
    const listed = [...this.held.values()].filter(({ at }) => now - at < STALE).map(({ value }) => value);
    const used = memory?.used ?? 0;
    const since = this.since.get(uuid) ?? new HeldSince();
    this.since.set(uuid, since);
    const grown = since.of(used, pids.size);
    if (listed.length === 0) return Math.min(used, grown);
    const ours = listed.filter((process) => process.uuid === uuid && pids.has(process.pid));
    return Math.min(
      used,
      ours.reduce((sum, { bytes }) => sum + bytes, 0),
    );
  }

  private start(): void {
    if (this.gpus) return;
    this.heard = this.options.clock.monotonic();
    this.gpus = this.child(
      "nvidia-smi",
      () => [`--query-gpu=${this.fields.join(",")}`, "--format=csv,noheader,nounits", "-l", `${ROUND}`],
      (line) => this.hearGpu(line),
      (exit) => this.ended(exit),
    );
    this.processes = this.child(
      "nvidia-smi for processes",
      () => [
        "--query-compute-apps=gpu_uuid,pid,used_memory",
        "--format=csv,noheader,nounits",
        "-l",
        `${PROCESS_ROUND}`,
      ],
      (line) => {
        const process = parseProcess(line);
        if (process) this.held.set(`${process.uuid} ${process.pid}`, this.dated(process));
      },
      () => undefined,
    );
  }

  /** One that hangs in the driver does not end by itself. */
  private startAgain(now: number): void {
    this.gpus?.kill("SIGKILL");
    this.heard = now;
  }

  private child(
    name: string,
    args: () => string[],
    onLine: (line: string) => void,
    onEnd: (exit: ChildExit) => void,
  ): SupervisedProcess {
    const child = new SupervisedProcess({
      name,
      clock: this.options.clock,
      logger: this.options.logger,
      spec: () => ({ command: this.command, args: args() }),
      onSpawn: ({ stdout }) => eachLine(stdout, onLine),
      onExit: (exit) => {
        onEnd(exit);
        return "restart";
      },
      backoff: { first: 1000, most: 60_000 },
    });
    child.start();
    return child;
  }

  private hearGpu(line: string): void {
    const row = parseRow(line, this.fields);
    if (!row) {
      if (line.trim() !== "") this.words = [...this.words.slice(-4), line.trim()];
      return;
    }
    this.heard = this.options.clock.monotonic();
    this.fault = undefined;
    this.words = [];
    this.rows.set(row.index, this.dated(row));
    for (const [key, { at }] of this.held) if (this.heard - at >= STALE) this.held.delete(key);
  }

  private ended({ error, stderr, code, signal }: ChildExit): void {
    const said = [...this.words, ...stderr];
    const fields = withoutRefused(said.join("\n"), this.fields);
    if (fields) this.fields = fields;
    else this.fault = error?.message ?? said.at(-1) ?? `ended (${signal ?? `code ${code}`})`;
    this.words = [];
  }

  private dated<T>(value: T): Dated<T> {
    return { at: this.options.clock.monotonic(), value };
  }
}

const idOf = ({ index }: GpuRow): string => `nvidia${index}`;

/** Calls back with each whole line; what has no end by the end of the stream was cut, and is dropped. */
function eachLine(stream: Readable, onLine: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (text: string) => {
    const parts = (rest + text).split(/\r?\n/);
    rest = (parts.pop() ?? "").slice(-LONGEST_LINE);
    for (const part of parts) onLine(part.slice(0, LONGEST_LINE));
  });
}

/** What a command prints, or nothing where it is not there or fails: the long-lived child says why. */
function outputOf(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const options = { timeout: START, killSignal: "SIGKILL" as const, maxBuffer: 4_194_304 };
    try {
      execFile(command, [...args], options, (_error, stdout) => resolve(stdout)).unref();
    } catch (error) {
      // Too little memory to start it, say.
      resolve(messageOf(error));
    }
  });
}
