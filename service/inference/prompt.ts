import type { AnswerField, AnswerSchema } from "../contract/answer.ts";
import type { Ladder } from "../contract/models.ts";
import type { Prompt } from "./engine.ts";
import { grammarOf, mostTokens } from "./grammar.ts";

type Content =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image_url"; readonly image_url: { readonly url: string } }
  | { readonly type: "input_audio"; readonly input_audio: { readonly format: "wav"; readonly data: string } };

/** Body of POST /v1/chat/completions, with llama-server's own fields. */
export interface ChatRequest {
  readonly messages: readonly { readonly role: "user"; readonly content: readonly Content[] }[];
  readonly temperature: 0;
  readonly max_tokens: number;
  readonly cache_prompt: true;
  readonly chat_template_kwargs: { readonly enable_thinking: false };
  readonly grammar?: string;
}

const FREE_TEXT_TOKENS = 512;

/**
 * The request for a prompt. `media-first` is how a model trained that way must be asked: images, sound,
 * then nothing but the question. `question-first` puts what stays the same before what changes, so that
 * the prefix cache keeps it, and the sound before the images, because the model hears badly beyond some
 * 450 tokens; it also says which fields the answer has, for the grammar alone does not tell the model.
 */
export function chatRequest(prompt: Prompt, order: Ladder["order"]): ChatRequest {
  const { question, schema, images = [], audio } = prompt;
  const text: Content = {
    type: "text",
    text: harmless(
      order === "question-first" && schema ? `${question}\n\n${describeFields(schema)}` : question,
    ),
  };
  const pictures: Content[] = images.map((jpeg) => ({
    type: "image_url",
    image_url: { url: `data:image/jpeg;base64,${jpeg.toString("base64")}` },
  }));
  const sound: Content[] = audio
    ? [{ type: "input_audio", input_audio: { format: "wav", data: audio.toString("base64") } }]
    : [];
  return {
    messages: [
      {
        role: "user",
        content: order === "media-first" ? [...pictures, ...sound, text] : [text, ...sound, ...pictures],
      },
    ],
    temperature: 0,
    max_tokens: schema ? mostTokens(schema) : (prompt.maxTokens ?? FREE_TEXT_TOKENS),
    cache_prompt: true,
    chat_template_kwargs: { enable_thinking: false },
    ...(schema && { grammar: grammarOf(schema) }),
  };
}

/**
 * Control tokens of Gemma (`<|turn>`, `<turn|>`, `<start_of_turn>`, `<bos>`, `<unused7>`) and of others
 * (`<|im_end|>`, `</s>`), and llama-server's media markers (`<__media__>`). The tokenizer takes them for
 * what they say wherever they stand, so that a text could end its own turn or ask for media.
 */
const CONTROL =
  /<\|[^<>\s]{0,40}>|<[^<>\s]{0,40}\|>|<__[^<>\s]{0,60}>|<\/?(?:bos|eos|pad|unk|mask|s|unused\d+|(?:start|end)_of_[a-z]+|image_soft_token|audio_soft_token)>/gi;

/** The text with every control token replaced by a space, which keeps its neighbours from forming a new one. */
export const harmless = (text: string): string => text.replace(CONTROL, " ");

function describeFields(schema: AnswerSchema): string {
  const lines = Object.entries(schema).map(([key, field]) => {
    const meaning = field.description ? `, ${field.description}` : "";
    return `- ${key}: ${allowedValues(field)}${meaning}`;
  });
  return `Answer with one JSON object of these fields, in this order:\n${lines.join("\n")}`;
}

function allowedValues(field: AnswerField): string {
  switch (field.type) {
    case "boolean":
      return "true or false";
    case "enum":
      return `one of ${field.values.map((value) => JSON.stringify(value)).join(", ")}`;
    case "string":
      return `text of at most ${field.maxLength} characters, may be empty`;
    case "integer":
    case "number":
      return `${field.type === "integer" ? "whole number" : "number"}${boundsText(field)}`;
  }
}

function boundsText({ minimum, maximum }: { minimum?: number; maximum?: number }): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`;
  if (minimum !== undefined) return `, ${minimum} or more`;
  return maximum !== undefined ? `, ${maximum} or less` : "";
}
