import { type AnthropicBlock, AnthropicBody, AnthropicCountBody } from "../../contract/anthropic.ts";
import type { ChatBody, ChatMessage } from "../../contract/openai.ts";
import { isObject } from "../../kernel/config-schema.ts";
import { anthropicError } from "./anthropic-fault.ts";
import { AnthropicForm } from "./anthropic-form.ts";
import { bodyReader, type Refused, withoutNulls } from "./body.ts";
import { chatOf, type Read } from "./chat.ts";
import { countOf } from "./count.ts";
import { OpenAiFault, wrong } from "./fault.ts";

type Json = Record<string, unknown>;
type User = Extract<ChatMessage, { role: "user" }>;
type Of<Type extends AnthropicBlock["type"]> = Extract<AnthropicBlock, { type: Type }>;

const REFUSED: Refused = {
  mcp_servers: { when: () => true, why: "nothing leaves this box" },
  container: { when: () => true, why: "there are none" },
  context_management: { when: () => true, why: "nothing is left out of what is sent" },
};
const messageBody = bodyReader<AnthropicBody>(AnthropicBody, { refused: REFUSED, normal });
const countBody = bodyReader<Omit<AnthropicBody, "max_tokens">>(AnthropicCountBody, {
  refused: REFUSED,
  normal,
});

/** POST /v1/messages: asked as a chat, and answered in the words of Anthropic's API. Throws OpenAiFault. */
export const readMessage = (given: unknown): Read => readAs(messageBody(given));

/** POST /v1/messages/count_tokens. Throws OpenAiFault. */
export const readMessageCount = (given: unknown): Read =>
  countOf(readAs({ ...countBody(given), max_tokens: 1 }), (tokens) => ({ input_tokens: tokens }));

function readAs(body: AnthropicBody): Read {
  const { messages, places } = messagesOf(body);
  const placed = (fault: OpenAiFault) => fault.placed((param) => placeIn(param, places));
  const { stop_sequences, thinking, tools, output_config } = body;
  const { format } = output_config ?? {};
  const chat: ChatBody = {
    ...samplingOf(body),
    messages,
    stream_options: { include_usage: true },
    ...(stop_sequences && { stop: stop_sequences }),
    ...(thinking && thinking.type !== "disabled" && { reasoning_effort: "low" }),
    ...(tools && { tools: tools.map(toolOf) }),
    ...choiceOf(body),
    ...(format && { response_format: { type: "json_schema", json_schema: { schema: format.schema } } }),
  };
  try {
    const read = chatOf(chat, {
      stream: () => new AnthropicForm(body.model),
      whole: () => new AnthropicForm(body.model),
      error: (fault) => anthropicError(placed(fault)),
    });
    // Only so llama-server says which of the stops it was.
    return stop_sequences
      ? { ...read, make: async (on) => ({ ...(await read.make(on)), verbose: true }) }
      : read;
  } catch (error) {
    throw error instanceof OpenAiFault ? placed(error) : error;
  }
}

function samplingOf({ model, stream, temperature, top_p, top_k, max_tokens }: AnthropicBody) {
  return {
    model,
    max_tokens,
    ...(stream !== undefined && { stream }),
    ...(temperature !== undefined && { temperature }),
    ...(top_p !== undefined && { top_p }),
    ...(top_k !== undefined && { top_k }),
  };
}

const toolOf = ({ name, description, input_schema }: NonNullable<AnthropicBody["tools"]>[number]) => ({
  type: "function" as const,
  function: { name, parameters: input_schema, ...(description !== undefined && { description }) },
});

function choiceOf({ tool_choice: choice }: AnthropicBody): Partial<ChatBody> {
  if (!choice) return {};
  const parallel = choice.disable_parallel_tool_use === true ? { parallel_tool_calls: false } : {};
  if (choice.type === "tool")
    return { tool_choice: { type: "function", function: { name: choice.name } }, ...parallel };
  return { tool_choice: choice.type === "any" ? "required" : choice.type, ...parallel };
}

/** With lists where the API takes one or several. */
function normal(body: Json): Json {
  const { system, messages, tools, tool_choice } = body;
  if (Array.isArray(tools)) for (const [at, tool] of tools.entries()) refuseTool(tool, `tools[${at}].type`);
  return {
    ...body,
    ...(typeof system === "string" && { system: [{ type: "text", text: system }] }),
    ...(Array.isArray(messages) && { messages: messages.map(normalMessage) }),
    ...(Array.isArray(tools) && { tools: tools.map((tool) => (isObject(tool) ? withoutNulls(tool) : tool)) }),
    ...(isObject(tool_choice) && { tool_choice: withoutNulls(tool_choice) }),
    ...(isObject(body.output_config) && { output_config: withoutNulls(body.output_config) }),
  };
}

function refuseTool(tool: unknown, param: string): void {
  const type = isObject(tool) ? tool.type : undefined;
  if (typeof type === "string" && type !== "custom")
    throw wrong(param, `${type.slice(0, 50)} is not there: only tools of your own can be called`);
}

function normalMessage(message: unknown, index: number): unknown {
  if (!isObject(message)) return message;
  const { content } = message;
  const place = `messages[${index}].content`;
  if (typeof content === "string") return { ...message, content: [{ type: "text", text: content }] };
  if (!Array.isArray(content)) return message;
  return { ...message, content: content.map((block, at) => normalBlock(block, `${place}[${at}]`)) };
}

function normalBlock(block: unknown, place: string): unknown {
  if (!isObject(block)) return block;
  const { source, content, ...given } = withoutNulls(block);
  if (given.type === "image" && isObject(source) && (source.type === "url" || source.type === "file"))
    throw wrong(`${place}.source`, "nothing is fetched: send the content as base64", "remote_url");
  if (given.type !== "tool_result") return { ...given, ...(source !== undefined && { source }) };
  if (typeof content === "string") return { ...given, content: [{ type: "text", text: content }] };
  if (!Array.isArray(content)) return { ...given, ...(content !== undefined && { content }) };
  return { ...given, content: content.map((inner, at) => normalBlock(inner, `${place}.content[${at}]`)) };
}

/** The messages as those of a chat, and where in the request each of them stands. */
function messagesOf({ system = [], messages }: AnthropicBody): { messages: ChatMessage[]; places: string[] } {
  const told = system.filter(({ text }) => text !== "");
  const all = told.length > 0 ? [{ said: { role: "system" as const, content: told }, place: "system" }] : [];
  const turns = messages.flatMap(({ role, content }, index) => {
    const place = `messages[${index}]`;
    const said = role === "user" ? userTurn(content, place) : [assistantTurn(content, place)];
    return said.map((message) => ({ said: message, place }));
  });
  const whole = [...all, ...turns];
  return { messages: whole.map(({ said }) => said), places: whole.map(({ place }) => place) };
}

/** What tools gave back is a message each in a chat, and their pictures come with the user's own words. */
function userTurn(blocks: readonly AnthropicBlock[], place: string): ChatMessage[] {
  const results: ChatMessage[] = [];
  const content: User["content"] = [];
  for (const [at, block] of blocks.entries()) {
    if (block.type === "text") content.push(block);
    else if (block.type === "image") content.push(pictureOf(block));
    else if (block.type === "tool_result") {
      const { result, pictures } = resultOf(block);
      results.push(result);
      content.push(...pictures);
    } else throw wrong(`${place}.content[${at}]`, `a user's message holds no ${block.type}`);
  }
  if (results.length === 0 && content.length === 0) throw wrong(`${place}.content`, "this is empty");
  return content.length > 0 ? [...results, { role: "user", content }] : results;
}

function resultOf({ tool_use_id, content = [], is_error }: Of<"tool_result">): {
  result: ChatMessage;
  pictures: User["content"];
} {
  const texts = content.filter((block) => block.type === "text");
  const failed = is_error === true ? [{ type: "text" as const, text: "The call failed:" }] : [];
  const said = [...failed, ...texts];
  return {
    result: {
      role: "tool",
      tool_call_id: tool_use_id,
      content: said.length > 0 ? said : [{ type: "text", text: "" }],
    },
    pictures: content.filter((block) => block.type === "image").map(pictureOf),
  };
}

const pictureOf = ({ source: { media_type, data } }: Of<"image">): User["content"][number] => ({
  type: "image_url",
  image_url: { url: `data:${media_type};base64,${data}` },
});

function assistantTurn(blocks: readonly AnthropicBlock[], place: string): ChatMessage {
  for (const [at, { type }] of blocks.entries())
    if (type === "image" || type === "tool_result")
      throw wrong(`${place}.content[${at}]`, `an assistant's message holds no ${type}`);
  const calls = blocks.filter((block) => block.type === "tool_use");
  return {
    role: "assistant",
    content: blocks.filter((block) => block.type === "text"),
    ...(calls.length > 0 && {
      tool_calls: calls.map(({ id, name, input }) => ({
        id,
        type: "function" as const,
        function: { name, arguments: JSON.stringify(input) },
      })),
    }),
  };
}

/** What is wrong was found in the chat: its place in the request. */
function placeIn(param: string, places: readonly string[]): string {
  return param
    .replace(/^messages\[(\d+)\]/, (_, index: string) => places[Number(index)] ?? "messages")
    .replace(/\.image_url\.url$/, ".source.data")
    .replace(/\.tool_calls\[\d+\]\.function\.arguments/, ".input")
    .replace(/^(tools\[\d+\])\.function\.parameters/, "$1.input_schema")
    .replace(/^response_format(\.json_schema)?/, "output_config.format");
}
