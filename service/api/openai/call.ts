import { randomBytes } from "node:crypto";
import { isObject } from "../../kernel/config-schema.ts";
import type { Wording } from "./form.ts";

type Json = Record<string, unknown>;

/** A tool as the engine gets it. */
export interface CleanTool {
  readonly type: "function";
  readonly function: { readonly name: string; readonly description?: string; readonly parameters: Json };
}

/**
 * What makes an answer a call of one of the tools. llama-server lets free text come first where a call is required,
 * and does not hold the arguments to their schema; so the whole answer is held to the JSON of one call.
 */
export function callFormat(tools: readonly CleanTool[]): object {
  const calls = tools.map(({ function: { name } }, index) => ({
    type: "object",
    properties: {
      name: { type: "string", enum: [name] },
      arguments: { $ref: `#/$defs/${defOf(index)}` },
    },
    required: ["name", "arguments"],
    additionalProperties: false,
  }));
  const defs = tools.map(({ function: { parameters } }, index) => [
    defOf(index),
    moved(argumentsOf(parameters), `#/$defs/${defOf(index)}`),
  ]);
  const [only] = calls;
  const schema = {
    ...(calls.length === 1 ? only : { anyOf: calls }),
    $defs: Object.fromEntries(defs),
  };
  return { type: "json_schema", json_schema: { name: "call", schema } };
}

const defOf = (index: number): string => `tool${index}`;

/** Of a function without parameters the engine would take any object. */
function argumentsOf(parameters: Json): Json {
  const { properties, additionalProperties } = parameters;
  const none = isObject(properties) && Object.keys(properties).length === 0;
  return {
    type: "object",
    ...parameters,
    ...(none && additionalProperties === undefined && { additionalProperties: false }),
  };
}

/** A schema whose references into itself hold at its new place. */
function moved(value: unknown, place: string): unknown {
  if (Array.isArray(value)) return value.map((item) => moved(item, place));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      key === "$ref" && typeof inner === "string" ? inner.replace(/^#/, place) : moved(inner, place),
    ]),
  );
}

/** The messages with the word that a call is wanted: the schema holds the answer, but does not tell the model. */
export function askingForCall(messages: readonly object[], tools: readonly CleanTool[]): object[] {
  const names = tools.map(({ function: { name } }) => name).join(", ");
  const wish = `Answer with one function call, as JSON {"name": ..., "arguments": {...}}. Functions: ${names}.`;
  const [first, ...rest] = messages as Json[];
  if (first?.role === "system" && typeof first.content === "string")
    return [{ ...first, content: `${first.content}\n\n${wish}` }, ...rest];
  return [{ role: "system", content: wish }, ...messages];
}

/** The same words, of an answer that is held to a call. */
export const callWording = (wording: Wording): Wording => ({
  // The client knows nothing of a format.
  error: (fault) => wording.error(fault.placed((param) => param.replace(/^response_format$/, "tools"))),
  stream: () => {
    const calls = new CallStream();
    const form = wording.stream();
    return {
      take: (events) => form.take(calls.take(events)),
      end: () => form.end(),
      fail: (fault) => form.fail(fault),
    };
  },
  whole: () => {
    const calls = new CallStream();
    const form = wording.whole();
    return { take: (events) => form.take(calls.take(events)), whole: () => form.whole() };
  },
});

/** What stands before the arguments, once they have begun. */
const HEAD = /^\s*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"arguments"\s*:\s*(?=\S)/;

/** Makes of the stream of an answer that callFormat holds the stream of a call. */
export class CallStream {
  private text = "";
  private called = false;
  private over = false;
  private depth = 0;
  private quoted = false;
  private escaped = false;

  take(events: string): string {
    return events
      .split("\n\n")
      .map((event) => this.event(event))
      .join("");
  }

  private event(event: string): string {
    if (event === "") return "";
    if (!event.startsWith("data: {")) return `${event}\n\n`;
    const chunk = JSON.parse(event.slice("data: ".length)) as Json;
    const [choice] = (Array.isArray(chunk.choices) ? chunk.choices : []) as Json[];
    if (!choice) return `${event}\n\n`;
    const { content, ...delta } = isObject(choice.delta) ? choice.delta : {};
    const said = typeof content === "string" ? this.heard(content) : { ...("role" in delta && { content }) };
    const reason = this.reasonOf(choice.finish_reason);
    // An answer that nobody held to the schema is told as it is.
    const stray = choice.finish_reason && !this.called && this.text !== "" ? { content: this.text } : {};
    const next = { ...delta, ...said, ...stray };
    if (Object.keys(next).length === 0 && !reason && !chunk.usage) return "";
    const told = { ...chunk, choices: [{ ...choice, delta: next, finish_reason: reason }] };
    return `data: ${JSON.stringify(told)}\n\n`;
  }

  private reasonOf(reason: unknown): unknown {
    return reason === "stop" && this.called ? "tool_calls" : reason;
  }

  private heard(piece: string): object {
    if (this.called) return this.said({ arguments: this.within(piece) });
    this.text += piece;
    const head = HEAD.exec(this.text);
    if (!head) return {};
    this.called = true;
    const call = { id: `call_${randomBytes(12).toString("hex")}`, type: "function" };
    const name: unknown = JSON.parse(head[1] ?? '""');
    return this.said({ name, arguments: this.within(this.text.slice(head[0].length)) }, call);
  }

  private said(called: { name?: unknown; arguments: string }, call: object = {}): object {
    if (called.name === undefined && called.arguments === "") return {};
    return { tool_calls: [{ index: 0, ...call, function: called }] };
  }

  /** What of a piece belongs to the arguments: they end with their own brace, the answer with another. */
  private within(piece: string): string {
    let end = 0;
    for (; end < piece.length && !this.over; end += 1) this.step(piece[end]);
    return piece.slice(0, end);
  }

  private step(character: string | undefined): void {
    if (this.quoted) {
      if (this.escaped) this.escaped = false;
      else if (character === "\\") this.escaped = true;
      else if (character === '"') this.quoted = false;
    } else if (character === '"') this.quoted = true;
    else if (character === "{" || character === "[") this.depth += 1;
    else if (character === "}" || character === "]") {
      this.depth -= 1;
      this.over = this.depth === 0;
    }
  }
}
