import { isObject } from "../../kernel/config-schema.ts";

type Json = Record<string, unknown>;

/** What an event of a chat's stream says. */
export type Piece =
  | { readonly kind: "model"; readonly model: string }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "thought"; readonly text: string }
  /** Of the call at this place: its name and id come with its first piece. */
  | {
      readonly kind: "call";
      readonly at: number;
      readonly id: string;
      readonly name: string;
      readonly text: string;
    }
  /** The one of the request's own stops that ended the answer. */
  | { readonly kind: "stopped"; readonly by: string }
  | { readonly kind: "finish"; readonly reason: string }
  | { readonly kind: "usage"; readonly prompt: number; readonly cached: number; readonly answer: number };

/** What whole events of a chat's stream say, one or several, in their order. */
export function piecesOf(events: string): Piece[] {
  return events.split("\n\n").flatMap((event) => {
    if (!event.startsWith("data: {")) return [];
    return chunkPieces(JSON.parse(event.slice("data: ".length)) as Json);
  });
}

function chunkPieces({ model, choices, usage, __verbose }: Json): Piece[] {
  const [choice] = (Array.isArray(choices) ? choices : []) as Json[];
  return [
    ...(typeof model === "string" ? [{ kind: "model", model } as const] : []),
    ...(isObject(choice?.delta) ? deltaPieces(choice.delta) : []),
    // llama-server tells it on request only, vLLM in its own field.
    ...stopPiece(isObject(__verbose) ? __verbose.stopping_word : choice?.stop_reason),
    ...(typeof choice?.finish_reason === "string"
      ? [{ kind: "finish", reason: choice.finish_reason } as const]
      : []),
    ...(isObject(usage) ? [usagePiece(usage)] : []),
  ];
}

function deltaPieces({ content, reasoning_content, tool_calls }: Json): Piece[] {
  return [
    ...textPiece("thought", reasoning_content),
    ...textPiece("text", content),
    ...(Array.isArray(tool_calls) ? (tool_calls as Json[]).map(callPiece) : []),
  ];
}

const textPiece = (kind: "text" | "thought", text: unknown): Piece[] =>
  typeof text === "string" && text !== "" ? [{ kind, text }] : [];

const stopPiece = (by: unknown): Piece[] =>
  typeof by === "string" && by !== "" ? [{ kind: "stopped", by }] : [];

function callPiece({ index, id, function: called }: Json): Piece {
  const { name, arguments: text } = isObject(called) ? called : {};
  return { kind: "call", at: Number(index), id: textOf(id), name: textOf(name), text: textOf(text) };
}

function usagePiece({ prompt_tokens, completion_tokens, prompt_tokens_details: details }: Json): Piece {
  return {
    kind: "usage",
    prompt: numberOf(prompt_tokens),
    cached: numberOf(isObject(details) ? details.cached_tokens : 0),
    answer: numberOf(completion_tokens),
  };
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");
const numberOf = (value: unknown): number => (typeof value === "number" ? value : 0);
