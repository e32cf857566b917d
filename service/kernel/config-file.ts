import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { TSchema } from "typebox";
import { Value } from "typebox/value";
import { type Document, isMap, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import { parseDuration, parseSize } from "../contract/units.ts";
import { messageOf, PerchError, systemCode } from "./errors.ts";

/** Where in the document: keys and indexes from the root. */
export type Path = readonly (string | number)[];

/** One thing that is wrong with a file. */
export interface Issue {
  readonly path: Path;
  /** What is wrong and what is allowed, for a person. */
  readonly message: string;
  /** The issue is the key itself, not its value. */
  readonly atKey?: boolean;
}

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

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Reads a YAML file that a TypeBox schema describes: fills in secrets and defaults, checks it all, turns
 * durations into ms and sizes into bytes. `semantics` is asked for what no schema can say, once the
 * schema holds. Throws ConfigError with every error at once, each with file, line, key, the value found
 * and what is allowed.
 */
export function readConfigFile<T>(
  schema: TSchema,
  file: string,
  semantics: (value: T) => readonly Issue[] = () => [],
): T {
  const lines = new LineCounter();
  const document = parseDocument(readText(file), { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    throw new ConfigError(
      file,
      document.errors.map((error) => `${file}:${lines.linePos(error.pos[0]).line}: ${error.message}`),
    );
  }
  const raw: unknown = document.toJS({ maxAliasCount: 100 }) ?? {};
  const report = (issues: readonly Issue[]) =>
    new ConfigError(
      file,
      issues.map((issue) => describe(issue, file, document, lines)),
    );

  const issues: Issue[] = [];
  const filled = fillDefaults(schema, raw);
  const withSecrets = fillSecrets(filled, schema, [], issues);
  issues.push(...schemaIssues(schema, withSecrets));
  if (issues.length > 0) throw report(issues);
  const value = decodeUnits(schema, withSecrets) as T;
  const wrong = semantics(value);
  if (wrong.length > 0) throw report(wrong);
  return value;
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const why =
      systemCode(error) === "ENOENT"
        ? `there is no such file (looked in ${resolve(file)})`
        : messageOf(error);
    throw new ConfigError(file, [`${file}: ${why}`]);
  }
}

/** The branch of a tagged union that a value names; undefined where it names none. */
function branchOf(
  schema: TSchema,
  value: unknown,
): { tag: string; branch?: TSchema; tags: string[] } | undefined {
  const { discriminator, anyOf } = schema as { discriminator?: { propertyName: string }; anyOf?: TSchema[] };
  if (!discriminator || !anyOf) return undefined;
  const tag = discriminator.propertyName;
  const constant = (branch: TSchema) =>
    (branch as { properties: Record<string, { const: string }> }).properties[tag]?.const;
  const found = isObject(value) ? value[tag] : undefined;
  const branch = anyOf.find((candidate) => constant(candidate) === found);
  return { tag, tags: anyOf.map((candidate) => String(constant(candidate))), ...(branch && { branch }) };
}

interface Shape {
  properties?: Record<string, TSchema>;
  patternProperties?: Record<string, TSchema>;
  items?: TSchema | TSchema[];
  default?: unknown;
  format?: string;
}

/** The schema of each child that a value has, unions resolved by their tag. */
function* children(schema: TSchema, value: unknown): Generator<[string | number, TSchema]> {
  const shape = (branchOf(schema, value)?.branch ?? schema) as Shape;
  if (isObject(value)) {
    const [pattern] = Object.values(shape.patternProperties ?? {});
    for (const key of Object.keys(value)) {
      const child = shape.properties?.[key] ?? pattern;
      if (child) yield [key, child];
    }
  } else if (Array.isArray(value) && shape.items) {
    for (const index of value.keys()) {
      const child = Array.isArray(shape.items) ? shape.items[index] : shape.items;
      if (child) yield [index, child];
    }
  }
}

/** A copy with a function applied to every child of an object or array that the schema knows. */
function mapChildren(
  schema: TSchema,
  value: unknown,
  map: (child: TSchema, value: unknown, key: string | number) => unknown,
): unknown {
  if (typeof value !== "object" || value === null) return value;
  const copy: unknown = Array.isArray(value) ? [...value] : { ...value };
  for (const [key, child] of children(schema, value)) {
    (copy as Json)[key] = map(child, (value as Json)[key], key);
  }
  return copy;
}

function fillDefaults(schema: TSchema, value: unknown): unknown {
  const present = value ?? structuredClone((schema as Shape).default);
  const shape = (branchOf(schema, present)?.branch ?? schema) as Shape;
  if (!isObject(present) || !shape.properties) return mapChildren(schema, present, fillDefaults);
  const whole: Json = { ...present };
  for (const [key, child] of Object.entries(shape.properties)) {
    if (whole[key] === undefined || whole[key] === null) {
      const fallback = structuredClone((child as Shape).default);
      if (fallback !== undefined) whole[key] = fallback;
    }
  }
  return mapChildren(schema, whole, fillDefaults);
}

const REFERENCE = /\$\{(env|file):([^}]+)\}/g;

/** Replaces references in texts; only in secrets and texts that hold one. */
function fillSecrets(value: unknown, schema: TSchema, path: Path, issues: Issue[]): unknown {
  if (typeof value === "string") {
    return value.replace(REFERENCE, (reference, kind: string, name: string) => {
      try {
        return kind === "env" ? fromEnvironment(name) : readFileSync(name, "utf8").trim();
      } catch (error) {
        issues.push({ path, message: `${reference} cannot be read: ${messageOf(error)}` });
        return reference;
      }
    });
  }
  return mapChildren(schema, value, (child, inner, key) => fillSecrets(inner, child, [...path, key], issues));
}

function fromEnvironment(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === "") throw new Error(`the environment variable ${name} is not set`);
  return value;
}

/**
 * The errors of a value, one a fault. A tagged union is checked against the branch that the tag names,
 * so that a slip in one key does not bring the errors of every other branch.
 */
function schemaIssues(schema: TSchema, value: unknown, path: Path = []): Issue[] {
  const union = branchOf(schema, value);
  if (union && !union.branch) {
    if (!isObject(value)) return [{ path, message: `must be a mapping with the key ${union.tag}` }];
    const found = value[union.tag];
    return [
      {
        path: found === undefined ? path : [...path, union.tag],
        message: `${union.tag} must be one of ${union.tags.join(", ")}`,
      },
    ];
  }
  const concrete = union?.branch ?? schema;
  const nested = new Set<string>();
  const issues: Issue[] = [];
  for (const [key, child] of children(concrete, value)) {
    nested.add(String(key));
    issues.push(...schemaIssues(child, (value as Json)[key], [...path, key]));
  }
  for (const error of Value.Errors(concrete, value)) {
    // Children were checked above, with their unions resolved.
    const [, first] = error.instancePath.split("/");
    if (first !== undefined && nested.has(first.replaceAll("~1", "/").replaceAll("~0", "~"))) continue;
    const { keyword, params } = error as { keyword: string; params: Json };
    if (keyword === "boolean") continue;
    if (keyword === "additionalProperties")
      issues.push(...unknownKeys(concrete, params.additionalProperties as string[], path));
    else if (keyword === "required") {
      for (const key of params.requiredProperties as string[])
        issues.push({ path, message: `the key ${key} is missing${meaning(concrete, key)}` });
    } else issues.push({ path, message: allowed(concrete, keyword, params, error.message) });
  }
  return issues;
}

function unknownKeys(schema: TSchema, keys: readonly string[], path: Path): Issue[] {
  const known = Object.keys((schema as Shape).properties ?? {});
  const [pattern] = Object.keys((schema as Shape).patternProperties ?? {});
  const hint = known.length > 0 ? `known keys: ${known.join(", ")}` : `names must match ${pattern}`;
  return keys.map((key) => ({ path: [...path, key], atKey: true, message: `unknown key ${key}; ${hint}` }));
}

function meaning(schema: TSchema, key: string): string {
  const { description } = ((schema as Shape).properties?.[key] ?? {}) as { description?: string };
  return description ? ` (${description})` : "";
}

/** What a keyword of the schema allows, in words. */
function allowed(schema: TSchema, keyword: string, params: Json, message: string): string {
  const { format, description } = schema as { format?: string; description?: string };
  if (format === "perch-duration") return 'must be a duration like "250ms", "2s", "5m", "8h" or "30d"';
  if (format === "perch-size") return 'must be a size like "24KB", "500MB" or "2GB"';
  switch (keyword) {
    case "enum":
      return `must be one of ${((schema as { enum?: unknown[] }).enum ?? []).join(", ")}`;
    case "const":
      return `must be ${String(params.allowedValue)}`;
    case "pattern":
      return `is not of the form that is allowed: ${description ?? String(params.pattern)}`;
    default:
      return message;
  }
}

/** Durations become ms and sizes bytes. */
function decodeUnits(schema: TSchema, value: unknown): unknown {
  const { format } = schema as Shape;
  if (format === "perch-duration") return parseDuration(String(value));
  if (format === "perch-size") return parseSize(String(value));
  return mapChildren(schema, value, decodeUnits);
}

function describe(issue: Issue, file: string, document: Document.Parsed, lines: LineCounter): string {
  const { line, text } = locate(issue, document, lines);
  const key = issue.path.length > 0 ? ` ${keyText(issue.path)}` : "";
  return `${file}:${line}:${key}${text === undefined || issue.atKey ? "" : ` = ${text}`}: ${issue.message}`;
}

const keyText = (path: Path) =>
  path
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${part}`))
    .join("")
    .replace(/^\./, "");

/** Line of the deepest node on the path that the file has, and the value written there (never a filled-in secret). */
function locate(
  issue: Issue,
  document: Document.Parsed,
  lines: LineCounter,
): { line: number; text?: string } {
  let offset = 0;
  let node: unknown = document.contents;
  let text: string | undefined;
  for (const part of issue.path) {
    const pair = isMap(node)
      ? node.items.find((item) => isScalar(item.key) && item.key.value === part)
      : undefined;
    const next: unknown = pair
      ? pair.value
      : document.contents && isNode(node) && "get" in node
        ? (node as { get(key: unknown, keep: true): unknown }).get(part, true)
        : undefined;
    const position =
      pair && isNode(pair.key) ? pair.key.range?.[0] : isNode(next) ? next.range?.[0] : undefined;
    if (position === undefined) return { line: lines.linePos(offset).line };
    offset = position;
    node = next;
  }
  if (isScalar(node)) text = JSON.stringify(node.value);
  return { line: lines.linePos(offset).line, ...(text !== undefined && { text }) };
}

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "range" in value;
