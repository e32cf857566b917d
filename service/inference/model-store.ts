import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { readFile, rename, stat, writeFile } from "node:fs/promises";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { type Ladder, type Level, type ModelFile, Models } from "../contract/models.ts";
import { type Issue, readConfigFile } from "../kernel/config-file.ts";
import { messageOf, PerchError, systemCode } from "../kernel/errors.ts";
import { readGgufFacts } from "../kernel/gguf.ts";
import type { Logger } from "../kernel/logger.ts";

export type ModelRole = "text" | "mmproj";

interface Options {
  /** Path of models.yaml. */
  readonly models: string;
  /** The data folder. */
  readonly data: string;
  readonly logger: Logger;
}

const IN_DATA = "data:";
/** Files of which hashing takes long enough for a line in the log, bytes. */
const LARGE = 500e6;

/** What models.yaml offers, where its files lie, and whether they are what they should be. */
export class ModelStore {
  private readonly models: Models;
  private readonly verifiedFile: string;
  private verified: Record<string, string> | undefined;
  /** What was wrong with a file as it stood then, so that a bad file of 7 GB is not hashed at every try. */
  private readonly faults = new Map<string, { identity: string; error: PerchError }>();

  /** Throws ConfigError with every error in models.yaml. */
  constructor(private readonly options: Options) {
    this.models = readConfigFile<Models>(Models, options.models, wrongIds);
    this.verifiedFile = join(options.data, "verified-models.json");
  }

  get ladders(): readonly Ladder[] {
    return this.models.ladders;
  }

  /** Throws CONFIG_INVALID where there is none of that name. */
  ladder(id: string): Ladder {
    return named(this.models.ladders, id, `${this.options.models} has no ladder`);
  }

  /** The rung of that name, the ladder's default without a name. Throws CONFIG_INVALID where there is none. */
  level(ladder: Ladder, id?: string): Level {
    const wanted = id ?? ladder.default ?? ladder.levels[0]?.id ?? "";
    return named(ladder.levels, wanted, `ladder ${ladder.id} has no level`);
  }

  /** Absolute path of a ladder's folder. */
  folder(ladder: Ladder): string {
    const { data, models } = this.options;
    if (ladder.folder.startsWith(IN_DATA)) return resolve(data, ladder.folder.slice(IN_DATA.length));
    return isAbsolute(ladder.folder) ? ladder.folder : resolve(dirname(models), ladder.folder);
  }

  /**
   * Size, time of change and the like of the files, as one text that changes when any of them does.
   * Never throws; a file that is missing reads as "missing".
   */
  async identities(files: readonly ModelFile[], folder: string): Promise<string> {
    const each = files.map(({ file }) => identityOf(join(folder, file)).catch(() => "missing"));
    return (await Promise.all(each)).join(" ");
  }

  /**
   * Checks that a file is there and is what models.yaml says: bytes, GGUF header, tensors within the
   * file, role, sha256 (in the background and once: the result is remembered in the data folder for as
   * long as the file does not change). Resolves to its path. Throws MODEL_MISSING or MODEL_CORRUPT, or
   * CANCELLED when the signal aborts.
   */
  async verifyFile(
    expected: ModelFile,
    folder: string,
    role: ModelRole,
    signal?: AbortSignal,
  ): Promise<string> {
    const path = join(folder, expected.file);
    const identity = await identityOf(path).catch((error: unknown) => {
      throw missing(path, expected, error);
    });
    const wanted = verdictOf(identity, expected, role);
    if ((await this.remembered())[path] === wanted) return path;
    const known = this.faults.get(path);
    if (known?.identity === wanted) throw known.error;
    try {
      await this.check(path, expected, role, signal);
    } catch (error) {
      if (error instanceof PerchError && error.code === "MODEL_CORRUPT")
        this.faults.set(path, { identity: wanted, error });
      throw error;
    }
    this.faults.delete(path);
    await this.remember(path, wanted);
    return path;
  }

  /** Whether verifyFile found the file to be right, and it has not changed since; does not look into it. */
  async isVerified(expected: ModelFile, folder: string, role: ModelRole): Promise<boolean> {
    const path = join(folder, expected.file);
    const identity = await identityOf(path).catch(() => undefined);
    if (identity === undefined) return false;
    return (await this.remembered())[path] === verdictOf(identity, expected, role);
  }

  private async check(
    path: string,
    expected: ModelFile,
    role: ModelRole,
    signal?: AbortSignal,
  ): Promise<void> {
    const { size } = await stat(path);
    if (size !== expected.bytes) {
      const note = size < expected.bytes ? "it was cut off, or is still being copied" : "it is another file";
      throw corrupt(path, `it has ${size} bytes, not ${expected.bytes} (${note})`, expected);
    }
    await checkHeader(path, role, expected);
    if (size > LARGE) this.options.logger.info(`checking ${path} (${(size / 1e9).toFixed(1)} GB)`);
    const found = await sha256Of(path, signal);
    if (found !== expected.sha256)
      throw corrupt(path, `its sha256 is ${found}, not ${expected.sha256}`, expected);
  }

  private async remembered(): Promise<Record<string, string>> {
    this.verified ??= await readFile(this.verifiedFile, "utf8")
      .then((text) => textRecord(JSON.parse(text)))
      .catch((error: unknown) => {
        if (systemCode(error) !== "ENOENT")
          this.options.logger.warn(
            `${this.verifiedFile} cannot be read, the models are checked again: ${messageOf(error)}`,
          );
        return {};
      });
    return this.verified;
  }

  private async remember(path: string, wanted: string): Promise<void> {
    const verified = await this.remembered();
    verified[path] = wanted;
    // The folder is the service's to make: of a command that only looks it would have the wrong owner.
    if (!existsSync(this.options.data)) return;
    const partial = `${this.verifiedFile}.partial`;
    try {
      await writeFile(partial, `${JSON.stringify(verified, null, 2)}\n`);
      await rename(partial, this.verifiedFile);
    } catch (error) {
      this.options.logger.warn(
        `${this.verifiedFile} cannot be written, so ${path} is checked again at the next start: ${messageOf(error)}`,
      );
    }
  }
}

function wrongIds({ ladders }: Models): Issue[] {
  const repeated = (items: readonly { id: string }[], path: readonly (string | number)[]): Issue[] =>
    items.flatMap(({ id }, index) =>
      items.findIndex((other) => other.id === id) < index
        ? [{ path: [...path, index, "id"], message: "is there twice" }]
        : [],
    );
  return [
    ...repeated(ladders, ["ladders"]),
    ...ladders.flatMap(({ levels }, index) => repeated(levels, ["ladders", index, "levels"])),
    ...ladders.flatMap(({ levels, default: id }, index) =>
      id === undefined || levels.some((level) => level.id === id)
        ? []
        : [{ path: ["ladders", index, "default"], message: "is no level of this ladder" }],
    ),
  ];
}

function named<T extends { readonly id: string }>(items: readonly T[], id: string, complaint: string): T {
  const found = items.find((item) => item.id === id);
  if (found) return found;
  const known = items.map((item) => item.id).join(", ");
  throw new PerchError("CONFIG_INVALID", `${complaint} ${JSON.stringify(id)}; there are: ${known}`);
}

/** What is remembered of a file that was right. */
const verdictOf = (identity: string, { sha256 }: ModelFile, role: ModelRole): string =>
  `${identity} ${role} ${sha256}`;

async function identityOf(path: string): Promise<string> {
  const { size, mtimeNs, ino } = await stat(path, { bigint: true });
  return `${size} ${mtimeNs} ${ino}`;
}

async function checkHeader(path: string, role: ModelRole, expected: ModelFile): Promise<void> {
  const { values } = await readGgufFacts(path).catch((error: unknown) => {
    throw corrupt(path, `it is no GGUF file that can be read: ${messageOf(error)}`, expected);
  });
  const found: ModelRole = values.get("general.architecture") === "clip" ? "mmproj" : "text";
  if (found === role) return;
  const names = { text: "a text model", mmproj: "a projector (mmproj)" };
  throw new PerchError(
    "MODEL_CORRUPT",
    `${path} is ${names[found]} and stands in models.yaml as ${role}, which must be ${names[role]}; are the two swapped?`,
  );
}

async function sha256Of(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, ...(signal && { signal }) }))
      hash.update(chunk);
  } catch (error) {
    if (signal?.aborted)
      throw new PerchError("CANCELLED", `the check of ${path} was given up: Perch stops`, error);
    throw new PerchError("MODEL_CORRUPT", `${path} cannot be read: ${messageOf(error)}`, error);
  }
  return hash.digest("hex");
}

function textRecord(value: unknown): Record<string, string> {
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(Object.entries(value).filter(([, text]) => typeof text === "string"));
}

function missing(path: string, { url, bytes }: ModelFile, error: unknown): PerchError {
  if (systemCode(error) !== "ENOENT")
    return new PerchError("MODEL_MISSING", `${path} cannot be reached: ${messageOf(error)}`, error);
  return new PerchError(
    "MODEL_MISSING",
    `there is no model file ${path} (${bytes} bytes); ${remedy(path, url)}`,
  );
}

const corrupt = (path: string, fault: string, { url }: ModelFile): PerchError =>
  new PerchError(
    "MODEL_CORRUPT",
    `${path} is not the file that models.yaml names: ${fault}; ${remedy(path, url)}`,
  );

const remedy = (path: string, url: string | undefined): string =>
  url
    ? `download ${url} and copy it to ${dirname(path)}/, or let perch models pull do it`
    : `copy it to ${dirname(path)}/ again from where it came`;
