import type { TSchema } from "typebox";
import { Value } from "typebox/value";
import { type Grid, gridText, parseGrid } from "../contract/grid.ts";
import {
  durationText,
  momentText,
  parseDuration,
  parseMoment,
  parseSize,
  sizeText,
} from "../contract/units.ts";

/** Where in the document: keys and indexes from the root. */
export type Path = readonly (string | number)[];

/** A path as people write it: watches[0].rules[1].when. */
export const pathText = (path: Path): string =>
  path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`))
    .join("")
    .replace(/^\./, "");

/** One thing that is wrong with a file or a request. */
export interface Issue {
  readonly path: Path;
  /** What is wrong and what is allowed, for a person. */
  readonly message: string;
  /** The issue is the key itself, not its value. */
  readonly atKey?: boolean;
}

type Json = Record<string, unknown>;
export const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What this room reads of a JSON Schema. */
interface Shape {
  properties?: Record<string, TSchema>;
  patternProperties?: Record<string, TSchema>;
  items?: TSchema | TSchema[];
  default?: unknown;
  format?: string;
  description?: string;
  additionalProperties?: boolean;
  enum?: unknown[];
}

export const formatOf = (schema: TSchema): string | undefined => (schema as Shape).format;

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

/** The schema of one child of a value, unions resolved by their tag; undefined where the schema knows none. */
function childOf(schema: TSchema, value: unknown, key: string | number): TSchema | undefined {
  const shape = (branchOf(schema, value)?.branch ?? schema) as Shape;
  if (Array.isArray(value)) return Array.isArray(shape.items) ? shape.items[Number(key)] : shape.items;
  const { properties = {}, patternProperties = {} } = shape;
  // Only its own: a key may be called "constructor".
  if (Object.hasOwn(properties, key)) return properties[key];
  return Object.entries(patternProperties).find(([pattern]) => new RegExp(pattern).test(String(key)))?.[1];
}

/** The schema of each child that a value has. */
function* children(schema: TSchema, value: unknown): Generator<[string | number, TSchema]> {
  if (typeof value !== "object" || value === null) return;
  for (const key of Array.isArray(value) ? value.keys() : Object.keys(value)) {
    const child = childOf(schema, value, key);
    if (child) yield [key, child];
  }
}

/** The schema of what lies at a path in a value; undefined where the schema does not reach so far. */
export function schemaAt(schema: TSchema, value: unknown, path: Path): TSchema | undefined {
  let found: TSchema | undefined = schema;
  let inner = value;
  for (const key of path) {
    found = found && childOf(found, inner, key);
    inner = typeof inner === "object" && inner !== null ? (inner as Json)[key] : undefined;
  }
  return found;
}

/** A copy with a function applied to every child of an object or array that the schema knows. */
export function mapChildren(
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

/** A copy with the schema's defaults where a value is missing or null, at every depth. */
export function fillDefaults(schema: TSchema, value: unknown): unknown {
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

/** Durations and moments become ms, sizes bytes, and grids columns and rows. */
export function decodeUnits(schema: TSchema, value: unknown): unknown {
  const format = formatOf(schema);
  if (format === "perch-duration") return parseDuration(String(value));
  if (format === "perch-moment") return parseMoment(String(value));
  if (format === "perch-size") return parseSize(String(value));
  if (format === "perch-grid") return parseGrid(String(value));
  return mapChildren(schema, value, decodeUnits);
}

/** The reverse of decodeUnits: durations, moments, sizes and grids as they are written. */
export function encodeUnits(schema: TSchema, value: unknown): unknown {
  const format = formatOf(schema);
  if (format === "perch-duration") return durationText(Number(value));
  if (format === "perch-moment") return momentText(Number(value));
  if (format === "perch-size") return sizeText(Number(value));
  if (format === "perch-grid") return gridText(value as Grid);
  return mapChildren(schema, value, encodeUnits);
}

/**
 * The errors of a value, one a fault. A tagged union is checked against the branch that the tag names,
 * so that a slip in one key does not bring the errors of every other branch.
 */
export function schemaIssues(schema: TSchema, value: unknown, path: Path = []): Issue[] {
  const union = branchOf(schema, value);
  if (union && !union.branch) {
    if (!isObject(value)) return [{ path, message: `must be a mapping with the key ${union.tag}` }];
    return [
      {
        path: value[union.tag] === undefined ? path : [...path, union.tag],
        message: `${union.tag} must be one of ${union.tags.join(", ")}`,
      },
    ];
  }
  const concrete = union?.branch ?? schema;
  const issues = [...children(concrete, value)].flatMap(([key, child]) =>
    schemaIssues(child, (value as Json)[key], [...path, key]),
  );
  return [...issues, ...ownIssues(concrete, value, path)];
}

/** What is wrong with a value itself, whatever its children hold. */
function ownIssues(schema: TSchema, value: unknown, path: Path): Issue[] {
  const issues = unknownKeys(schema, value, path);
  for (const error of Value.Errors(shallow(schema), value)) {
    const { keyword, params } = error as { keyword: string; params: Json };
    if (keyword === "required") {
      for (const key of params.requiredProperties as string[])
        issues.push({ path, message: `the key ${key} is missing${meaning(schema, key)}` });
    } else issues.push({ path, message: allowed(schema, keyword, params, error.message) });
  }
  return issues;
}

/**
 * A schema that takes anything for a child, under any name. Children and names are checked by
 * themselves: their unions have to be resolved, and TypeBox tells of no more than eight errors in one check.
 */
function shallow(schema: TSchema): TSchema {
  const { properties, patternProperties, items } = schema as Shape;
  const anything = <T>(of: Record<string, T>) =>
    Object.fromEntries(Object.keys(of).map((key) => [key, {} as TSchema]));
  return {
    ...schema,
    additionalProperties: true,
    ...(properties && { properties: anything(properties) }),
    ...(patternProperties && { patternProperties: anything(patternProperties) }),
    ...(items && { items: Array.isArray(items) ? items.map(() => ({})) : {} }),
  };
}

function unknownKeys(schema: TSchema, value: unknown, path: Path): Issue[] {
  if ((schema as Shape).additionalProperties !== false || !isObject(value)) return [];
  const keys = Object.keys(value).filter((key) => childOf(schema, value, key) === undefined);
  const known = Object.keys((schema as Shape).properties ?? {});
  const [pattern] = Object.keys((schema as Shape).patternProperties ?? {});
  const hint = known.length > 0 ? `known keys: ${known.join(", ")}` : `names must match ${pattern}`;
  return keys.map((key) => ({ path: [...path, key], atKey: true, message: `unknown key ${key}; ${hint}` }));
}

function meaning(schema: TSchema, key: string): string {
  const { description } = ((schema as Shape).properties?.[key] ?? {}) as Shape;
  return description ? ` (${description})` : "";
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  object: "a mapping of keys to values",
  array: "a list",
  "object,string": "a mapping of keys to values, or a text",
  string: "a text; numbers and true, false go in quotes",
  integer: "a whole number",
  number: "a number",
  boolean: "true or false",
};

/** What a keyword of the schema allows, in words. */
function allowed(schema: TSchema, keyword: string, params: Json, message: string): string {
  const { format, description, enum: values } = schema as Shape;
  if (format === "perch-duration") return 'must be a duration like "250ms", "2s", "5m", "8h" or "30d"';
  if (format === "perch-moment") return 'must be a time like "00:20", "1:02.500" or "20s"';
  if (format === "perch-size") return 'must be a size like "24KB", "500MB" or "2GB"';
  if (format === "perch-grid") return 'must be columns and rows like "5x5" or "7x4", 64 at most of each';
  switch (keyword) {
    case "type":
      return `must be ${TYPE_WORDS[String(params.type)] ?? String(params.type)}`;
    case "minLength":
      return params.limit === 1 ? "must not be empty" : message;
    case "enum":
      return `must be one of ${(values ?? []).join(", ")}`;
    case "const":
      return `must be ${String(params.allowedValue)}`;
    case "pattern":
      return `is not of the form that is allowed: ${description ?? ""} (it must match ${String(params.pattern)})`;
    default:
      return message;
  }
}
