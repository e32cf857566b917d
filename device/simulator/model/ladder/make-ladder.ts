import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { ModelFile } from "../../../../service/contract/models.ts";
import { ModelStore } from "../../../../service/inference/model-store.ts";
import { silentLogger } from "../../../../service/kernel/logger.ts";
import { packageRoot } from "../../../../service/kernel/paths.ts";
import { filesOf, type LevelFiles, withLevels } from "./models-text.ts";

export const LADDER = "perch-small";
/** The two files of the rung that runs by default, and all files together, bytes: they lie in the repository. */
const LIMITS = { standard: 12e6, all: 40e6 };
/** Rungs whose projectors are no smaller than their names say. */
const LARGE = new Map([
  ["f16", "F16"],
  ["q8_0", "Q8_0"],
  ["q6_k", "Q8_0"],
]);

interface Options {
  /** Folder of the exported files. */
  readonly from: string;
  /** Ids of the rungs, best first. */
  readonly levels: readonly string[];
  /** Id of the rung that runs by default. */
  readonly standard: string;
  /** Type of the projectors of the rungs below q6_k. */
  readonly smallMmproj: string;
  readonly say: (line: string) => void;
  readonly models?: string;
  readonly weights?: string;
  readonly quantizer?: string;
}

const TRAINING = "training.json";

/** Throws an Error that says what is missing or too large; nothing is copied then. */
export async function makeLadder(options: Options): Promise<void> {
  const { from, levels, standard, smallMmproj, say } = options;
  const { models = join(packageRoot, "config/models.yaml") } = options;
  const { weights = join(packageRoot, "device/simulator/model/weights") } = options;
  if (!levels.includes(standard))
    throw new Error(`the default level ${standard} is none of ${levels.join(", ")}`);
  const made = levels.map((id): LevelFiles => {
    const text = textFile(id, options);
    return { id, text: fileOf(from, text), mmproj: fileOf(from, mmprojFile(id, smallMmproj)) };
  });
  refuseSizes(made, standard);
  const before = readFileSync(models, "utf8");
  const after = withLevels(before, LADDER, made, standard);
  const partial = `${models}.partial`;
  writeFileSync(partial, after);
  try {
    // Refuses a file that the service would refuse, with the line.
    new ModelStore({ models: partial, data: weights, logger: silentLogger });
  } catch (error) {
    rmSync(partial);
    throw error;
  }
  mkdirSync(weights, { recursive: true });
  const files = new Map(made.flatMap(({ text, mmproj }) => [text, mmproj]).map((file) => [file.file, file]));
  for (const [file, { bytes }] of files) {
    copyFileSync(join(from, file), join(weights, file));
    say(`${file.padEnd(28)} ${bytes.toLocaleString("en").padStart(12)} bytes`);
  }
  // What the trainer says of these weights goes with them: the card reads it there.
  if (existsSync(join(from, TRAINING))) copyFileSync(join(from, TRAINING), join(weights, TRAINING));
  renameSync(partial, models);
  for (const file of filesOf(before, LADDER))
    if (!files.has(file)) rmSync(join(weights, file), { force: true });
  say(`${total([...files.values()]).toLocaleString("en")} bytes in ${weights}; ${models} names them`);
}

/** Name of a rung's text file, quantized first where it is missing or older than the F16 one. */
function textFile(id: string, { from, quantizer, say }: Options): string {
  const type = id.toUpperCase();
  const file = `small-${type}.gguf`;
  const path = join(from, file);
  const source = join(from, "small-F16.gguf");
  if (id === "f16" || (existsSync(path) && statSync(path).mtimeMs >= modified(source))) return file;
  if (!existsSync(source)) throw new Error(`there is no ${source} to make ${file} of`);
  say(`quantizing ${file}`);
  const binary = quantizer ?? join(packageRoot, "build/engine/llama-quantize");
  if (!existsSync(binary))
    throw new Error(`there is no ${binary}: node deploy/setup/setup.mjs --with-quantizer builds it`);
  const partial = `${path}.partial`;
  try {
    execFileSync(binary, [source, partial, type, "1"], {
      stdio: ["ignore", "pipe", "pipe"],
      encoding: "utf8",
    });
  } catch (error) {
    const said =
      error instanceof Error && "stderr" in error ? String(error.stderr).trim().split("\n").slice(-5) : [];
    throw new Error([`llama-quantize made no ${file}:`, ...said].join("\n"), { cause: error });
  }
  renameSync(partial, path);
  return file;
}

export const mmprojFile = (id: string, small: string): string =>
  `mmproj-small-${LARGE.get(id) ?? small}.gguf`;

/** Change time of a file, ms; before all others where there is none. */
const modified = (path: string): number => (existsSync(path) ? statSync(path).mtimeMs : 0);

export function fileOf(folder: string, file: string): ModelFile {
  const path = join(folder, file);
  if (!existsSync(path)) throw new Error(`there is no ${path}`);
  const content = readFileSync(path);
  return { file, bytes: content.length, sha256: createHash("sha256").update(content).digest("hex") };
}

function refuseSizes(levels: readonly LevelFiles[], standard: string): void {
  const usual = levels.find(({ id }) => id === standard);
  const size = usual ? usual.text.bytes + usual.mmproj.bytes : 0;
  refuse(`the two files of ${standard}`, size, LIMITS.standard);
  const files = new Map(
    levels.flatMap(({ text, mmproj }) => [text, mmproj]).map((file) => [file.file, file]),
  );
  refuse("all files together", total([...files.values()]), LIMITS.all);
}

function refuse(what: string, bytes: number, limit: number): void {
  if (bytes > limit)
    throw new Error(
      `${what} have ${bytes.toLocaleString("en")} bytes; ${limit.toLocaleString("en")} may lie in the repository (--levels takes fewer)`,
    );
}

const total = (files: readonly ModelFile[]): number => files.reduce((sum, { bytes }) => sum + bytes, 0);
