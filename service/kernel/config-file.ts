import { resolve } from "node:path";
import type { TSchema } from "typebox";
import {
  decodeUnits,
  fillDefaults,
  formatOf,
  type Issue,
  mapChildren,
  type Path,
  pathText,
  schemaAt,
  schemaIssues,
} from "./config-schema.ts";
import { ConfigText, readText } from "./config-text.ts";
import { messageOf, PerchError } from "./errors.ts";

export type { Issue, Path } from "./config-schema.ts";

/** A file that does not hold what it should; `problems` has a line for each error. */
export class ConfigError extends PerchError {
  constructor(
    readonly file: string,
    readonly problems: readonly string[],
  ) {
    super("CONFIG_INVALID", problems.join("\n"));
    this.name = "ConfigError";
  }
}

/**
 * Reads a YAML file that a TypeBox schema describes: fills in secrets and defaults, checks it all, turns
 * durations into ms and sizes into bytes. `semantics` is asked for what no schema can say, once the
 * schema holds. Throws ConfigError with every error at once, each with file, line, key, the value found
 * and what is allowed; with `onMissingSecret` a secret that cannot be had here is told to it instead, and
 * its reference stays in its place. No error shows a secret, neither one that was filled in nor one that was written
 * into the file.
 */
export function readConfigFile<T>(
  schema: TSchema,
  file: string,
  semantics?: (value: T) => readonly Issue[],
  onMissingSecret?: (problem: string) => void,
): T {
  return readForBoth(schema, file, semantics, onMissingSecret).value;
}

/** The same, with what may be shown of the file: it may be a pipe, and is read once. */
export function readForBoth<T>(
  schema: TSchema,
  file: string,
  semantics: (value: T) => readonly Issue[] = () => [],
  onMissingSecret?: (problem: string) => void,
): { readonly value: T; readonly shown: object } {
  const text = parse(file);
  const raw = orRefuse(file, () => text.toValue());
  const secrets = new Secrets();
  const filled = secrets.fill(fillDefaults(schema, raw), schema, []);
  const report = (issues: readonly Issue[]) => {
    const found = issues.map((issue) => ({ issue, ...text.locate(issue.path) }));
    found.sort((a, b) => a.line - b.line);
    const written = (issue: Issue, value: unknown) =>
      formatOf(schemaAt(schema, raw, issue.path) ?? {}) === "perch-secret" && !isReference(value)
        ? "[hidden]"
        : shown(value);
    return new ConfigError(
      file,
      found.map(({ issue, line, scalar }) => {
        const value = scalar && !issue.atKey ? ` = ${written(issue, scalar.value)}` : "";
        const key = issue.path.length > 0 ? ` ${pathText(issue.path)}${value}:` : "";
        return withoutCredentials(`${file}:${line}:${key} ${secrets.hide(issue.message)}`);
      }),
    );
  };

  if (onMissingSecret) for (const problem of report(secrets.missing).problems) onMissingSecret(problem);
  const issues = [
    ...secrets.issues,
    ...(onMissingSecret ? [] : secrets.missing),
    ...schemaIssues(schema, filled),
  ];
  if (issues.length > 0) throw report(issues);
  const value = decodeUnits(schema, filled) as T;
  const wrong = semantics(value);
  if (wrong.length > 0) throw report(wrong);
  return { value, shown: shownOf(schema, fillDefaults(schema, raw)) as object };
}

/**
 * What stands in a file, with defaults filled in, for people: references as they are written, secrets that were
 * written into it hidden, addresses without user and query.
 */
function shownOf(schema: TSchema, value: unknown): unknown {
  if (typeof value !== "string") return mapChildren(schema, value, shownOf);
  if (formatOf(schema) === "perch-secret" && !isReference(value)) return "[hidden]";
  return withoutCredentials(value).replace(/([a-z][a-z0-9+.-]*:\/\/[^\s"?]*)\?[^\s"]*/gi, "$1?[hidden]");
}

function parse(file: string): ConfigText {
  const text = new ConfigText(orRefuse(file, () => readText(file)));
  if (text.faults.length === 0) return text;
  throw new ConfigError(
    file,
    text.faults.map(({ line, message }) => `${file}:${line}: ${message}`),
  );
}

function orRefuse<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const place = resolve(file) === file ? "" : ` (looked in ${resolve(file)})`;
    throw new ConfigError(file, [`${file}: ${messageOf(error)}${place}`]);
  }
}

const REFERENCE = /\$\{(env|file):([^}]+)\}/g;
/** A file with a secret holds a line; bytes. */
const LARGEST_SECRET = 64_000;
/** Shorter texts stand in messages by chance. */
const SHORTEST_HIDDEN = 4;

const isReference = (value: unknown) => typeof value === "string" && value.replace(REFERENCE, "") === "";

/** Fills in what texts refer to, and knows afterwards which texts no message may show. */
class Secrets {
  /** References of a wrong form. */
  readonly issues: Issue[] = [];
  /** References to what is not there. */
  readonly missing: Issue[] = [];
  private readonly found = new Map<string, string>();

  /** A copy with `${env:NAME}` and `${file:PATH}` replaced in every text that the schema knows. */
  fill(value: unknown, schema: TSchema, path: Path): unknown {
    if (typeof value !== "string")
      return mapChildren(schema, value, (child, inner, key) => this.fill(inner, child, [...path, key]));
    if (formatOf(schema) === "perch-secret" && value.replace(REFERENCE, "").includes("${"))
      this.issues.push({
        path,
        message: `is not a reference that is known: write \${env:NAME} or \${file:PATH}`,
      });
    return value.replace(REFERENCE, (reference, kind: string, name: string) => {
      try {
        const secret = kind === "env" ? (process.env[name] ?? "") : readText(name, LARGEST_SECRET).trim();
        if (secret === "") throw new Error(kind === "env" ? "it is not set, or empty" : "it is empty");
        this.found.set(secret, reference);
        return secret;
      } catch (error) {
        const what = kind === "env" ? "the environment variable" : "the file";
        this.missing.push({ path, message: `${what} ${name} cannot be used: ${messageOf(error)}` });
        return reference;
      }
    });
  }

  /** A message with references in place of what they stand for. */
  hide(message: string): string {
    let hidden = message;
    for (const [secret, reference] of this.found)
      if (secret.length >= SHORTEST_HIDDEN) hidden = hidden.replaceAll(secret, reference);
    return hidden;
  }
}

/** A URL's user and password are nobody's to see, also where they do not belong. */
const withoutCredentials = (text: string) =>
  text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s"]*@/gi, "$1[hidden]@");

/** A value as it stands in the file, shortened. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
