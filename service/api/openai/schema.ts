import { LIMITS } from "../../contract/openai.ts";
import { isObject } from "../../kernel/config-schema.ts";
import { wrong } from "./fault.ts";
import { clean } from "./text.ts";

interface Walk {
  /** Where the schema stands in the request. */
  readonly param: string;
  /** Whether the answer is held to it: then a bound that cannot be held is refused, and dropped otherwise. */
  readonly held: boolean;
  nodes: number;
}

/** What only a person or the model reads: control tokens are taken out. Anywhere else they would change the meaning. */
const PROSE = new Set(["description", "title", "$comment"]);
/** What the grammar counts out. */
const REPEATS = ["minLength", "maxLength", "minItems", "maxItems"];
const PAIRS = [
  ["minLength", "maxLength"],
  ["minItems", "maxItems"],
  ["minimum", "maximum"],
  ["exclusiveMinimum", "maximum"],
  ["minimum", "exclusiveMaximum"],
  ["exclusiveMinimum", "exclusiveMaximum"],
] as const;

/**
 * A copy of a JSON schema that may go to the engine. Throws what is too deep, too large, points outside, or
 * holds control tokens.
 */
export function cleanSchema(schema: object, param: string, held: boolean): unknown {
  return cleanValue(schema, "", 0, { param, held, nodes: 0 });
}

/** Throws where a value nests deeper than the engine's own recursion should follow. */
export function refuseDepth(value: unknown, param: string, depth = 0): void {
  if (depth > LIMITS.depth)
    throw wrong(param, `this is more than ${LIMITS.depth} levels deep`, "schema_too_deep");
  if (typeof value !== "object" || value === null) return;
  for (const inner of Object.values(value)) refuseDepth(inner, param, depth + 1);
}

function cleanValue(value: unknown, key: string, depth: number, walk: Walk): unknown {
  const { param } = walk;
  walk.nodes += 1;
  if (depth > LIMITS.depth)
    throw wrong(param, `this is more than ${LIMITS.depth} levels deep`, "schema_too_deep");
  if (walk.nodes > LIMITS.nodes)
    throw wrong(param, `this has more than ${LIMITS.nodes} parts`, "schema_too_large");
  if (typeof value === "string") return cleanString(value, key, param);
  if (Array.isArray(value)) return value.map((item) => cleanValue(item, key, depth + 1, walk));
  if (!isObject(value)) return value;
  const unfit = unfitBounds(value, walk);
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]) => {
      if (clean(name) !== name) throw wrong(param, "a key holds a control token of the model");
      return unfit.has(name) ? [] : [[name, cleanValue(inner, name, depth + 1, walk)]];
    }),
  );
}

/**
 * Bounds that the engine cannot count, or counts for ever: a lower one above its upper one makes llama.cpp's
 * grammar endless, and all slots wait for it. Throws where the answer is held to them.
 */
function unfitBounds(schema: Record<string, unknown>, { held, param }: Walk): Set<string> {
  const unfit = new Map<string, string>();
  for (const name of REPEATS) {
    const bound = schema[name];
    if (typeof bound !== "number") continue;
    if (!Number.isInteger(bound) || bound < 0) unfit.set(name, `${name} must be a whole number from 0`);
    if (bound > LIMITS.repeats) unfit.set(name, `${name} may be ${LIMITS.repeats} at most`);
  }
  for (const [least, most] of PAIRS) {
    const [low, high] = [schema[least], schema[most]];
    if (typeof low !== "number" || typeof high !== "number" || low <= high) continue;
    unfit.set(least, `${least} is above ${most}: nothing would fit`).set(most, "");
  }
  const [why] = unfit.values();
  if (held && why !== undefined) throw wrong(param, why, "unsupported_schema");
  return new Set(unfit.keys());
}

function cleanString(text: string, key: string, param: string): string {
  if (key === "$ref" && !text.startsWith("#"))
    throw wrong(param, "$ref may only point into the schema itself (#/...)", "unsupported_schema");
  if (key === "pattern" && text.length > 1_000)
    throw wrong(param, "a pattern has more than 1,000 characters");
  const cleaned = clean(text);
  if (cleaned !== text && !PROSE.has(key)) throw wrong(param, "a value holds a control token of the model");
  return cleaned;
}
