import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { Database } from "../../service/kernel/sqlite.ts";
import { CELL_FEEDS, PerchProcess, SCENE_WATCH, SOUND_WATCH } from "../support/perch.ts";
import type { Figure } from "./figure.ts";

/** Memory that the service and whoever presses it may use together, and what of it is to stay free, bytes. */
const LIMIT = 1_200e6;
const RESERVE = 200e6;
/** How the other program takes memory: steps until there is so little left, and how long it holds it, ms. */
const STEP = 20e6;
const LEAST_LEFT = 60e6;
const HOLD = 15_000;
const ROUNDS = 3;

/**
 * Another program takes memory in the service's own control group until next to nothing is left, three times: the
 * governor gives up the model and takes it again, and the kernel kills nothing.
 */
export async function pressureFigures(): Promise<Figure[]> {
  const group = MemoryGroup.make("perch-bench", LIMIT);
  const perch = new PerchProcess({
    feeds: CELL_FEEDS,
    watches: [SCENE_WATCH, SOUND_WATCH],
    governor: { reserve: `${RESERVE / 1e6}MB`, dwell: "5s", headroom: "5s", swaps: 60 },
  });
  try {
    perch.start();
    group.add(perch.pid);
    await until(() => answers(perch) > 3);
    const { pid } = perch;
    const paused: number[] = [];
    const back: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const grabber = startGrabber();
      group.add(grabber.pid ?? 0);
      const begun = Date.now();
      await until(() => lastLevel(perch) === null, 60_000);
      paused.push(Date.now() - begun);
      await wait(HOLD);
      const held = group.used();
      grabber.kill("SIGKILL");
      process.stdout.write(
        `  round ${round + 1}: ${Math.round(held / 1e6)} MB of ${LIMIT / 1e6} were used\n`,
      );
      const before = answers(perch);
      const freed = Date.now();
      await until(() => answers(perch) > before, 60_000);
      back.push(Date.now() - freed);
    }
    const alive = perch.pid === pid && existsSync(`/proc/${pid}`);
    const code = await perch.end();
    const waiting = outbox(perch);
    return [
      {
        name: "killed by the kernel for want of memory",
        value: group.kills(),
        unit: "at most",
        goal: 0,
        ok: group.kills() === 0,
      },
      {
        name: "the service lives and ends in order",
        value: alive && code === 0 ? 1 : 0,
        unit: "of",
        goal: 1,
        ok: alive && code === 0,
      },
      {
        name: "messages left in the outbox at the end",
        value: waiting,
        unit: "at most",
        goal: 0,
        ok: waiting === 0,
      },
      {
        name: "from the first grab to the model given up, longest",
        value: Math.max(...paused),
        unit: "ms",
        goal: null,
        ok: true,
      },
      {
        name: "from memory back to the next answer, longest",
        value: Math.max(...back),
        unit: "ms",
        goal: null,
        ok: true,
      },
    ];
  } finally {
    await perch.dispose();
    group.remove();
  }
}

/** A control group with a memory limit; version 1 or 2, whichever is there. */
class MemoryGroup {
  private constructor(
    private readonly folder: string,
    private readonly files: { readonly used: string; readonly kills: string },
  ) {}

  /** Throws where this user may make none: then this cannot be measured here. */
  static make(name: string, limit: number): MemoryGroup {
    const [v1, v2] = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup"].map((root) => join(root, name)) as [
      string,
      string,
    ];
    const old = existsSync("/sys/fs/cgroup/memory");
    const folder = old ? v1 : v2;
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, old ? "memory.limit_in_bytes" : "memory.max"), String(limit));
    const files = old
      ? { used: "memory.usage_in_bytes", kills: "memory.oom_control" }
      : { used: "memory.current", kills: "memory.events" };
    return new MemoryGroup(folder, files);
  }

  add(pid: number): void {
    writeFileSync(join(this.folder, "cgroup.procs"), String(pid));
  }

  used(): number {
    return Number(readFileSync(join(this.folder, this.files.used), "utf8"));
  }

  kills(): number {
    const text = readFileSync(join(this.folder, this.files.kills), "utf8");
    return Number(/^oom_kill (\d+)/m.exec(text)?.[1] ?? 0);
  }

  remove(): void {
    rmdirSync(this.folder);
  }
}

/** Takes memory until little of its group's limit is left, and holds it. */
function startGrabber(): ChildProcess {
  const program = `
    const fs = require("node:fs");
    const old = fs.existsSync("/sys/fs/cgroup/memory");
    const used = () => Number(fs.readFileSync(old ? "/sys/fs/cgroup/memory/perch-bench/memory.usage_in_bytes" : "/sys/fs/cgroup/perch-bench/memory.current", "utf8"));
    const held = [];
    setInterval(() => { if (used() < ${LIMIT - LEAST_LEFT - STEP}) held.push(Buffer.alloc(${STEP}, held.length + 1)); }, 100);
  `;
  return spawn(process.execPath, ["-e", program], { stdio: "ignore" });
}

const query = <T>(perch: PerchProcess, sql: string): T | undefined => {
  if (!existsSync(perch.database)) return undefined;
  const db = new Database(perch.database, { readonly: true });
  try {
    return db.prepare<[], T>(sql).pluck().get();
  } finally {
    db.close();
  }
};

const answers = (perch: PerchProcess) => query<number>(perch, "SELECT count(*) FROM observation") ?? 0;
const outbox = (perch: PerchProcess) => query<number>(perch, "SELECT count(*) FROM outbox") ?? 0;
const lastLevel = (perch: PerchProcess) =>
  query<string | null>(perch, "SELECT level FROM decision ORDER BY number DESC LIMIT 1");

async function until(condition: () => boolean, most = 120_000): Promise<void> {
  const end = Date.now() + most;
  while (!condition()) {
    if (Date.now() > end) throw new Error("it did not come to that");
    await wait(100);
  }
}
