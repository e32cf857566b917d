import { randomBytes } from "node:crypto";
import type { ResponseBody } from "../../contract/openai-responses.ts";
import type { OpenAiFault } from "./fault.ts";
import type { StreamForm, WholeForm } from "./form.ts";
import { type Piece, piecesOf } from "./pieces.ts";

type Json = Record<string, unknown>;

interface Item {
  readonly kind: "text" | "thought" | "call";
  /** Of a call: which one it is. */
  readonly at: number;
  readonly index: number;
  readonly id: string;
  text: string;
  readonly callId: string;
  readonly name: string;
}

const newId = (prefix: string): string => `${prefix}_${randomBytes(16).toString("hex")}`;
const PREFIX = { text: "msg", thought: "rs", call: "fc" } as const;

/** An answer in the words of the Responses API: the events of its stream, or the whole. */
export class ResponseForm implements StreamForm, WholeForm {
  private readonly id = newId("resp");
  private readonly created = Math.floor(Date.now() / 1000);
  private readonly output: Json[] = [];
  private sequence = 0;
  private open: Item | undefined;
  private model: string;
  private usage: Json | null = null;
  private finish = "stop";

  constructor(private readonly asked: ResponseBody) {
    this.model = asked.model;
  }

  take(events: string): string {
    return piecesOf(events)
      .map((piece) => this.begin() + this.piece(piece))
      .join("");
  }

  end(): string {
    const before = this.begin() + this.filled();
    const { type, response } = this.last();
    return before + this.event(type, { response });
  }

  whole(): object {
    this.filled();
    return this.last().response;
  }

  /** Both as the API has it and as its official client looks for it: an event with an error in it. */
  fail({ message, body: { error } }: OpenAiFault): string {
    return this.event("error", { code: error.code, message, param: error.param, error });
  }

  private begin(): string {
    if (this.sequence > 0) return "";
    const response = this.response("in_progress");
    return this.event("response.created", { response }) + this.event("response.in_progress", { response });
  }

  private piece(piece: Piece): string {
    switch (piece.kind) {
      case "text":
      case "thought":
        return this.said(piece.kind, piece.text);
      case "call":
        return this.said("call", piece.text, piece);
      case "finish":
        this.finish = piece.reason;
        return "";
      case "usage":
        this.usage = usageOf(piece);
        return "";
      case "model":
        this.model = piece.model;
        return "";
      case "stopped":
        return "";
    }
  }

  private said(kind: Item["kind"], text: string, call = { at: 0, id: "", name: "" }): string {
    const same = this.open?.kind === kind && this.open.at === call.at;
    const before = same ? "" : this.close() + this.opened(kind, call);
    const { open } = this;
    if (!open || text === "") return before;
    open.text += text;
    return before + this.event(DELTA[kind], { ...this.placeOf(open), delta: text, ...extra(kind) });
  }

  private opened(kind: Item["kind"], call: { at: number; id: string; name: string }): string {
    const { at, name } = call;
    const callId = call.id === "" ? newId("call") : call.id;
    const item = { kind, at, callId, name, index: this.output.length, id: newId(PREFIX[kind]), text: "" };
    this.open = item;
    this.output.push(itemOf(item, "in_progress"));
    const added = { output_index: item.index, item: itemOf(item, "in_progress", false) };
    const before = this.event("response.output_item.added", added);
    return kind === "call" ? before : before + this.partEvent("added", item);
  }

  private close(status: "completed" | "incomplete" = "completed"): string {
    const { open } = this;
    if (!open) return "";
    this.open = undefined;
    const item = itemOf(open, status);
    this.output[open.index] = item;
    const whole = open.kind === "call" ? { name: open.name, arguments: open.text } : { text: open.text };
    return [
      this.event(DONE[open.kind], { ...this.placeOf(open), ...whole, ...extra(open.kind) }),
      open.kind === "call" ? "" : this.partEvent("done", open),
      this.event("response.output_item.done", { output_index: open.index, item }),
    ].join("");
  }

  /** The last item closed; an answer without a word is an empty message. */
  private filled(): string {
    const empty = this.output.length === 0 ? this.opened("text", { at: 0, id: "", name: "" }) : "";
    return empty + this.close(this.finish === "length" ? "incomplete" : "completed");
  }

  private partEvent(what: "added" | "done", item: Item): string {
    return this.event(`response.content_part.${what}`, { ...this.placeOf(item), part: contentOf(item) });
  }

  private placeOf({ kind, id, index }: Item): Json {
    return { item_id: id, output_index: index, ...(kind !== "call" && { content_index: 0 }) };
  }

  private last(): { type: string; response: Json } {
    const status = this.finish === "length" ? "incomplete" : "completed";
    return { type: `response.${status}`, response: this.response(status) };
  }

  private response(status: "in_progress" | "completed" | "incomplete"): Json {
    const { asked } = this;
    return {
      id: this.id,
      object: "response",
      created_at: this.created,
      status,
      error: null,
      incomplete_details: status === "incomplete" ? { reason: "max_output_tokens" } : null,
      instructions: asked.instructions ?? null,
      max_output_tokens: asked.max_output_tokens ?? null,
      metadata: asked.metadata ?? {},
      model: this.model,
      output: [...this.output],
      parallel_tool_calls: asked.parallel_tool_calls ?? true,
      previous_response_id: null,
      reasoning: { effort: asked.reasoning?.effort ?? "none", summary: null },
      store: false,
      temperature: asked.temperature ?? null,
      text: { format: asked.text?.format ?? { type: "text" } },
      tool_choice: asked.tool_choice ?? "auto",
      tools: asked.tools ?? [],
      top_p: asked.top_p ?? null,
      truncation: "disabled",
      usage: this.usage,
    };
  }

  private event(type: string, more: Json): string {
    const data = { type, sequence_number: this.sequence, ...more };
    this.sequence += 1;
    return `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
  }
}

const DELTA = {
  text: "response.output_text.delta",
  thought: "response.reasoning_text.delta",
  call: "response.function_call_arguments.delta",
} as const;
const DONE = {
  text: "response.output_text.done",
  thought: "response.reasoning_text.done",
  call: "response.function_call_arguments.done",
} as const;

const extra = (kind: Item["kind"]): Json => (kind === "text" ? { logprobs: [] } : {});

const contentOf = ({ kind, text }: Item): Json =>
  kind === "text"
    ? { type: "output_text", text, annotations: [], logprobs: [] }
    : { type: "reasoning_text", text };

function itemOf(item: Item, status: "in_progress" | "completed" | "incomplete", filled = true): Json {
  const { kind, id, callId, name, text } = item;
  const content = filled ? [contentOf(item)] : [];
  switch (kind) {
    case "text":
      return { type: "message", id, status, role: "assistant", content };
    case "thought":
      return { type: "reasoning", id, status, summary: [], content };
    case "call":
      return { type: "function_call", id, status, call_id: callId, name, arguments: text };
  }
}

const usageOf = ({ prompt, cached, answer }: Extract<Piece, { kind: "usage" }>): Json => ({
  input_tokens: prompt,
  input_tokens_details: { cached_tokens: cached },
  output_tokens: answer,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: prompt + answer,
});
