/** Texts of files by path; undefined where one is not there or cannot be read. */
export type TextOf = (path: string) => string | undefined;

/** No RAM is larger, bytes. */
const MOST = 2 ** 50;

/** A line "Name:   123 kB" of /proc/meminfo, /proc/PID/status or smaps_rollup, bytes. */
export function kilobytes(text: string | undefined, name: string): number | undefined {
  const found = new RegExp(`^${name}:\\s+(\\d{1,12}) kB\\s*$`, "m").exec(text ?? "")?.[1];
  return found === undefined ? undefined : Number(found) * 1024;
}

/** All of the box's RAM and what a new allocation can have of it, bytes; undefined where /proc/meminfo makes no sense. */
export function parseMeminfo(text: string | undefined): { total: number; available: number } | undefined {
  const total = kilobytes(text, "MemTotal");
  const available = kilobytes(text, "MemAvailable");
  if (total === undefined || available === undefined || total <= 0 || total > MOST) return undefined;
  return { total, available: Math.min(available, total) };
}

/** Share of the last ten seconds in which some or all tasks waited for memory, percent, of a file of Linux PSI. */
export function parsePressure(text: string | undefined): { some: number; full: number } | undefined {
  const share = (which: string) => {
    const found = new RegExp(`^${which} avg10=(\\d{1,3}(?:\\.\\d{1,4})?) `, "m").exec(text ?? "")?.[1];
    return found === undefined ? undefined : Math.min(100, Number(found));
  };
  const some = share("some");
  const full = share("full");
  return some === undefined ? undefined : { some, full: full ?? 0 };
}

/** A control group's limit and what counts against it, bytes. */
export interface Group {
  readonly limit: number;
  /** Without what the kernel takes back before anything is pushed out: file pages and such, as in MemAvailable. */
  readonly used: number;
}

/** Paths of a control group and those above it, innermost first: "/a/b", "/a", "". */
export function upwards(path: string): string[] {
  const parts = path.split("/").filter((part) => part !== "" && part !== "." && part !== "..");
  return [...parts.keys()].map((count) => `/${parts.slice(0, parts.length - count).join("/")}`).concat("");
}

/** Our place in the hierarchies, by /proc/self/cgroup: version 2, and the memory controller of version 1. */
export function parseCgroup(text: string | undefined): { v2?: string; v1?: string } {
  const lines = (text ?? "").split("\n").map((line) => line.split(":"));
  const v2 = lines
    .find(([id, controllers]) => id === "0" && controllers === "")
    ?.slice(2)
    .join(":");
  const v1 = lines
    .find(([, controllers]) => controllers?.split(",").includes("memory"))
    ?.slice(2)
    .join(":");
  return { ...(v2 === undefined ? {} : { v2 }), ...(v1 === undefined ? {} : { v1 }) };
}

/** The files that say what groups may use and do use. */
export const V2_ROOT = "sys/fs/cgroup";
export const V1_ROOT = "sys/fs/cgroup/memory";

export function groupFiles({ v2, v1 }: { v2?: string; v1?: string }): string[] {
  const of = (root: string, place: string | undefined, files: readonly string[]) =>
    place === undefined
      ? []
      : upwards(place).flatMap((group) => files.map((file) => `${root}${group}/${file}`));
  return [
    ...of(V2_ROOT, v2, ["memory.max", "memory.high", "memory.current", "memory.stat", "memory.pressure"]),
    ...of(V1_ROOT, v1, ["memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat"]),
  ];
}

/**
 * The groups that limit us: a program is held by every one of those that it is in. Version 2 slows a group down
 * at memory.high, which therefore counts as its limit too.
 */
export function limitingGroups({ v2, v1 }: { v2?: string; v1?: string }, textOf: TextOf): Group[] {
  const groups: Group[] = [];
  for (const group of v2 === undefined ? [] : upwards(v2)) {
    const limits = ["memory.max", "memory.high"].flatMap((file) =>
      bytes(textOf(`${V2_ROOT}${group}/${file}`)),
    );
    const current = bytes(textOf(`${V2_ROOT}${group}/memory.current`))[0];
    const stat = textOf(`${V2_ROOT}${group}/memory.stat`);
    if (limits.length > 0 && current !== undefined)
      groups.push({
        limit: Math.min(...limits),
        used: less(current, stat, ["inactive_file", "active_file", "slab_reclaimable"]),
      });
  }
  for (const group of v1 === undefined ? [] : upwards(v1)) {
    const limit = bytes(textOf(`${V1_ROOT}${group}/memory.limit_in_bytes`))[0];
    const usage = bytes(textOf(`${V1_ROOT}${group}/memory.usage_in_bytes`))[0];
    const stat = textOf(`${V1_ROOT}${group}/memory.stat`);
    if (limit !== undefined && usage !== undefined)
      groups.push({ limit, used: less(usage, stat, ["total_inactive_file", "total_active_file"]) });
  }
  return groups;
}

/** A number of bytes, or nothing: "max", and version 1's "no limit", which is more than any box has. */
function bytes(text: string | undefined): number[] {
  if (text === undefined || !/^\d{1,20}$/.test(text)) return [];
  const value = Number(text);
  return value < MOST ? [value] : [];
}

function less(used: number, stat: string | undefined, names: readonly string[]): number {
  const back = names.map((name) =>
    Number(new RegExp(`^${name} (\\d{1,16})$`, "m").exec(stat ?? "")?.[1] ?? 0),
  );
  return Math.max(0, used - back.reduce((sum, value) => sum + value, 0));
}

/** What one process holds, bytes; `file`: of that, pages of files, which the kernel can drop and MemAvailable counts as free. */
export interface Holding {
  readonly all: number;
  readonly file: number;
}

/** By /proc/PID/smaps_rollup where it could be read, which counts shared pages by their share, else by status. */
export function parseHolding(rollup: string | undefined, status: string | undefined): Holding | undefined {
  const share = kilobytes(rollup, "Pss");
  if (share !== undefined) return { all: share, file: Math.min(share, kilobytes(rollup, "Pss_File") ?? 0) };
  const resident = kilobytes(status, "VmRSS");
  return resident === undefined
    ? undefined
    : { all: resident, file: Math.min(resident, kilobytes(status, "RssFile") ?? 0) };
}

/** Kilobytes that Jetson's GPU allocator holds for each process, by its debug file, which only root can read; bytes by pid. */
export function parseGpuClients(text: string | undefined): Map<number, number> {
  const UNITS: Readonly<Record<string, number>> = { K: 1024, M: 1_048_576, G: 1_073_741_824 };
  const held = new Map<number, number>();
  for (const line of (text ?? "").split("\n")) {
    const found = /\s(\d{1,10})\s+(\d{1,12})([KMG])\s*$/.exec(line);
    if (found) held.set(Number(found[1]), Number(found[2]) * (UNITS[found[3] ?? ""] ?? 1));
  }
  return held;
}
