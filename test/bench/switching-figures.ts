import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { CellCamera, encodeJpeg } from "../../device/simulator/camera/camera.ts";
import { Timeline } from "../../device/simulator/course/timeline.ts";
import { DEFAULT_SIZE } from "../../device/simulator/sim-source.ts";
import { Config } from "../../service/contract/config.ts";
import type { Level } from "../../service/contract/models.ts";
import { Inference } from "../../service/inference/inference.ts";
import { LadderEngine } from "../../service/inference/ladder-engine.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import { readConfigFile } from "../../service/kernel/config-file.ts";
import { messageOf } from "../../service/kernel/errors.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { chosenLevel, modelStoreOf } from "../../service/model/chosen-level.ts";
import { engineOf } from "../../service/model/engines.ts";
import { configText } from "./configuration.ts";
import { type Figure, median } from "./figure.ts";

/** Requests always under way, and how long each may take, ms. */
const UNDER_WAY = 4;
const DEADLINE = 10_000;
/** Switches each way under load, and those of the search for leaks. */
const SWITCHES = 10;
const MANY = 200;
/** Between two switches, ms. */
const PAUSE = 400;
/** Gap in answers beyond the time that a level takes to load, ms. */
const GAP_GOAL = 500;
const GROWTH_GOAL = 0.05;

/** The small model's ladder on this machine: changes of level under load, each way, and two hundred of them. */
export async function switchingFigures(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), "perch-bench-switching-"));
  try {
    const bench = await Bench.start(folder);
    try {
      return [
        ...(await underLoad(bench, "beside")),
        ...(await underLoad(bench, "after")),
        ...(await manyTimes(bench)),
      ];
    } finally {
      await bench.stop();
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A ladder's engine with its queue, and what the answers were. */
class Bench {
  /** When each answer came, monotonic ms. */
  answers: number[] = [];
  lost: string[] = [];
  private going = true;
  private seed = 0;
  private readonly camera = new CellCamera(new Timeline(500), DEFAULT_SIZE);
  private clients: Promise<void>[] = [];

  private constructor(
    readonly levels: readonly Level[],
    readonly engine: LadderEngine,
    private readonly inference: Inference,
    /** Ms that a level takes to its first answer, alone on the machine. */
    readonly loading: () => Promise<number>,
  ) {}

  static async start(folder: string): Promise<Bench> {
    const config = readConfigFile<Config>(
      Config,
      configText(folder, { node: "bench", data: folder, feeds: [], watches: [] }),
    );
    const shared = { clock: systemClock, logger: silentLogger, metrics: new Metrics() };
    const { ladder, level } = chosenLevel(config, modelStoreOf(config, silentLogger));
    const make = ({ id }: Level) => engineOf({ ...config, engine: { ...config.engine, level: id } }, shared);
    const engine = new LadderEngine({ ...shared, ladder, make });
    const inference = new Inference({ ...shared, engine, capacity: 64, data: folder });
    await inference.start();
    await engine.switchTo(level.id, { way: "after" });
    const loading = async () => {
      const alone = make(level);
      const begun = performance.now();
      await alone.start(new AbortController().signal);
      await alone.ready(new AbortController().signal);
      const took = performance.now() - begun;
      await alone.stop();
      return took;
    };
    return new Bench(ladder.levels, engine, inference, loading);
  }

  /** Begins to keep requests under way. */
  load(count: number): void {
    this.going = true;
    this.answers = [];
    this.lost = [];
    this.clients = Array.from({ length: count }, async () => {
      while (this.going) await this.askOnce();
    });
  }

  async unload(): Promise<void> {
    this.going = false;
    await Promise.all(this.clients);
  }

  /** Another level than the one that runs. */
  next(index: number): string {
    const others = this.levels.filter(({ id }) => id !== this.engine.level);
    return others[index % others.length]?.id ?? "";
  }

  async stop(): Promise<void> {
    await this.inference.stop();
    await this.engine.stop();
  }

  private async askOnce(): Promise<void> {
    this.seed += 1;
    const deadline = systemClock.monotonic() + DEADLINE;
    const prompt = {
      question: "Describe the image.",
      schema: { person: { type: "boolean" as const } },
      // Three seconds of the cell apart, none twice: the prompt cache would answer those.
      images: [encodeJpeg(this.camera.picture(3000 * this.seed))],
    };
    try {
      await this.inference.submit({ prompt, lane: "api", deadline });
      this.answers.push(performance.now());
    } catch (error) {
      this.lost.push(messageOf(error));
    }
  }
}

async function underLoad(bench: Bench, way: "beside" | "after"): Promise<Figure[]> {
  const gaps: number[] = [];
  const loads: number[] = [];
  bench.load(UNDER_WAY);
  await wait(1_000);
  for (let index = 0; index < SWITCHES; index += 1) {
    const from = performance.now();
    await bench.engine.switchTo(bench.next(index), { way });
    await wait(PAUSE);
    gaps.push(longestGap(bench.answers, from, performance.now()));
  }
  await bench.unload();
  const { length: lost } = bench.lost;
  for (let index = 0; index < 5; index += 1) loads.push(await bench.loading());
  const load = median(loads);
  const worst = Math.max(...gaps);
  const title = `${way}, ${UNDER_WAY} under way, ${SWITCHES} switches`;
  return [
    { name: `${title}: requests lost or late`, value: lost, unit: "at most", goal: 0, ok: lost === 0 },
    { name: `${title}: answers`, value: bench.answers.length, unit: "", goal: null, ok: true },
    { name: `${title}: median gap in answers`, value: median(gaps), unit: "ms", goal: null, ok: true },
    { name: "a level's loading to its first answer, alone", value: load, unit: "ms", goal: null, ok: true },
    way === "beside"
      ? { name: `${title}: longest gap`, value: worst, unit: "ms", goal: null, ok: true }
      : {
          name: `${title}: longest gap beyond loading`,
          value: worst - load,
          unit: "ms, at most",
          goal: GAP_GOAL,
          ok: worst - load <= GAP_GOAL,
        },
  ];
}

function longestGap(answers: readonly number[], from: number, to: number): number {
  const last = answers.findLast((at) => at < from) ?? from;
  const within = [last, ...answers.filter((at) => at >= from && at <= to), to];
  return Math.max(...within.slice(1).map((at, index) => at - (within[index] ?? at)));
}

async function manyTimes(bench: Bench): Promise<Figure[]> {
  await bench.engine.switchTo(bench.next(0), { way: "after" });
  const first = await footprint(bench.engine);
  bench.load(1);
  for (let index = 0; index < MANY; index += 1)
    await bench.engine.switchTo(bench.next(index), { way: index % 2 === 0 ? "beside" : "after" });
  await bench.unload();
  const { length: lost } = bench.lost;
  const last = await footprint(bench.engine);
  const growth = last.resident / first.resident - 1;
  return [
    {
      name: `${MANY} switches: requests lost or late`,
      value: lost,
      unit: "at most",
      goal: 0,
      ok: lost === 0,
    },
    {
      name: `${MANY} switches: resident memory grown`,
      value: growth,
      unit: "share, at most",
      goal: GROWTH_GOAL,
      ok: growth <= GROWTH_GOAL,
    },
    {
      name: `${MANY} switches: file descriptors more`,
      value: last.descriptors - first.descriptors,
      unit: "at most",
      goal: 0,
      ok: last.descriptors <= first.descriptors,
    },
    {
      name: `${MANY} switches: children more`,
      value: last.children - first.children,
      unit: "at most",
      goal: 0,
      ok: last.children <= first.children,
    },
  ];
}

/** What this process and its engine hold: resident bytes, open descriptors, children. */
async function footprint({ pid }: LadderEngine) {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let time = 0; time < 3; time += 1) {
    collect();
    await wait(300);
  }
  return {
    resident: process.memoryUsage.rss() + residentOf(pid ?? 0),
    descriptors: readdirSync("/proc/self/fd").length,
    children: readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").trim().split(/\s+/).length,
  };
}

const residentOf = (pid: number): number =>
  1024 * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
