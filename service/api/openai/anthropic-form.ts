import { randomBytes } from "node:crypto";
import { anthropicError } from "./anthropic-fault.ts";
import type { OpenAiFault } from "./fault.ts";
import type { StreamForm, WholeForm } from "./form.ts";
import { type Piece, piecesOf } from "./pieces.ts";

type Json = Record<string, unknown>;
type Call = Pick<Extract<Piece, { kind: "call" }>, "at" | "id" | "name">;

interface Block {
  readonly kind: "text" | "thought" | "call";
  readonly call: Call;
  text: string;
}

const NO_CALL: Call = { at: 0, id: "", name: "" };
const newId = (prefix: string): string => `${prefix}_${randomBytes(12).toString("hex")}`;

/** An answer in the words of Anthropic's Messages API: the events of its stream, or the whole. */
export class AnthropicForm implements StreamForm, WholeForm {
  private readonly id = newId("msg");
  private readonly blocks: Block[] = [];
  private begun = false;
  private open: Block | undefined;
  private reason = "end_turn";
  private stopped: string | null = null;
  private usage: Json = { input_tokens: 0, output_tokens: 0 };

  constructor(private model: string) {}

  take(events: string): string {
    return piecesOf(events)
      .map((piece) => this.piece(piece))
      .join("");
  }

  end(): string {
    const { usage } = this;
    return [
      this.begin(),
      this.close(),
      event("message_delta", { delta: this.ending(), usage }),
      event("message_stop", {}),
    ].join("");
  }

  whole(): object {
    return { ...this.message(), content: this.blocks.map(contentOf), ...this.ending(), usage: this.usage };
  }

  fail(fault: OpenAiFault): string {
    const { error } = anthropicError(fault);
    return event("error", { error });
  }

  private piece(piece: Piece): string {
    switch (piece.kind) {
      case "text":
      case "thought":
        return this.said(piece.kind, piece.text, NO_CALL);
      case "call":
        return this.said("call", piece.text, piece);
      case "model":
        this.model = piece.model;
        return this.begin();
      case "stopped":
        this.stopped = piece.by;
        return "";
      case "finish":
        this.reason = piece.reason;
        return "";
      case "usage":
        this.usage = usageOf(piece);
        return "";
    }
  }

  /** What the prompt took is not known yet: it comes with the end. */
  private begin(): string {
    if (this.begun) return "";
    this.begun = true;
    const { usage } = this;
    const nothing = { content: [], stop_reason: null, stop_sequence: null };
    return event("message_start", { message: { ...this.message(), ...nothing, usage } });
  }

  private said(kind: Block["kind"], text: string, call: Call): string {
    const same = this.open?.kind === kind && this.open.call.at === call.at;
    const before = this.begin() + (same ? "" : this.close() + this.opened(kind, call));
    const { open } = this;
    if (!open || text === "") return before;
    open.text += text;
    const index = this.blocks.length - 1;
    return before + event("content_block_delta", { index, delta: deltaOf(kind, text) });
  }

  private opened(kind: Block["kind"], { at, id, name }: Call): string {
    const block = { kind, call: { at, id: id === "" ? newId("toolu") : id, name }, text: "" };
    this.open = block;
    this.blocks.push(block);
    return event("content_block_start", { index: this.blocks.length - 1, content_block: contentOf(block) });
  }

  private close(): string {
    if (!this.open) return "";
    this.open = undefined;
    return event("content_block_stop", { index: this.blocks.length - 1 });
  }

  private ending(): { stop_reason: string; stop_sequence: string | null } {
    const { reason, stopped } = this;
    const stop = reason === "stop" && stopped !== null;
    return {
      stop_reason: stop ? "stop_sequence" : (REASONS[reason] ?? "end_turn"),
      stop_sequence: stop ? stopped : null,
    };
  }

  private message(): Json {
    return { id: this.id, type: "message", role: "assistant", model: this.model };
  }
}

const REASONS: Readonly<Record<string, string>> = {
  stop: "end_turn",
  length: "max_tokens",
  tool_calls: "tool_use",
};

const event = (type: string, more: Json): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;

function deltaOf(kind: Block["kind"], text: string): Json {
  switch (kind) {
    case "text":
      return { type: "text_delta", text };
    case "thought":
      return { type: "thinking_delta", thinking: text };
    case "call":
      return { type: "input_json_delta", partial_json: text };
  }
}

function contentOf({ kind, call: { id, name }, text }: Block): Json {
  switch (kind) {
    case "text":
      return { type: "text", text };
    case "thought":
      return { type: "thinking", thinking: text, signature: "" };
    case "call":
      return { type: "tool_use", id, name, input: inputOf(text) };
  }
}

/** What a tool is called with; nothing where the answer was cut off within. */
function inputOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

/** Anthropic's count of input is what was not in the cache. */
const usageOf = ({ prompt, cached, answer }: Extract<Piece, { kind: "usage" }>): Json => ({
  input_tokens: prompt - cached,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: cached,
  output_tokens: answer,
});
