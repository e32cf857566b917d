import { isObject } from "../../kernel/config-schema.ts";

type Json = Record<string, unknown>;

interface Call {
  id?: unknown;
  type?: unknown;
  function: { name: string; arguments: string };
}

/** Puts the events of a stream together to the answer that a client gets that did not ask for a stream. */
export class Gathered {
  private head: Json = {};
  private text = "";
  private spoke = false;
  private thought = "";
  private readonly calls = new Map<number, Call>();
  private finish: unknown = null;

  constructor(private readonly kind: "chat" | "completion") {}

  /** Whole events, one or several: `data: {...}`, `data: [DONE]`, or a comment. */
  take(events: string): void {
    for (const event of events.split("\n\n")) this.event(event);
  }

  /** The whole answer. */
  whole(): Json {
    const choice = { index: 0, logprobs: null, finish_reason: this.finish };
    if (this.kind === "completion") return { ...this.head, choices: [{ ...choice, text: this.text }] };
    const calls = [...this.calls.entries()].sort(([a], [b]) => a - b).map(([, call]) => call);
    const message = {
      role: "assistant",
      content: this.spoke || calls.length === 0 ? this.text : null,
      refusal: null,
      ...(this.thought !== "" && { reasoning_content: this.thought }),
      ...(calls.length > 0 && { tool_calls: calls }),
    };
    return { ...this.head, object: "chat.completion", choices: [{ ...choice, message }] };
  }

  private event(event: string): void {
    if (!event.startsWith("data: {")) return;
    const { choices, ...head } = JSON.parse(event.slice("data: ".length)) as Json;
    Object.assign(this.head, head);
    const [choice] = (Array.isArray(choices) ? choices : []) as Json[];
    if (!choice) return;
    if (choice.finish_reason) this.finish = choice.finish_reason;
    if (typeof choice.text === "string") this.text += choice.text;
    if (isObject(choice.delta)) this.delta(choice.delta);
  }

  private delta({ content, reasoning_content, tool_calls }: Json): void {
    if (typeof content === "string" && content !== "") {
      this.spoke = true;
      this.text += content;
    }
    if (typeof reasoning_content === "string") this.thought += reasoning_content;
    for (const piece of (Array.isArray(tool_calls) ? tool_calls : []) as Json[]) this.call(piece);
  }

  private call({ index, id, type, function: called }: Json): void {
    const at = Number(index);
    const call = this.calls.get(at) ?? { function: { name: "", arguments: "" } };
    this.calls.set(at, call);
    if (id) call.id = id;
    if (type) call.type = type;
    if (!isObject(called)) return;
    if (typeof called.name === "string") call.function.name += called.name;
    if (typeof called.arguments === "string") call.function.arguments += called.arguments;
  }
}
