import { Playing } from "../../device/simulator/course/playing.ts";
import { readScenario, type Scenario } from "../../device/simulator/course/scenario.ts";
import { Timeline } from "../../device/simulator/course/timeline.ts";
import type { Script } from "../../device/simulator/script.ts";
import { DEFAULT_SIZE, parseSimSource, parseSize } from "../../device/simulator/sim-source.ts";
import { parseDuration } from "../contract/units.ts";
import { ConfigError } from "../kernel/config-file.ts";
import { messageOf } from "../kernel/errors.ts";
import { UsageError } from "./usage.ts";

interface Options {
  /** A scenario's file, or "cell". */
  readonly what: string;
  readonly seed?: string;
  readonly for?: string;
  readonly size?: string;
  readonly fps?: string;
  readonly out?: string;
  /** A port, or empty. */
  readonly live?: string;
}

/** Something to simulate, and how. */
export interface Simulation {
  /** As it was given: a scenario's file, or "cell". */
  readonly what: string;
  /** What shows the same as a feed. */
  readonly source: string;
  readonly size: { readonly width: number; readonly height: number };
  readonly fps: number | undefined;
  /** Ms; undefined where nobody said how long. */
  readonly wished: number | undefined;
  /** Ms where nobody said: the scenario's own. */
  readonly length: number;
  /** Undefined for the endless cell. */
  readonly scenario: Scenario | undefined;
  /** What there is at a moment, epoch ms; a scenario begins at `begin`, the cell shows what it does then anyway. */
  readonly script: (begin: number) => Script;
}

/** Pictures a second. */
const MOST_FPS = 30;
const LONGEST = 24 * 3_600_000;
/** Ms of the endless cell where nobody said how long. */
const CELL_LENGTH = 60_000;

/** `perch simulate`: shows, writes or serves. Resolves to the exit code: 1 where the scenario has errors. */
export async function simulate(options: Options): Promise<number> {
  if (options.live !== undefined && options.out !== undefined)
    throw new UsageError("--live and --out exclude each other");
  const given = {
    what: options.what,
    size: sizeOf(options.size),
    fps: fpsOf(options.fps),
    wished: durationOf(options.for),
  };
  const subject = orErrors(() => subjectOf(options));
  if (!subject) return 1;
  const simulation = { ...given, ...subject };
  if (options.live !== undefined) {
    const { serveLive } = await import("./simulate-live.ts");
    return serveLive(simulation, portOf(options.live));
  }
  if (options.out !== undefined) {
    const { writeFiles } = await import("./simulate-files.ts");
    return writeFiles(simulation, options.out);
  }
  const { courseText } = await import("./simulate-course.ts");
  process.stdout.write(courseText(simulation));
  return 0;
}

function subjectOf({ what, seed }: Options): Pick<Simulation, "source" | "length" | "scenario" | "script"> {
  if (what === "cell") {
    const source = `sim:cell?seed=${seed ?? "1"}`;
    const parsed = orUsage(() => parseSimSource(source));
    const script = () => new Timeline(parsed.kind === "cell" ? parsed.seed : 1);
    return { source, length: CELL_LENGTH, scenario: undefined, script };
  }
  if (seed !== undefined)
    throw new UsageError("--seed belongs to cell; a scenario's seed stands in its file");
  const scenario = readScenario(what);
  return {
    source: `sim:${what}`,
    length: scenario.length,
    scenario,
    script: (begin) => new Playing(scenario, begin),
  };
}

/** Undefined where a scenario has errors, which are shown as `perch check` shows a configuration's. */
function orErrors<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { problems } = error;
    const count = `${problems.length} ${problems.length === 1 ? "error" : "errors"}`;
    process.stderr.write(`${problems.join("\n")}\n${count}\n`);
    return undefined;
  }
}

function orUsage<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

function sizeOf(text: string | undefined): Simulation["size"] {
  if (text === undefined) return DEFAULT_SIZE;
  const size = parseSize(text);
  if (!size) throw new UsageError(`--size ${text}: must be WIDTHxHEIGHT, from 96 to 1920 pixels each`);
  return size;
}

function fpsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const fps = Number(text);
  if (!(fps > 0 && fps <= MOST_FPS))
    throw new UsageError(`--fps ${text}: must be above 0 and at most ${MOST_FPS}`);
  return fps;
}

/** Undefined where none was given. */
function portOf(text: string): number | undefined {
  if (text === "") return undefined;
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535)
    throw new UsageError(`--live ${text}: must be a port, 0 to 65535`);
  return port;
}

function durationOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const duration = parseDuration(text);
  if (duration === undefined || duration < 1000 || duration > LONGEST)
    throw new UsageError(`--for ${text}: must be a duration from 1s to 24h, like 60s or 5m`);
  return duration;
}
