import Type, { type Static } from "typebox";
import { LIMITS, ToolName } from "./openai.ts";

const tagged = (tag: string) => ({ discriminator: { propertyName: tag } });

/** What a message or the output of a function holds. */
const Part = Type.Union(
  [
    Type.Object({ type: Type.Literal("input_text"), text: Type.String() }),
    Type.Object({
      type: Type.Literal("input_image"),
      image_url: Type.String({ description: "The picture as data:image/...;base64,..." }),
    }),
    Type.Object({
      type: Type.Literal("input_audio"),
      input_audio: Type.Object({ data: Type.String({ description: "The sound as base64" }) }),
    }),
    Type.Object({ type: Type.Literal("output_text"), text: Type.String() }),
    Type.Object({ type: Type.Literal("refusal"), refusal: Type.String() }),
  ],
  tagged("type"),
);
export type ResponsePart = Static<typeof Part>;

const CallId = Type.String({ minLength: 1, maxLength: 256 });

/** One piece of what was said so far: its content as a list of parts, and without its nulls. */
export const ResponseItem = Type.Union(
  [
    Type.Object({
      type: Type.Literal("message"),
      role: Type.Enum(["user", "assistant", "system", "developer"]),
      content: Type.Array(Part),
    }),
    Type.Object({
      type: Type.Literal("function_call"),
      call_id: CallId,
      name: ToolName,
      arguments: Type.String(),
    }),
    Type.Object({ type: Type.Literal("function_call_output"), call_id: CallId, output: Type.Array(Part) }),
    Type.Object({ type: Type.Literal("reasoning") }),
  ],
  tagged("type"),
);
export type ResponseItem = Static<typeof ResponseItem>;

const ResponseTool = Type.Object({
  type: Type.Literal("function"),
  name: ToolName,
  description: Type.Optional(Type.String()),
  parameters: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
});

const TextFormat = Type.Union(
  [
    Type.Object({ type: Type.Literal("text") }),
    Type.Object({ type: Type.Literal("json_object") }),
    Type.Object({
      type: Type.Literal("json_schema"),
      name: Type.Optional(Type.String()),
      schema: Type.Record(Type.String(), Type.Unknown()),
    }),
  ],
  tagged("type"),
);

/** POST /v1/responses, as far as Perch reads it; `input` as a list of items, each with its type. */
export const ResponseBody = Type.Object({
  model: Type.String({ minLength: 1, maxLength: 200 }),
  input: Type.Array(ResponseItem, { minItems: 1, maxItems: LIMITS.messages }),
  instructions: Type.Optional(Type.String()),
  max_output_tokens: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
  temperature: Type.Optional(Type.Number({ minimum: 0, maximum: 2 })),
  top_p: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  stream: Type.Optional(Type.Boolean()),
  tools: Type.Optional(Type.Array(ResponseTool, { maxItems: LIMITS.tools })),
  tool_choice: Type.Optional(Type.Unknown()),
  parallel_tool_calls: Type.Optional(Type.Boolean()),
  text: Type.Optional(Type.Object({ format: Type.Optional(TextFormat) })),
  reasoning: Type.Optional(
    Type.Object({
      effort: Type.Optional(Type.Enum(["none", "minimal", "low", "medium", "high", "xhigh"])),
    }),
  ),
  metadata: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { maxProperties: 16 })),
});
export type ResponseBody = Static<typeof ResponseBody>;
