import type { ImageShape } from "../../contract/models.ts";
import { ChatBody, CompletionBody, LIMITS, type ResponseFormat, type Tool } from "../../contract/openai.ts";
import type { RawRequest } from "../../inference/engine.ts";
import { isObject } from "../../kernel/config-schema.ts";
import { bodyReader } from "./body.ts";
import { askingForCall, type CleanTool, callFormat, callWording } from "./call.ts";
import { wrong } from "./fault.ts";
import { engineWording, type Wording } from "./form.ts";
import type { MediaDesk } from "./media.ts";
import { cleanMessages } from "./messages.ts";
import { cleanSchema } from "./schema.ts";
import { clean, wellFormed } from "./text.ts";

/** A request that was looked through. */
export interface Read {
  readonly model: string;
  /** Whether the client wants the answer as it comes. */
  readonly stream: boolean;
  readonly path: RawRequest["path"];
  /** In whose words it is answered. */
  readonly wording: Wording;
  /** Makes what goes to the engine: only what was checked is in it. Throws OpenAiFault. */
  make(media: { desk: MediaDesk; shape: ImageShape; signal: AbortSignal }): Promise<object>;
}

const chatBody = bodyReader<ChatBody>(ChatBody);
const completionBody = bodyReader<CompletionBody>(CompletionBody);

/** POST /v1/chat/completions. Throws OpenAiFault. */
export const readChat = (given: unknown): Read => chatOf(chatBody(given), engineWording("chat"));

/** Any request that is asked as a chat, and answered in these words. Throws OpenAiFault. */
export function chatOf(body: ChatBody, wording: Wording): Read {
  const { tools = [], tool_choice, parallel_tool_calls, response_format, reasoning_effort = "none" } = body;
  const choice = chooseTools(tools, tool_choice);
  const calls = choice?.held === true;
  return {
    model: body.model,
    stream: body.stream === true,
    path: "/v1/chat/completions",
    wording: calls ? callWording(wording) : wording,
    make: async (media) => {
      const messages = await cleanMessages(body.messages, media);
      return {
        ...sampling(body, body.max_completion_tokens ?? body.max_tokens),
        messages: calls ? askingForCall(messages, choice.tools) : messages,
        ...(choice && { tools: choice.tools, tool_choice: calls ? "none" : choice.choice }),
        ...(choice && parallel_tool_calls !== undefined && { parallel_tool_calls }),
        ...(calls
          ? { response_format: callFormat(choice.tools) }
          : response_format && formatOf(response_format)),
        // Thinking takes a small box minutes: only who asks for it gets it.
        chat_template_kwargs: { enable_thinking: reasoning_effort !== "none" },
      };
    },
  };
}

/** POST /v1/completions. Throws OpenAiFault. */
export function readCompletion(given: unknown): Read {
  const body = completionBody(given);
  if (body.prompt.length > LIMITS.text)
    throw wrong("prompt", `this has ${body.prompt.length} characters; ${LIMITS.text} are taken`);
  return {
    model: body.model,
    stream: body.stream === true,
    path: "/v1/completions",
    wording: engineWording("completion"),
    make: async () => ({ ...sampling(body, body.max_tokens), prompt: clean(body.prompt) }),
  };
}

function sampling(body: Omit<CompletionBody, "prompt">, most: number | undefined): object {
  const { seed, stream, stream_options } = body;
  const { top_p, top_k, min_p, frequency_penalty, presence_penalty } = body;
  const stop = body.stop?.map(wellFormed);
  // So close to nothing the engine divides by what its floats cannot tell from 0, and samples garbage.
  const temperature = (body.temperature ?? 1) < 0.001 ? 0 : body.temperature;
  return {
    ...given({ temperature, top_p, top_k, min_p, frequency_penalty, presence_penalty, stop }),
    ...(most !== undefined && { max_tokens: most }),
    // llama-server reads 32 bits of it, and a negative one as none.
    ...(seed !== undefined && { seed: Math.abs(seed) % 2 ** 31 }),
    cache_prompt: true,
    stream: true,
    stream_options: { include_usage: stream !== true || stream_options?.include_usage === true },
  };
}

const given = (fields: Record<string, unknown>): object =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

/** `held`: the answer has to be a call of one of the tools. */
type Choice = { readonly tools: CleanTool[] } & (
  | { readonly held: true }
  | { readonly held: false; readonly choice: "auto" | "none" }
);

/** The one that is named is all that there is to choose from. */
function chooseTools(tools: readonly Tool[], choice: unknown = "auto"): Choice | undefined {
  const param = "tool_choice";
  if (tools.length === 0 && choice !== "none" && choice !== "auto")
    throw wrong(param, "this chooses among tools, and there are none");
  if (tools.length === 0) return undefined;
  const cleaned = tools.map(cleanTool);
  if (choice === "auto" || choice === "none") return { tools: cleaned, held: false, choice };
  if (choice === "required") return { tools: cleaned, held: true };
  const name = isObject(choice) && isObject(choice.function) ? choice.function.name : undefined;
  const one = cleaned.find((tool) => tool.function.name === name);
  if (!one)
    throw wrong(
      param,
      'this must be "none", "auto", "required", or {"type":"function","function":{"name": one of tools}}',
    );
  return { tools: [one], held: true };
}

function cleanTool({ function: { name, description, parameters } }: Tool, index: number): CleanTool {
  const param = `tools[${index}].function.parameters`;
  const cleaned = cleanSchema(parameters ?? { type: "object", properties: {} }, param, false);
  return {
    type: "function",
    function: {
      name,
      ...(description !== undefined && { description: clean(description) }),
      parameters: isObject(cleaned) ? cleaned : {},
    },
  };
}

function formatOf(format: ResponseFormat): object {
  switch (format.type) {
    case "text":
      return {};
    case "json_object":
      // Of no schema llama-server makes no grammar.
      return { response_format: { type: "json_object", schema: { type: "object" } } };
    case "json_schema": {
      const schema = cleanSchema(format.json_schema.schema, "response_format.json_schema.schema", true);
      return { response_format: { type: "json_schema", json_schema: { name: "answer", schema } } };
    }
  }
}
