import type { Ladder } from "../contract/models.ts";
import { isObject } from "../kernel/config-schema.ts";
import { isRaw, type Prompt, type RawRequest } from "./engine.ts";
import { chatRequest } from "./prompt.ts";
import { answerFormat, answerRoom } from "./response-format.ts";

/** What a request may need of a server, beyond text. */
export const ABILITIES = ["image", "audio", "schema", "tools"] as const;
export type Ability = (typeof ABILITIES)[number];

/** How a server must be spoken to. */
export interface Dialect {
  /** What it calls its model. */
  readonly model: string;
  /** It is llama-server, or passes llama-server's own fields on to one. */
  readonly llama: boolean;
  /** It takes chat_template_kwargs, by which a model is told not to think first. */
  readonly template: boolean;
}

type Json = Record<string, unknown>;

/** What a piece of work needs. Of a raw request the body is looked through: the gateway made it. */
export function needsOf(work: Prompt | RawRequest): ReadonlySet<Ability> {
  const known = NEEDS.get(work);
  if (known) return known;
  const needs = new Set(isRaw(work) ? rawNeeds(JSON.parse(work.body) as Json) : promptNeeds(work));
  NEEDS.set(work, needs);
  return needs;
}

/** A body can have 32 MB, and is asked about often while it waits. */
const NEEDS = new WeakMap<Prompt | RawRequest, ReadonlySet<Ability>>();

function promptNeeds({ images = [], audio, schema }: Prompt): Ability[] {
  return [
    ...(images.length > 0 ? (["image"] as const) : []),
    ...(audio ? (["audio"] as const) : []),
    ...(schema ? (["schema"] as const) : []),
  ];
}

function rawNeeds({ messages, tools, tool_choice, response_format }: Json): Ability[] {
  const parts = asList(messages).flatMap((message) => asList(isObject(message) ? message.content : []));
  const has = (type: string) => parts.some((part) => isObject(part) && part.type === type);
  const held = isObject(response_format) && response_format.type !== "text";
  return [
    ...(has("image_url") ? (["image"] as const) : []),
    ...(has("input_audio") ? (["audio"] as const) : []),
    ...(held ? (["schema"] as const) : []),
    ...(asList(tools).length > 0 && tool_choice !== "none" ? (["tools"] as const) : []),
  ];
}

const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** The body of a chat for a prompt, always as a stream: only then is a server's silence told from its work. */
export function promptBody(prompt: Prompt, order: Ladder["order"], dialect: Dialect): string {
  const { grammar, ...chat } = chatRequest(prompt, order);
  const { schema } = prompt;
  return JSON.stringify({
    ...inDialect({ ...chat }, dialect),
    // llama-server's grammar is the narrower one: it admits no white space, which weak models lose themselves in.
    ...(schema &&
      (dialect.llama
        ? { grammar }
        : { response_format: answerFormat(schema), max_tokens: answerRoom(schema) })),
  });
}

/** A raw request's body in a server's own words, and whether whoever asked wants to be told what it took. */
export function rawBody(body: string, dialect: Dialect): { body: string; usage: boolean } {
  const given = JSON.parse(body) as Json;
  const { stream_options } = given;
  const usage = isObject(stream_options) && stream_options.include_usage === true;
  return { body: JSON.stringify(inDialect(given, dialect)), usage };
}

function inDialect(given: Json, { model, llama, template }: Dialect): Json {
  const { cache_prompt, chat_template_kwargs, response_format, ...rest } = given;
  return {
    model,
    ...rest,
    stream: true,
    stream_options: { include_usage: true },
    ...(llama && { cache_prompt }),
    ...(template && chat_template_kwargs !== undefined && { chat_template_kwargs }),
    ...(response_format !== undefined && {
      response_format: llama ? response_format : plainFormat(response_format),
    }),
  };
}

/** Without the schema that llama-server wants even of any object. */
const plainFormat = (format: unknown): unknown =>
  isObject(format) && format.type === "json_object" ? { type: "json_object" } : format;
