import type { Sensor, SensorReading } from "../../service/contract/readings.ts";
import type { Answers, FileReader } from "./file-reader.ts";
import { HeldSince } from "./held-since.ts";
import {
  type Group,
  groupFiles,
  limitingGroups,
  parseCgroup,
  parseGpuClients,
  parseHolding,
  parseMeminfo,
  parsePressure,
  upwards,
  V2_ROOT,
} from "./memory-files.ts";

const MEMINFO = "proc/meminfo";
const PRESSURE = "proc/pressure/memory";
const CGROUP = "proc/self/cgroup";
const GPU_CLIENTS = "sys/kernel/debug/nvmap/iovmm/clients";

export interface RamOptions {
  readonly files: FileReader;
  /** Process ids of our own children. */
  readonly pids: () => readonly number[];
  /** Whether the GPU's memory is this RAM, and is not counted as its processes' own (Jetson). */
  readonly sharedWithGpu: () => boolean;
}

/** The box's RAM: of a container that has a limit, no more than that. */
export class Ram implements Sensor {
  readonly name = "memory";
  readonly interval = 1000;
  readonly timeout = 3000;
  private readonly since = new HeldSince();

  constructor(private readonly options: RamOptions) {}

  async probe(): Promise<boolean> {
    return (await this.options.files.read([MEMINFO])).text(MEMINFO) !== undefined;
  }

  async read(): Promise<SensorReading> {
    const { files, pids, sharedWithGpu } = this.options;
    const shared = sharedWithGpu();
    const place = parseCgroup((await files.read([CGROUP])).text(CGROUP));
    const children = pids();
    // Adding up shared pages takes a walk through all of a process's memory: only where two may share a model.
    const rollup = children.length > 1;
    const answers = await files.read([
      MEMINFO,
      PRESSURE,
      ...groupFiles(place),
      ...children.flatMap((pid) => [`proc/${pid}/status`, ...(rollup ? [`proc/${pid}/smaps_rollup`] : [])]),
      ...(shared ? [GPU_CLIENTS] : []),
    ]);
    const textOf = (path: string) => answers.text(path);
    const meminfo = parseMeminfo(textOf(MEMINFO));
    if (!meminfo) throw new Error(answers.fault(MEMINFO) ?? "/proc/meminfo makes no sense");
    const groups = limitingGroups(place, textOf);
    const total = Math.min(meminfo.total, ...groups.map(({ limit }) => limit));
    const grown = this.since.of(meminfo.total - meminfo.available, children.length);
    const { own, file } = holdings(children, answers, shared ? grown : null);
    const pressure = pressureOf(answers, place.v2, groups);
    const free = freeOf(meminfo.available, groups, total, file);
    return {
      memories: [{ id: "ram", total, free, own: Math.min(own, total - free) }],
      ...(pressure ? { pressure } : {}),
    };
  }

  async close(): Promise<void> {
    await this.options.files.close();
  }
}

/**
 * What our children hold, and what of that are pages of files, bytes. `grown`: by how much all use has grown
 * since none of them ran, where the GPU's memory is this RAM and is not counted as its processes'.
 */
function holdings(
  children: readonly number[],
  answers: Answers,
  grown: number | null,
): { own: number; file: number } {
  const held = children.flatMap(
    (pid) => parseHolding(answers.text(`proc/${pid}/smaps_rollup`), answers.text(`proc/${pid}/status`)) ?? [],
  );
  const all = held.reduce((sum, holding) => sum + holding.all, 0);
  const file = held.reduce((sum, holding) => sum + holding.file, 0);
  if (grown === null) return { own: all, file };
  const clients = parseGpuClients(answers.text(GPU_CLIENTS));
  if (clients.size === 0) return { own: Math.max(all, grown + file), file };
  return { own: all + children.reduce((sum, pid) => sum + (clients.get(pid) ?? 0), 0), file };
}

/**
 * What a new allocation can have, bytes: what the box has, and what each group that limits us has left. Pages of
 * our children's files count as free there, since the kernel can drop them, but a model that is mapped needs
 * them: they are ours, not free.
 */
export function freeOf(available: number, groups: readonly Group[], total: number, file: number): number {
  const left = groups.map(({ limit, used }) => Math.max(0, limit - used));
  return Math.max(0, Math.min(available, total, ...left) - file);
}

/** The tightest of the box and, where one limits us, of our groups. */
function pressureOf(answers: Answers, place: string | undefined, groups: readonly Group[]) {
  const ours =
    groups.length === 0 || place === undefined
      ? []
      : upwards(place).map((group) => `${V2_ROOT}${group}/memory.pressure`);
  const all = [PRESSURE, ...ours].flatMap((file) => parsePressure(answers.text(file)) ?? []);
  if (all.length === 0) return undefined;
  return {
    some: Math.max(...all.map(({ some }) => some)),
    full: Math.max(...all.map(({ full }) => full)),
  };
}
