import type { ChatBody, ChatMessage, ContentPart, ResponseFormat } from "../../contract/openai.ts";
import { ResponseBody, type ResponseItem, type ResponsePart } from "../../contract/openai-responses.ts";
import { isObject } from "../../kernel/config-schema.ts";
import { bodyReader, type Refused, withoutNulls } from "./body.ts";
import { chatOf, type Read } from "./chat.ts";
import { countOf } from "./count.ts";
import { OpenAiFault, wrong } from "./fault.ts";
import { ResponseForm } from "./responses-form.ts";

type Json = Record<string, unknown>;
type User = Extract<ChatMessage, { role: "user" }>;

const STATELESS = "nothing is kept here: send the whole conversation in input each time";
const REFUSED: Refused = {
  store: { when: (value) => value !== false, why: `${STATELESS}, and leave store out or false` },
  previous_response_id: { when: () => true, why: STATELESS },
  conversation: { when: () => true, why: STATELESS },
  prompt: { when: () => true, why: "there are no stored prompts" },
  background: { when: (value) => value !== false, why: "answers are given to who waits for them" },
  truncation: { when: (value) => value !== "disabled", why: "nothing is left out of what is sent" },
};

const responseBody = bodyReader<ResponseBody>(ResponseBody, { refused: REFUSED, normal });

/** POST /v1/responses: asked as a chat, and answered in the words of the Responses API. Throws OpenAiFault. */
export function readResponse(given: unknown): Read {
  const body = responseBody(given);
  const { messages, places } = messagesOf(body);
  const placed = (param: string) => placeIn(param, places);
  const chat: ChatBody = {
    ...samplingOf(body),
    messages,
    stream_options: { include_usage: true },
    ...(body.tools && {
      tools: body.tools.map(({ type, ...called }) => ({ type, function: called })),
      tool_choice: choiceOf(body.tool_choice),
    }),
    ...(!body.tools && body.tool_choice !== undefined && { tool_choice: body.tool_choice }),
    ...(body.text?.format && { response_format: formatOf(body.text.format) }),
  };
  try {
    return chatOf(chat, {
      stream: () => new ResponseForm(body),
      whole: () => new ResponseForm(body),
      error: (fault) => fault.placed(placed).body,
    });
  } catch (error) {
    throw error instanceof OpenAiFault ? error.placed(placed) : error;
  }
}

/** POST /v1/responses/input_tokens. Throws OpenAiFault. */
export const readResponseCount = (given: unknown): Read =>
  countOf(readResponse(given), (tokens) => ({ object: "response.input_tokens", input_tokens: tokens }));

function samplingOf(body: ResponseBody): Omit<ChatBody, "messages"> {
  const { model, stream, temperature, top_p, max_output_tokens, parallel_tool_calls, reasoning } = body;
  return {
    model,
    ...(stream !== undefined && { stream }),
    ...(temperature !== undefined && { temperature }),
    ...(top_p !== undefined && { top_p }),
    ...(max_output_tokens !== undefined && { max_tokens: max_output_tokens }),
    ...(parallel_tool_calls !== undefined && { parallel_tool_calls }),
    ...(reasoning?.effort !== undefined && { reasoning_effort: reasoning.effort }),
  };
}

/** With lists and types where the API takes one or several, or none. */
function normal(body: Json): Json {
  const { input, tools, text } = body;
  if (Array.isArray(tools)) for (const [at, tool] of tools.entries()) refuseTool(tool, `tools[${at}].type`);
  return {
    ...body,
    ...(typeof input === "string" && { input: [normalItem({ role: "user", content: input }, 0)] }),
    ...(Array.isArray(input) && { input: input.map(normalItem) }),
    ...(Array.isArray(tools) && { tools: tools.map((tool) => (isObject(tool) ? withoutNulls(tool) : tool)) }),
    ...(isObject(text) && { text: withoutNulls(text) }),
    ...(isObject(body.reasoning) && { reasoning: withoutNulls(body.reasoning) }),
  };
}

function refuseTool(tool: unknown, param: string): void {
  const type = isObject(tool) ? tool.type : undefined;
  if (typeof type === "string" && type !== "function")
    throw wrong(param, `${type.slice(0, 50)} is not there: only functions of your own can be called`);
}

function normalItem(item: unknown, index: number): unknown {
  if (!isObject(item)) return item;
  const { type = "message", ...given } = withoutNulls(item);
  if (type === "item_reference")
    throw wrong(`input[${index}]`, `item_reference is not taken: ${STATELESS}`, "unsupported_parameter");
  const { content, output } = given;
  const texts = given.role === "assistant" ? "output_text" : "input_text";
  return {
    ...given,
    type,
    ...(typeof content === "string" && { content: [{ type: texts, text: content }] }),
    ...(typeof output === "string" && { output: [{ type: "input_text", text: output }] }),
  };
}

/** The items as messages of a chat, and where in the request each of them stands. */
function messagesOf({ instructions, input }: ResponseBody): { messages: ChatMessage[]; places: string[] } {
  const messages: ChatMessage[] = [];
  const places: string[] = [];
  const add = (message: ChatMessage, place: string) => {
    messages.push(message);
    places.push(place);
  };
  if (instructions !== undefined && instructions !== "")
    add({ role: "system", content: [{ type: "text", text: instructions }] }, "instructions");
  /** Pictures that functions gave back: a chat's tools answer by text only. */
  let seen: User["content"] = [];
  for (const [index, item] of input.entries()) {
    const place = `input[${index}]`;
    if (item.type !== "function_call_output" && seen.length > 0) {
      add({ role: "user", content: seen }, place);
      seen = [];
    }
    if (item.type === "function_call") {
      const last = messages.at(-1);
      const { call_id: id, name, arguments: given } = item;
      const call = { id, type: "function" as const, function: { name, arguments: given } };
      if (last?.role === "assistant") last.tool_calls = [...(last.tool_calls ?? []), call];
      else add({ role: "assistant", tool_calls: [call] }, place);
    } else if (item.type === "function_call_output") {
      const parts = item.output.map((part, at) => partOf(part, `${place}.output[${at}]`));
      const texts = parts.filter((part) => part.type === "text");
      seen.push(...parts.filter((part) => part.type !== "text" && part.type !== "refusal"));
      const content = texts.length > 0 ? texts : [{ type: "text" as const, text: "" }];
      add({ role: "tool", tool_call_id: item.call_id, content }, place);
    } else if (item.type === "message") add(messageOf(item, place), place);
  }
  if (seen.length > 0) add({ role: "user", content: seen }, `input[${input.length - 1}]`);
  if (messages.length === 0) throw wrong("input", "this asks nothing");
  return { messages, places };
}

function messageOf(
  { role, content }: Extract<ResponseItem, { type: "message" }>,
  place: string,
): ChatMessage {
  const parts = content.map((part, at) => partOf(part, `${place}.content[${at}]`));
  if (role === "assistant") {
    const said = parts.filter((part) => part.type === "text" || part.type === "refusal");
    if (said.length < parts.length) throw wrong(`${place}.content`, "an assistant's message holds text only");
    return { role, content: said };
  }
  if (parts.length === 0) throw wrong(`${place}.content`, "this is empty");
  if (role === "user") return { role, content: parts.map(asked) };
  const texts = parts.filter((part) => part.type === "text");
  if (texts.length < parts.length) throw wrong(`${place}.content`, `a ${role} message holds text only`);
  return { role, content: texts };
}

const asked = (part: ContentPart): User["content"][number] =>
  part.type === "refusal" ? { type: "text", text: part.refusal } : part;

function partOf(part: ResponsePart, place: string): ContentPart {
  switch (part.type) {
    case "input_text":
    case "output_text":
      return { type: "text", text: part.text };
    case "input_image":
      if (part.image_url === "") throw wrong(place, "this picture is empty");
      return { type: "image_url", image_url: { url: part.image_url } };
    default:
      return part;
  }
}

function choiceOf(choice: unknown): unknown {
  if (!isObject(choice)) return choice ?? "auto";
  if (choice.type === "function") return { type: "function", function: { name: choice.name } };
  throw wrong(
    "tool_choice",
    'this must be "none", "auto", "required", or {"type":"function","name": one of tools}',
  );
}

function formatOf(format: NonNullable<NonNullable<ResponseBody["text"]>["format"]>): ResponseFormat {
  if (format.type !== "json_schema") return format;
  return { type: "json_schema", json_schema: { schema: format.schema } };
}

/** What is wrong was found in the chat: its place in the request. */
function placeIn(param: string, places: readonly string[]): string {
  return param
    .replace(/^messages\[(\d+)\]/, (_, index: string) => places[Number(index)] ?? "input")
    .replace(/^messages$/, "input")
    .replace(/\.image_url\.url$/, ".image_url")
    .replace(/\.tool_calls\[\d+\]\.function/, "")
    .replace(/^(tools\[\d+\])\.function/, "$1")
    .replace(/^response_format\.json_schema/, "text.format")
    .replace(/^response_format/, "text.format");
}
