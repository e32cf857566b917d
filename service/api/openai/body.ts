import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { isObject, pathText, schemaIssues } from "../../kernel/config-schema.ts";
import { wrong } from "./fault.ts";

type Json = Record<string, unknown>;

/** What a client may ask for and does not get here, and why. */
export type Refused = Readonly<
  Record<string, { readonly when: (value: unknown) => boolean; readonly why: string }>
>;

const REFUSED: Refused = {
  n: { when: (value) => value !== 1, why: "one answer is given to a request: ask again for another" },
  best_of: { when: (value) => value !== 1, why: "one answer is given to a request" },
  logprobs: { when: (value) => value !== false, why: "probabilities are not given" },
  top_logprobs: { when: () => true, why: "probabilities are not given" },
  logit_bias: {
    when: (value) => !isObject(value) || Object.keys(value).length > 0,
    why: "no bias can be given",
  },
  modalities: {
    when: (value) => !Array.isArray(value) || value.some((one) => one !== "text"),
    why: "answers are text only",
  },
  audio: { when: () => true, why: "answers are text only" },
  functions: { when: () => true, why: "use tools" },
  function_call: { when: () => true, why: "use tool_choice" },
  prediction: { when: () => true, why: "predicted outputs are not used" },
  web_search_options: { when: () => true, why: "nothing leaves this box" },
  echo: { when: (value) => value !== false, why: "the prompt is not repeated" },
  suffix: { when: (value) => value !== "", why: "texts are only continued at their end" },
};

/** llama-server's own fields that change what comes out, or what it does: a client that sends one counts on it. */
const OWN = [
  ...[
    "grammar",
    "json_schema",
    "samplers",
    "ignore_eos",
    "n_predict",
    "n_cmpl",
    "n_probs",
    "n_keep",
    "n_discard",
  ],
  ...[
    "id_slot",
    "lora",
    "response_fields",
    "return_tokens",
    "add_generation_prompt",
    "continue_final_message",
  ],
  ...["chat_template_kwargs", "reasoning_format", "chat_format", "chat_parser", "preserved_tokens"],
  ...["grammar_lazy", "grammar_triggers", "t_max_predict_ms"],
];

/**
 * Reads bodies of a schema, which is compiled once. A null counts as nothing, as it does at OpenAI's; an unknown
 * field is left out. The reader throws OpenAiFault with the first thing that is wrong and its place.
 */
export function bodyReader<T>(
  schema: TSchema,
  {
    refused = {},
    normal = normalChat,
  }: { readonly refused?: Refused; readonly normal?: (body: Json) => Json } = {},
): (body: unknown) => T {
  const compiled = Compile(schema);
  const all = { ...REFUSED, ...refused };
  return (body) => {
    if (!isObject(body)) throw wrong("", "the body must be a JSON object");
    const given = normal(withoutNulls(body));
    refuseFields(given, all);
    // All is checked at once where it is well, and piece by piece where something has to be named.
    if (!compiled.Check(given)) {
      const [issue] = schemaIssues(schema, given);
      const path = pathText(issue?.path ?? []);
      throw wrong(path, sentence(path, issue?.message ?? "it is wrong"));
    }
    return given as T;
  };
}

function refuseFields(given: Json, refused: Refused): void {
  for (const [field, { when, why }] of Object.entries(refused))
    if (Object.hasOwn(given, field) && when(given[field]))
      throw wrong(field, `${field} is not taken: ${why}`, "unsupported_parameter");
  for (const field of OWN)
    if (Object.hasOwn(given, field))
      throw wrong(field, `${field} is not taken: it is the engine's own`, "unsupported_parameter");
}

export const withoutNulls = (value: Json): Json =>
  Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== null));

/** With lists where the API takes one or several: content, stop. */
function normalChat(body: Json): Json {
  const { messages, stop } = body;
  return {
    ...body,
    ...(typeof stop === "string" && { stop: [stop] }),
    ...(Array.isArray(messages) && { messages: messages.map(normalMessage) }),
  };
}

function normalMessage(message: unknown): unknown {
  if (!isObject(message)) return message;
  const given = withoutNulls(message);
  return typeof given.content === "string"
    ? { ...given, content: [{ type: "text", text: given.content }] }
    : given;
}

const sentence = (path: string, message: string): string => (path === "" ? message : `${path}: ${message}`);
