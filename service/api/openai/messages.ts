import type { ImageShape } from "../../contract/models.ts";
import { type ChatMessage, type ContentPart, LIMITS, type ToolCall } from "../../contract/openai.ts";
import { PerchError } from "../../kernel/errors.ts";
import { wrong } from "./fault.ts";
import { type MediaDesk, refuseLength } from "./media.ts";
import { refuseDepth } from "./schema.ts";
import { clean } from "./text.ts";

interface Media {
  readonly desk: MediaDesk;
  readonly shape: ImageShape;
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal;
}

/** The messages as the engine may have them: texts without control tokens, media decoded and encoded anew. Throws OpenAiFault. */
export async function cleanMessages(messages: readonly ChatMessage[], media: Media): Promise<object[]> {
  refuseAmounts(messages);
  const cleaned: object[] = [];
  let seconds = 0;
  for (const [index, message] of messages.entries()) {
    const param = `messages[${index}]`;
    const { content = [] } = message;
    const parts: object[] = [];
    for (const [at, part] of merged(content)) {
      if (media.signal.aborted) throw new PerchError("CANCELLED", "the client has gone");
      const { sent, sound = 0 } = await cleanPart(part, media, `${param}.content[${at}]`);
      parts.push(sent);
      seconds += sound;
      refuseLength(seconds);
    }
    cleaned.push({
      role: message.role === "developer" ? "system" : message.role,
      ...contentOf(parts),
      ...(message.role === "tool" && { tool_call_id: clean(message.tool_call_id) }),
      ...(message.role === "assistant" && callsOf(message.tool_calls, parts.length > 0, param)),
    });
  }
  return cleaned;
}

function refuseAmounts(messages: readonly ChatMessage[]): void {
  const parts = messages.flatMap(({ content = [] }): readonly ContentPart[] => content);
  const images = parts.filter(({ type }) => type === "image_url").length;
  if (images > LIMITS.images)
    throw wrong("messages", `this has ${images} pictures; ${LIMITS.images} are taken`, "too_many_images");
  const text = parts.reduce((sum, part) => sum + (textOf(part)?.length ?? 0), 0);
  if (text > LIMITS.text)
    throw wrong(
      "messages",
      `this has ${text} characters; ${LIMITS.text} are taken`,
      "context_length_exceeded",
    );
}

const textOf = (part: ContentPart): string | undefined =>
  part.type === "text" ? part.text : part.type === "refusal" ? part.refusal : undefined;

/**
 * The parts with their places, neighbouring texts as one, a line each: some chat templates put them together without
 * anything between, and two harmless halves would make a control token.
 */
function merged(parts: readonly ContentPart[]): [number, ContentPart][] {
  const all: [number, ContentPart][] = [];
  for (const [at, part] of parts.entries()) {
    const text = textOf(part);
    const last = all.at(-1);
    if (text === undefined) all.push([at, part]);
    else if (last?.[1].type === "text")
      all[all.length - 1] = [last[0], { type: "text", text: `${last[1].text}\n${text}` }];
    else all.push([at, { type: "text", text }]);
  }
  return all;
}

async function cleanPart(
  part: ContentPart,
  { desk, shape }: Media,
  param: string,
): Promise<{ sent: object; sound?: number }> {
  switch (part.type) {
    case "image_url": {
      const url = await desk.image(part.image_url.url, shape, `${param}.image_url.url`);
      return { sent: { type: "image_url", image_url: { url } } };
    }
    case "input_audio": {
      const { data, seconds } = await desk.sound(part.input_audio.data, `${param}.input_audio.data`);
      return { sent: { type: "input_audio", input_audio: { data, format: "wav" } }, sound: seconds };
    }
    default:
      return { sent: { type: "text", text: clean(textOf(part) ?? "") } };
  }
}

/** A text alone is sent as a text, for templates that know nothing of parts. */
function contentOf(parts: readonly object[]): { content?: unknown } {
  if (parts.length === 0) return {};
  const [first] = parts;
  if (parts.length === 1 && first && "text" in first) return { content: first.text };
  return { content: parts };
}

function callsOf(calls: readonly ToolCall[] | undefined, said: boolean, param: string): object {
  if (!calls || calls.length === 0) return said ? {} : { content: "" };
  return {
    tool_calls: calls.map((call, index) => ({
      id: clean(call.id),
      type: "function",
      function: {
        name: call.function.name,
        arguments: cleanArguments(
          call.function.arguments,
          `${param}.tool_calls[${index}].function.arguments`,
        ),
      },
    })),
  };
}

/** Some chat templates read what a tool was called with, and fail where it is no JSON object. */
function cleanArguments(text: string, param: string): string {
  const read = parsedObject(text === "" ? "{}" : text);
  if (!read) throw wrong(param, "this is no JSON object");
  refuseDepth(read, param);
  return clean(JSON.stringify(read));
}

function parsedObject(text: string): object | undefined {
  try {
    const read: unknown = JSON.parse(text);
    return typeof read === "object" && read !== null && !Array.isArray(read) ? read : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
