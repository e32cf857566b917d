import { styleText } from "node:util";
import { loadConfig } from "../config/config.ts";
import type { Ladder } from "../contract/models.ts";
import { bytesText } from "../contract/units.ts";
import { type FileTask, faultOf, filesOf, levelsThatRun } from "../inference/model-files.ts";
import { importFrom } from "../inference/model-import.ts";
import { pull } from "../inference/model-pull.ts";
import { type Mirror, mirrorOf } from "../inference/model-source.ts";
import type { ModelStore } from "../inference/model-store.ts";
import { isPerchError, messageOf } from "../kernel/errors.ts";
import { silentLogger } from "../kernel/logger.ts";
import { modelStoreOf } from "../model/chosen-level.ts";
import { laddersText } from "./models-list.ts";
import { FileProgress } from "./models-progress.ts";
import { UsageError } from "./usage.ts";

interface Options {
  readonly config: string;
  /** What to do, and with what: `pull gemma-4-12b`. */
  readonly words: readonly string[];
  readonly ladder?: string;
  readonly mirror?: string;
  /** Of plan. */
  readonly json?: boolean;
}

/** What a shell takes for "ended by Ctrl-C". */
const INTERRUPTED = 130;

/** `perch models`: resolves to the exit code. */
export async function models(options: Options): Promise<number> {
  const [action, word] = options.words;
  refuseStray(options);
  switch (action) {
    case "list":
      return list(options);
    case "plan":
      return plan(options, ladderOf(options, word));
    case "pull":
      return withTask(options, ladderOf(options, word), (task) => pullInto(task, mirrorFor(options)));
    case "verify":
      return withTask(options, ladderOf(options, word), verify);
    case "import":
      if (word === undefined) throw new UsageError("import from where? perch models import DIR");
      return withTask(options, options.ladder, (task) => importInto(task, word));
    default:
      throw new UsageError(
        `${action === undefined ? "models what?" : `perch models does not know ${action}:`} list, plan, pull, import or verify; perch models --help`,
      );
  }
}

/** An option that would do nothing is a mistake that is better told. */
function refuseStray({ words: [action, word], ladder, mirror, json }: Options): void {
  if (json && action !== "plan") throw new UsageError("--json belongs to perch models plan");
  if (mirror !== undefined && action !== "pull")
    throw new UsageError("--mirror belongs to perch models pull");
  if (action === "list" && (word !== undefined || ladder !== undefined))
    throw new UsageError("perch models list shows all ladders, and takes none");
}

function ladderOf({ ladder }: Options, word: string | undefined): string | undefined {
  if (ladder !== undefined && word !== undefined && ladder !== word)
    throw new UsageError(`which ladder, ${word} or ${ladder}?`);
  return word ?? ladder;
}

function mirrorFor({ mirror }: Options): Mirror | undefined {
  if (mirror === undefined) return undefined;
  try {
    return mirrorOf(mirror, process.env.PERCH_MIRROR_TOKEN);
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

function storeOf(file: string): { store: ModelStore; inUse: string } {
  // A secret that is not here is the service's: no model file needs one.
  const config = loadConfig(file, () => undefined);
  return { store: modelStoreOf(config, silentLogger), inUse: config.engine.ladder };
}

async function list({ config }: Options): Promise<number> {
  const { store, inUse } = storeOf(config);
  process.stdout.write(await laddersText(store, inUse));
  return 0;
}

async function plan({ config, json = false }: Options, ladder: string | undefined): Promise<number> {
  // Reads sensors and the record, which no other of these needs.
  const { modelsPlan } = await import("./models-plan.ts");
  return modelsPlan({ config, json, ...(ladder !== undefined && { ladder }) });
}

/** Does it for a ladder, until it is done or Ctrl-C comes; a second Ctrl-C ends the process at once. */
async function withTask(
  { config }: Options,
  name: string | undefined,
  action: (task: FileTask) => Promise<number>,
): Promise<number> {
  const { store, inUse } = storeOf(config);
  const ladder = store.ladder(name ?? inUse);
  const ended = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => ended.abort());
  const progress = new FileProgress();
  try {
    return await action({ store, ladder, reporter: progress, signal: ended.signal });
  } catch (error) {
    if (!isPerchError(error, "CANCELLED")) throw error;
    progress.note(error.message);
    return INTERRUPTED;
  } finally {
    progress.clear();
  }
}

async function pullInto(task: FileTask, mirror: Mirror | undefined): Promise<number> {
  const { store, ladder } = task;
  const files = filesOf(ladder);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  say(`ladder ${ladder.id}: ${counted(files.length)}, ${bytesText(bytes)}, in ${store.folder(ladder)}`);
  const brought = await pull({ ...task, ...(mirror && { mirror }) });
  for (const { file } of brought) say(`${RIGHT} ${file}, sha256 right`);
  const right = new Set(files.map(({ file }) => file));
  say(`${brought.length === 0 ? "all are here and right; " : ""}${verdict(ladder, right)}`);
  return 0;
}

async function importInto(task: FileTask, from: string): Promise<number> {
  const { files, right, faults } = await importFrom(from, task);
  for (const { file } of files) say(`${RIGHT} ${file}, sha256 right`);
  for (const fault of faults) say(`${WRONG} ${fault.message}`);
  say(verdict(task.ladder, right));
  return faults.length === 0 && levelsThatRun(task.ladder, right).length > 0 ? 0 : 1;
}

async function verify(task: FileTask): Promise<number> {
  const right = new Set<string>();
  for (const file of filesOf(task.ladder)) {
    const fault = await faultOf(file, task);
    if (!fault) right.add(file.file);
    say(
      fault ? `${WRONG} ${fault.message}` : `${RIGHT} ${file.file}, ${bytesText(file.bytes)}, sha256 right`,
    );
  }
  say(verdict(task.ladder, right));
  return levelsThatRun(task.ladder, right).length === task.ladder.levels.length ? 0 : 1;
}

function verdict(ladder: Ladder, right: ReadonlySet<string>): string {
  const running = levelsThatRun(ladder, right);
  const names = (levels: Ladder["levels"]) => levels.map(({ id }) => id).join(", ");
  if (running.length === 0) return `no level of ${ladder.id} can run`;
  const others = ladder.levels.filter((level) => !running.includes(level));
  return `of ${ladder.id} can run: ${names(running)}${others.length > 0 ? `; not: ${names(others)}` : ""}`;
}

const RIGHT = styleText("green", "✓");
const WRONG = styleText("red", "✗");
const counted = (files: number) => `${files} ${files === 1 ? "file" : "files"}`;
const say = (line: string) => process.stdout.write(`${line}\n`);
