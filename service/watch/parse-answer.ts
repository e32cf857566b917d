import type { Answer, AnswerField, AnswerSchema, AnswerValue } from "../contract/answer.ts";
import { PerchError } from "../kernel/errors.ts";

/**
 * The answer in what the model wrote: every field of the schema, in its order, and nothing else.
 * Throws ANSWER_INVALID where a field is missing or out of its range; the text is in the message, shortened.
 */
export function parseAnswer(text: string, schema: AnswerSchema): Answer {
  const found = parseObject(text);
  const answer: Answer = {};
  for (const [name, field] of Object.entries(schema)) {
    const value = found[name];
    if (!fits(value, field)) {
      throw new PerchError("ANSWER_INVALID", `the model's answer has no valid ${name}: ${shorten(text)}`);
    }
    answer[name] = value;
  }
  return answer;
}

function parseObject(text: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new PerchError("ANSWER_INVALID", `the model's answer is not JSON: ${shorten(text)}`, error);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new PerchError("ANSWER_INVALID", `the model's answer is not an object: ${shorten(text)}`);
  }
  return parsed as Record<string, unknown>;
}

function fits(value: unknown, field: AnswerField): value is AnswerValue {
  switch (field.type) {
    case "boolean":
      return typeof value === "boolean";
    case "integer":
      return Number.isSafeInteger(value) && within(value as number, field);
    case "number":
      return typeof value === "number" && Number.isFinite(value) && within(value, field);
    case "enum":
      return typeof value === "string" && field.values.includes(value);
    case "string":
      return typeof value === "string" && [...value].length <= field.maxLength;
  }
}

const within = (value: number, { minimum, maximum }: { minimum?: number; maximum?: number }) =>
  value >= (minimum ?? Number.NEGATIVE_INFINITY) && value <= (maximum ?? Number.POSITIVE_INFINITY);

const shorten = (text: string) => JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text);
