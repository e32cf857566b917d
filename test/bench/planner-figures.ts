import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { CellCamera, encodeJpeg } from "../../device/simulator/camera/camera.ts";
import { Timeline } from "../../device/simulator/course/timeline.ts";
import { DEFAULT_SIZE } from "../../device/simulator/sim-source.ts";
import type { Ladder, Level, ModelFile } from "../../service/contract/models.ts";
import { type Planned, planLadder } from "../../service/governor/planner.ts";
import { engineShape } from "../../service/inference/engine-args.ts";
import { LocalEngine } from "../../service/inference/local-engine.ts";
import { ModelStore } from "../../service/inference/model-store.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import { messageOf } from "../../service/kernel/errors.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { packageRoot } from "../../service/kernel/paths.ts";
import { modelsYaml } from "../support/models-yaml.ts";
import type { Figure } from "./figure.ts";
import { type HollowFile, type HollowModel, writeHollowModel } from "./hollow.ts";
import { MemoryLimit } from "./memory-limit.ts";

/** Estimates may be off by so much, percent. */
const GOAL = 5;
/** What has to stay free beside a model that is measured: other programs must not be pushed out, bytes. */
const SPARE = 1.2e9;
/** What the engine may take longer for on a busy machine, ms. */
const TIMINGS = { request: 900_000, load: 900_000, beatTimeout: 60_000 };

type Combination = readonly [
  file: "q4_0" | "q8_0",
  context: number,
  slots: number,
  kv: Level["kv"],
  image: number,
];
const COMBINATIONS: readonly Combination[] = [
  ["q4_0", 2048, 1, "f16", 280],
  ["q4_0", 2048, 4, "f16", 70],
  ["q4_0", 4096, 2, "f16", 70],
  ["q4_0", 8192, 3, "q8_0", 70],
  ["q4_0", 16_384, 1, "q8_0", 70],
  ["q4_0", 32_768, 1, "q8_0", 70],
  ["q8_0", 2048, 1, "f16", 70],
  ["q8_0", 8192, 1, "q8_0", 70],
];
/** Runs under a limit that the plan just fits into, and under one that is surely too small. */
const LIMITED: readonly Combination[] = [["q4_0", 2048, 1, "f16", 70]];

/** What plans say of the real shapes of Gemma 4 12B, against what the engine then takes; nothing was learned before. */
export async function planFigures(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), "perch-bench-plan-"));
  try {
    const files = await writeHollowModel(folder);
    const figures: Figure[] = [];
    const left: string[] = [];
    for (const combination of COMBINATIONS) {
      const trial = new Trial(folder, ladderOf(files, [combination]));
      const planned = await trial.plan(availableBytes() + SPARE);
      if (needed(planned) + SPARE > availableBytes()) left.push(nameOf(combination));
      else {
        const figure = errorFigure(nameOf(combination), planned, await trial.run());
        process.stdout.write(`  ${figure.name}: ${figure.value.toFixed(2)} ${figure.unit}\n`);
        figures.push(figure);
      }
    }
    if (left.length > 0) process.stdout.write(`  too little memory free for: ${left.join("; ")}\n`);
    return [...figures, count("combinations measured", figures.length, `of ${COMBINATIONS.length}`)];
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The same for the ladder that comes with Perch. */
export async function smallPlanFigures(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), "perch-bench-plan-"));
  try {
    const shipped = new ModelStore({
      models: join(packageRoot, "config/models.yaml"),
      data: folder,
      logger: silentLogger,
    });
    const ladder = shipped.ladder("perch-small");
    const figures: Figure[] = [];
    for (const level of ladder.levels) {
      const one = { ...ladder, folder: shipped.folder(ladder), levels: [level], default: level.id };
      const trial = new Trial(folder, one);
      figures.push(errorFigure(`small, ${level.id}`, await trial.plan(totalmem()), await trial.run()));
    }
    return figures;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Whether what is said to fit into a limit runs in it, and what is said not to fit does not. */
export async function limitFigures(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), "perch-bench-plan-"));
  let said = 0;
  let failed = 0;
  let refused = 0;
  try {
    const files = await writeHollowModel(folder);
    for (const combination of LIMITED) {
      const trial = new Trial(folder, ladderOf(files, [combination]));
      const bytes = needed(await trial.plan(totalmem()));
      if (bytes + SPARE > availableBytes()) continue;
      const fits = (await trial.plan(bytes)).fits;
      const tight = (await trial.plan(bytes - 1)).fits;
      if (!fits || tight) throw new Error("a plan does not fit into exactly what it needs");
      said += 1;
      if (!(await trial.runsIn(bytes))) failed += 1;
      // A tenth less is surely too little, if the estimate is within its goal.
      if (!(await trial.runsIn(0.9 * bytes))) refused += 1;
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  return [
    { name: "said to fit a limit, and failed", value: failed, unit: `of ${said}`, goal: 0, ok: failed === 0 },
    count("a tenth less, and failed", refused, `of ${said}`),
  ];
}

const count = (name: string, value: number, unit: string): Figure => ({
  name,
  value,
  unit,
  goal: null,
  ok: true,
});

const nameOf = ([file, context, slots, kv, image]: Combination) =>
  `${file}, ${context / 1024} K x ${slots}, ${kv}, ${image} tokens`;

function errorFigure(name: string, planned: Planned, taken: number): Figure {
  const value = (100 * Math.abs(needed(planned) - taken)) / taken;
  const text = `${(needed(planned) / 1e6).toFixed(0)} for ${(taken / 1e6).toFixed(0)} MB`;
  return { name, value, unit: `% (${text}), at most`, goal: GOAL, ok: value <= GOAL };
}

const needed = ({ needs }: Planned) => needs.reduce((sum, { bytes }) => sum + bytes, 0);

function availableBytes(): number {
  const match = /MemAvailable:\s+(\d+) kB/.exec(readFileSync("/proc/meminfo", "utf8"));
  return Number(match?.[1]) * 1024;
}

/** Media first, so that no prompts are kept: that memory fills over time, up to what the engine was told. */
function ladderOf(files: HollowModel, combinations: readonly Combination[]): Ladder {
  const levels = combinations.map(([file, context, slots, kv, image], index): Level => {
    const thread = availableParallelism();
    const shape = { kind: "budget", tokens: image } as const;
    const where = { text: modelFile(files[file]), mmproj: modelFile(files.mmproj) };
    return {
      id: `level-${index}`,
      ...where,
      image: shape,
      context,
      slots,
      kv,
      threads: thread,
      gpuLayers: 0,
    };
  });
  return {
    id: "hollow",
    title: "Gemma 4 12B without its weights",
    folder: ".",
    order: "media-first",
    levels,
  };
}

/** Its sha256 does not matter: the file was just written, and is known as checked. */
const modelFile = ({ file, bytes }: HollowFile): ModelFile => ({ file, bytes, sha256: "0".repeat(64) });

/** One level, planned and then loaded as the service does it. */
class Trial {
  private readonly level: Level;

  constructor(
    private readonly folder: string,
    private readonly ladder: Ladder,
  ) {
    const [level] = ladder.levels;
    if (!level) throw new Error("a trial needs a level");
    this.level = level;
  }

  /** With so many bytes of RAM, and no GPU. */
  async plan(ram: number): Promise<Planned> {
    const bytes = Math.floor(ram);
    const [planned] = await planLadder({
      ladder: this.ladder,
      folder: this.modelsFolder,
      memories: [{ id: "ram", total: bytes, free: bytes, own: 0 }],
      gpu: null,
      reserve: 0,
      engine: engineShape,
      room: "now",
    });
    if (!planned) throw new Error("no plan came");
    return planned;
  }

  /** Asks one question about a picture; resolves to what the engine then has, bytes. */
  async run(): Promise<number> {
    const taken = await this.answered(engineBinary);
    if (typeof taken === "string") throw new Error(`${this.level.id} does not run: ${taken}`);
    return taken;
  }

  /** Whether the same works where no more than so many bytes may be taken. */
  async runsIn(bytes: number): Promise<boolean> {
    const limit = new MemoryLimit(Math.floor(bytes));
    try {
      return typeof (await this.answered(await limit.wrapped(engineBinary, this.folder))) === "number";
    } finally {
      limit.remove();
    }
  }

  /** Bytes that it has once it has answered, or why it did not. */
  private async answered(binary: string): Promise<number | string> {
    const engine = await this.engine(binary);
    const signal = new AbortController().signal;
    try {
      await engine.start(signal);
      const { state, reason } = await engine.settled(signal);
      if (state !== "ok") return reason ?? state;
      await engine.ask({ question: "What do you see?", images: [picture], maxTokens: 4 }, signal);
      return lostTo(engine.pid ?? 0);
    } catch (error) {
      // It died under the question; which of the two it was to do, who asked knows.
      return messageOf(error);
    } finally {
      await engine.stop();
    }
  }

  private get modelsFolder(): string {
    return resolve(this.folder, this.ladder.folder);
  }

  private async engine(binary: string): Promise<LocalEngine> {
    const data = join(this.folder, "data");
    await mkdir(data, { recursive: true });
    const models = join(this.folder, "models.yaml");
    await writeFile(models, modelsYaml(this.ladder));
    await writeFile(join(data, "verified-models.json"), JSON.stringify(await this.verified()));
    const store = new ModelStore({ models, data, logger: silentLogger });
    const ladder = store.ladder(this.ladder.id);
    const level = store.level(ladder, this.level.id);
    const shared = { clock: systemClock, logger: silentLogger, metrics: new Metrics() };
    return new LocalEngine({ ...shared, store, ladder, level, binary, restarts: 0, timings: TIMINGS });
  }

  /** The model store's own note of files that it has checked: 20 GB of zeros need no hashing. */
  private async verified(): Promise<Record<string, string>> {
    const notes = (["text", "mmproj"] as const).map(async (role) => {
      const { file, sha256 } = this.level[role];
      const path = join(this.modelsFolder, file);
      const { size, mtimeNs, ino } = await stat(path, { bigint: true });
      return [path, `${size} ${mtimeNs} ${ino} ${role} ${sha256}`];
    });
    return Object.fromEntries(await Promise.all(notes));
  }
}

const engineBinary = join(packageRoot, "build/engine/llama-server");
const picture = encodeJpeg(new CellCamera(new Timeline(1), DEFAULT_SIZE).picture(0));

/**
 * What the box loses to a process that is alone, bytes: its own memory, and the pages of files that it has
 * mapped, of which only the engine's libraries are left (7 MB); other engines would share those.
 */
function lostTo(pid: number): number {
  const match = /^Rss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"));
  if (!match) throw new Error(`cannot see what process ${pid} has`);
  return Number(match[1]) * 1024;
}
