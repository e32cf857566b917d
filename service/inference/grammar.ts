import type { AnswerField, AnswerSchema } from "../contract/answer.ts";
import { PerchError } from "../kernel/errors.ts";

/** Bounds of an integer for which a schema names none; further out only where the other bound is. */
const USUAL_BOUND = 999_999_999;
const USUAL_NUMBER_BOUND = 999_999;
const MOST_DECIMALS = 6;

/**
 * A GBNF grammar that admits exactly one JSON object with the schema's fields, in its order, without
 * white space (a weak model can fill an answer with tabs where a grammar lets it, and be cut off).
 * GBNF: https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md
 */
export function grammarOf(schema: AnswerSchema): string {
  const fields = Object.entries(schema);
  const pieces = fields.flatMap(([key, field], index) => [
    literal(`${index === 0 ? "{" : ","}${JSON.stringify(key)}:`),
    fieldExpression(field, key),
  ]);
  const rules = [`root ::= ${pieces.join(" ")} ${literal("}")}`];
  if (fields.some(([, field]) => field.type === "string")) {
    // Printable characters of the basic plane, so that a character is one UTF-16 unit as JavaScript counts.
    rules.push(String.raw`char ::= [ !#-\[\]-~\u00A0-\uD7FF\uE000-\uFFFD] | "\\\"" | "\\\\"`);
  }
  return `${rules.join("\n")}\n`;
}

/** The most tokens that an answer under grammarOf can take: one for each of its bytes. */
export function mostTokens(schema: AnswerSchema): number {
  const sum = Object.entries(schema).reduce(
    (total, [key, field]) => total + JSON.stringify(key).length + 2 + mostBytes(field),
    0,
  );
  // Braces and the end-of-turn token.
  return sum + 3;
}

function fieldExpression(field: AnswerField, key: string): string {
  switch (field.type) {
    case "boolean":
      return `("true" | "false")`;
    case "enum":
      return `(${field.values.map((value) => literal(JSON.stringify(value))).join(" | ")})`;
    case "string":
      return String.raw`"\"" char{0,${field.maxLength}} "\""`;
    case "integer":
      return `(${integerRange(...integerBounds(field), key)})`;
    case "number":
      return `(${numberRange(field, key)})`;
  }
}

function mostBytes(field: AnswerField): number {
  switch (field.type) {
    case "boolean":
      return 5;
    case "enum":
      return Math.max(...field.values.map((value) => Buffer.byteLength(JSON.stringify(value))));
    case "string":
      return field.maxLength * 3 + 2;
    case "integer":
      return Math.max(...integerBounds(field).map((bound) => String(bound).length));
    case "number":
      return Math.max(...numberBounds(field).map((bound) => bound.toFixed(decimalsOf(field)).length));
  }
}

function integerBounds({ minimum, maximum }: { minimum?: number; maximum?: number }): [number, number] {
  const low = minimum ?? ((maximum ?? 0) < -USUAL_BOUND ? Number.MIN_SAFE_INTEGER : -USUAL_BOUND);
  const high = maximum ?? ((minimum ?? 0) > USUAL_BOUND ? Number.MAX_SAFE_INTEGER : USUAL_BOUND);
  return [Math.max(low, Number.MIN_SAFE_INTEGER), Math.min(high, Number.MAX_SAFE_INTEGER)];
}

function numberBounds({ minimum, maximum }: { minimum?: number; maximum?: number }): [number, number] {
  const far = Math.max(USUAL_NUMBER_BOUND, Math.abs(minimum ?? 0) * 10, Math.abs(maximum ?? 0) * 10);
  return [minimum ?? -far, maximum ?? far];
}

/** Decimals that a number is written with: two, or as many as its bounds need. */
function decimalsOf({ minimum = 0, maximum = 0 }: { minimum?: number; maximum?: number }): number {
  const needed = [minimum, maximum].map((bound) => {
    for (let decimals = 2; decimals < MOST_DECIMALS; decimals += 1) {
      if (Number(bound.toFixed(decimals)) === bound) return decimals;
    }
    return MOST_DECIMALS;
  });
  return Math.max(...needed);
}

/**
 * Alternatives that match exactly the integers from `low` to `high`, both included, as JSON writes them
 * (no leading zeros, no "-0"). Only literals, [a-b], {n}, and " | " occur.
 */
export function integerRange(low: number, high: number, key = "integer"): string {
  refuseEmpty(low, high, key);
  return signedRange(low, high, 0).join(" | ");
}

/** As integerRange, for numbers with a fixed count of decimals: their texts compare digit by digit too. */
function numberRange(field: { minimum?: number; maximum?: number }, key: string): string {
  const [low, high] = numberBounds(field);
  const decimals = decimalsOf(field);
  const scale = 10 ** decimals;
  // In steps of the last decimal; a bound between two steps moves inwards. toFixed takes off the
  // rounding error of the multiplication.
  const lowest = Math.max(Number.MIN_SAFE_INTEGER, Math.ceil(Number((low * scale).toFixed(3))));
  const highest = Math.min(Number.MAX_SAFE_INTEGER, Math.floor(Number((high * scale).toFixed(3))));
  refuseEmpty(lowest, highest, key);
  return signedRange(lowest, highest, decimals).join(" | ");
}

function refuseEmpty(low: number, high: number, key: string): void {
  if (low > high || Number.isNaN(low - high)) {
    throw new PerchError("CONFIG_INVALID", `${key}: its minimum is above its maximum, nothing would fit`);
  }
}

function signedRange(low: number, high: number, decimals: number): string[] {
  const alternatives: string[] = [];
  if (low < 0) {
    const negative = positiveRange(Math.max(1, -high), -low, decimals);
    alternatives.push(...negative.map((alternative) => `"-" ${alternative}`));
  }
  if (high >= 0) alternatives.push(...positiveRange(Math.max(0, low), high, decimals));
  return alternatives;
}

/** Splits a range into runs whose texts are equally long, each of which compares position by position. */
function positiveRange(low: number, high: number, decimals: number): string[] {
  const alternatives: string[] = [];
  let from = low;
  while (from <= high) {
    const digits = Math.max(String(from).length, decimals + 1);
    const to = Math.min(10 ** digits - 1, high);
    alternatives.push(...sameLength(withDot(from, digits, decimals), withDot(to, digits, decimals)));
    from = to + 1;
  }
  return alternatives;
}

function withDot(value: number, digits: number, decimals: number): string {
  const text = String(value).padStart(digits, "0");
  return decimals === 0 ? text : `${text.slice(0, -decimals)}.${text.slice(-decimals)}`;
}

/** Alternatives for all texts from `low` to `high`, equally long, with the dot (if any) at the same place. */
function sameLength(low: string, high: string): string[] {
  if (low === high) return [`"${low}"`];
  const first = low[0] ?? "";
  const last = high[0] ?? "";
  const rest = [low.slice(1), high.slice(1)] as const;
  if (first === last) return sameLength(...rest).map((alternative) => join(first, alternative));
  const zeros = rest[0].replace(/\d/g, "0");
  const nines = rest[0].replace(/\d/g, "9");
  const alternatives: string[] = [];
  let from = Number(first);
  let to = Number(last);
  if (rest[0] !== zeros) {
    alternatives.push(...sameRest(first, rest[0], nines));
    from += 1;
  }
  const upper: string[] = [];
  if (rest[1] !== nines) {
    upper.push(...sameRest(last, zeros, rest[1]));
    to -= 1;
  }
  if (from <= to) {
    const digit = from === to ? `"${from}"` : `[${from}-${to}]`;
    alternatives.push([digit, anyDigits(zeros)].filter((piece) => piece !== "").join(" "));
  }
  return [...alternatives, ...upper];
}

const sameRest = (first: string, low: string, high: string): string[] =>
  sameLength(low, high).map((alternative) => join(first, alternative));

/** Sets a character before an alternative, within its literal if it begins with one. */
const join = (character: string, alternative: string): string =>
  alternative.startsWith('"') ? `"${character}${alternative.slice(1)}` : `"${character}" ${alternative}`;

/** [0-9]{n} for a run of zeros; around the dot if there is one. */
const anyDigits = (zeros: string): string =>
  zeros
    .split(".")
    .map((run) => (run === "" ? "" : run.length === 1 ? "[0-9]" : `[0-9]{${run.length}}`))
    .join(zeros.includes(".") ? ' "." ' : "")
    .trim();

/** A GBNF literal. */
const literal = (text: string): string => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
