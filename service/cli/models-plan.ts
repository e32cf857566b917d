import { existsSync } from "node:fs";
import { join } from "node:path";
import { styleText } from "node:util";
import { createSensors } from "../../device/sensors/create-sensors.ts";
import { loadConfig } from "../config/config.ts";
import type { Config } from "../contract/config.ts";
import type { LoadTaken } from "../contract/decision.ts";
import type { Memory } from "../contract/readings.ts";
import { bytesText } from "../contract/units.ts";
import { bandwidthOf } from "../governor/plan-bandwidth.ts";
import { gpuOf, type Planned, planLadder } from "../governor/planner.ts";
import { engineShape } from "../inference/engine-args.ts";
import { systemClock } from "../kernel/clock.ts";
import { messageOf } from "../kernel/errors.ts";
import { silentLogger } from "../kernel/logger.ts";
import { Database } from "../kernel/sqlite.ts";
import { modelStoreOf } from "../model/chosen-level.ts";
import { Queries } from "../record/queries.ts";

export interface PlanCommand {
  readonly config: string;
  /** Default: the one of the configuration. */
  readonly ladder?: string;
  readonly json?: boolean;
  /** Where another box's /sys and /proc lie, and what to ask of its GPU. Default: this box. */
  readonly box?: { readonly root: string; readonly nvidiaSmi: string | null };
}

/** What a box has that decides a plan. */
interface Box {
  readonly memories: readonly Memory[];
  readonly gpuSharesRam: boolean;
  /** Names of its GPUs. */
  readonly gpus: readonly string[];
}

/** What past runs of the service left in the record. */
interface Learned {
  readonly taken: readonly LoadTaken[];
  readonly measured: readonly { readonly level: string; readonly tokensPerSecond: number }[];
  /** Why it could not be read, where it is there. */
  readonly fault: string | null;
}

const NOTHING: Learned = { taken: [], measured: [], fault: null };

/** Of a plan, what free memory says beside what the box has in all. */
interface Row extends Planned {
  /** Whether it fits into what is free now; the running service's own model is not free. */
  readonly now: boolean;
}

/** `perch models plan`: what each level takes here and whether it fits. 0 where one does, else 1. */
export async function modelsPlan(options: PlanCommand): Promise<number> {
  const config = loadConfig(options.config, () => undefined);
  const store = modelStoreOf(config, silentLogger);
  const ladder = store.ladder(options.ladder ?? config.engine.ladder);
  const box = await lookAt(options.box);
  const learned = options.box ? NOTHING : learnedOf(config, ladder.id);
  const bandwidth = bandwidthOf(box.gpus);
  const plan = (room: "now" | "ever") =>
    planLadder({
      ladder,
      folder: store.folder(ladder),
      memories: box.memories,
      gpu: gpuOf(box.memories, box.gpuSharesRam),
      reserve: config.governor.reserve,
      engine: engineShape,
      room,
      taken: learned.taken,
      measured: learned.measured,
      ...(bandwidth !== null && { bandwidth }),
    });
  const [ever, now] = await Promise.all([plan("ever"), plan("now")]);
  const rows = ever.map((planned, index): Row => ({ ...planned, now: now[index]?.room ?? false }));
  if (options.json)
    process.stdout.write(`${JSON.stringify({ box, ladder: ladder.id, levels: rows }, null, 2)}\n`);
  else process.stdout.write(pageText(`${ladder.id}: ${ladder.title}`, box, rows, config, learned));
  return rows.some(({ fits }) => fits) ? 0 : 1;
}

async function lookAt(other: PlanCommand["box"]): Promise<Box> {
  const sensors = createSensors({
    clock: systemClock,
    logger: silentLogger,
    pids: () => [],
    ...(other && { root: other.root, nvidiaSmi: other.nvidiaSmi }),
  });
  try {
    await sensors.start(new AbortController().signal);
    const { memories } = sensors.latest();
    const { detail = {} } = sensors.health();
    const gpus = Object.entries(detail).flatMap(([key, name]) =>
      /^nvidia\d+$/.test(key) ? [String(name)] : [],
    );
    return { memories, gpuSharesRam: sensors.gpuSharesRam, gpus };
  } finally {
    await sensors.stop();
  }
}

/** Looks only: the database is the service's, which may be running. */
function learnedOf({ data }: Config, ladder: string): Learned {
  const path = join(data, "perch.db");
  if (!existsSync(path)) return NOTHING;
  try {
    const db = new Database(path, { readonly: true, fileMustExist: true });
    try {
      const queries = new Queries(db);
      return { taken: queries.loads(ladder), measured: queries.rates(ladder), fault: null };
    } finally {
      db.close();
    }
  } catch (error) {
    // An older version's, or another user's: the plan is made of estimates alone then.
    const fault = `What earlier runs took is not known: ${path} cannot be read (${messageOf(error)}).`;
    return { ...NOTHING, fault };
  }
}

function pageText(
  title: string,
  box: Box,
  rows: readonly Row[],
  { governor }: Config,
  { fault }: Learned,
): string {
  const notes = [
    ...(fault === null ? [] : [fault]),
    ...(rows.some(({ source }) => source === "size")
      ? ["Where a file is not here, its level is estimated from the file's size."]
      : []),
    ...(rows.every(({ tokensPerSecond }) => tokensPerSecond.estimated === null)
      ? [
          "Tokens a second cannot be estimated: how fast this box's memory is, is not known before a model ran.",
        ]
      : []),
  ];
  const lines = [
    boxText(box),
    `${bytesText(governor.reserve)} of each memory stay free (governor.reserve).`,
    "",
    styleText("bold", title),
    ...tableText(rows),
    ...(notes.length > 0 ? ["", ...notes] : []),
  ];
  return `${lines.join("\n")}\n`;
}

function boxText({ memories, gpuSharesRam, gpus }: Box): string {
  const pools = memories.map(
    ({ id, total, free }) => `${id} ${bytesText(total)}, ${bytesText(free)} of it free`,
  );
  const have = pools.length > 0 ? pools.join("; ") : "how much memory there is cannot be read";
  const gpu = gpuSharesRam
    ? `its GPU${gpus.length > 0 ? ` (${gpus.join(", ")})` : ""} shares the RAM`
    : gpus.length > 0
      ? gpus.join(", ")
      : "no NVIDIA GPU, so models run on the processor";
  return `This box: ${have}; ${gpu}.`;
}

const HEADINGS = ["level", "weights", "KV", "rest", "total", "fits", "GPU layers", "tokens/s", "measured"];

function tableText(rows: readonly Row[]): string[] {
  const cells = [HEADINGS, ...rows.map(rowCells)];
  const widths = HEADINGS.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? "").length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join("  ");
  return cells.flatMap((row, index) => {
    const why = rows[index - 1];
    const text = `  ${line(row)}`;
    if (!why) return [text];
    if (why.reason !== null) return [text, `    ${styleText("red", "✗")} ${why.reason}`];
    return why.now ? [text] : [text, "    · it fits, but not into what is free now"];
  });
}

function rowCells({ level, parts, needs, fits, room, now, gpuLayers, tokensPerSecond }: Row): string[] {
  const total = needs.reduce((sum, { bytes }) => sum + bytes, 0);
  const rate = (value: number | null) => (value === null ? "-" : value.toPrecision(2));
  return [
    level,
    bytesText(parts.weights + parts.mmproj),
    bytesText(parts.kv),
    bytesText(parts.compute + parts.promptCache + parts.other),
    bytesText(total),
    fits ? (now ? "yes" : "not now") : room ? "would" : "no",
    gpuLayers === -1 ? "all" : String(gpuLayers),
    rate(tokensPerSecond.estimated),
    rate(tokensPerSecond.measured),
  ];
}
