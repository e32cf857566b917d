import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { PerchError, systemCode } from "../kernel/errors.ts";
import { type OpenSocket, parseTable, TABLES } from "./egress-sockets.ts";

export interface Process {
  readonly pid: number;
  /** "node", "llama-server", "ffmpeg". */
  readonly name: string;
  readonly parent: number;
}

export interface Held {
  readonly socket: OpenSocket;
  /** Those that have it open, the eldest first. */
  readonly owners: readonly Process[];
}

/** What a look at the service's processes found. */
export interface Look {
  readonly processes: readonly Process[];
  readonly sockets: readonly Held[];
  /** Sockets of other families (netlink and the like), which reach no other box. */
  readonly others: number;
}

/**
 * The process that works on a data folder: it holds the folder's lock open, so a number that was left behind accuses
 * nobody. `proc` is /proc, or a recording of it. Throws SERVICE_UNREACHABLE.
 */
export function serviceOf(data: string, proc = "/proc"): number {
  const pid = Number.parseInt(read(join(data, "perch.pid")), 10);
  const lock = resolve(data, "perch.lock");
  if (Number.isInteger(pid) && openFiles(proc, pid).includes(lock)) return pid;
  throw new PerchError(
    "SERVICE_UNREACHABLE",
    `no service that this user may look at works on ${data}: is it running, and with this configuration? Ask as its user, or with sudo`,
  );
}

/** Every socket of a process and of all that descend from it. */
export function lookAt(service: number, proc = "/proc"): Look {
  const processes = withChildren(service, allProcesses(proc));
  const owners = new Map<number, Process[]>();
  for (const process of processes)
    for (const file of openFiles(proc, process.pid)) {
      const inode = /^socket:\[(\d+)\]$/.exec(file)?.[1];
      if (inode === undefined) continue;
      const known = owners.get(Number(inode)) ?? [];
      if (!known.includes(process)) owners.set(Number(inode), [...known, process]);
    }
  // Each process's own view: one may live in a network namespace of its own.
  const known = new Map<number, OpenSocket>();
  for (const { pid } of processes)
    for (const table of TABLES)
      for (const socket of parseTable(table, read(join(proc, String(pid), "net", table))))
        known.set(socket.inode, socket);
  const sockets = [...owners].flatMap(([inode, holders]) => {
    const socket = known.get(inode);
    return socket ? [{ socket, owners: holders }] : [];
  });
  return { processes, sockets, others: owners.size - sockets.length };
}

function withChildren(service: number, all: readonly Process[]): Process[] {
  const found = all.filter(({ pid }) => pid === service);
  for (const one of found) found.push(...all.filter(({ parent }) => parent === one.pid));
  return found;
}

function allProcesses(proc: string): Process[] {
  return readdirSync(proc)
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      // "12 (a name (of any kind)) S 1 …"
      const [, name, parent] = /^\d+ \((.*)\) \S (\d+) /s.exec(read(join(proc, pid, "stat"))) ?? [];
      return name === undefined ? [] : [{ pid: Number(pid), name, parent: Number(parent) }];
    });
}

function openFiles(proc: string, pid: number): string[] {
  const folder = join(proc, String(pid), "fd");
  return orNothing(() => readdirSync(folder), []).map((name) =>
    orNothing(() => readlinkSync(join(folder, name)), ""),
  );
}

const read = (path: string): string => orNothing(() => readFileSync(path, "utf8"), "");

/** What ended meanwhile, and what this user may not look at, has nothing to show. */
function orNothing<T>(look: () => T, nothing: T): T {
  try {
    return look();
  } catch (error) {
    if (["ENOENT", "ESRCH", "EACCES", "EPERM", "EINVAL"].includes(systemCode(error) ?? "")) return nothing;
    throw error;
  }
}
