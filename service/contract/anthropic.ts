import Type, { type Static } from "typebox";
import { LIMITS, ToolName } from "./openai.ts";

const tagged = (tag: string) => ({ discriminator: { propertyName: tag } });

const TextBlock = Type.Object({ type: Type.Literal("text"), text: Type.String() });
const ImageBlock = Type.Object({
  type: Type.Literal("image"),
  source: Type.Object({
    type: Type.Literal("base64"),
    media_type: Type.String({ maxLength: 100, pattern: "^image/[a-z0-9.+-]+$" }),
    data: Type.String(),
  }),
});
const CallId = Type.String({ minLength: 1, maxLength: 256 });

/** What a message holds; a turn of the other side's may not hold all of them. */
export const AnthropicBlock = Type.Union(
  [
    TextBlock,
    ImageBlock,
    Type.Object({
      type: Type.Literal("tool_use"),
      id: CallId,
      name: ToolName,
      input: Type.Record(Type.String(), Type.Unknown()),
    }),
    Type.Object({
      type: Type.Literal("tool_result"),
      tool_use_id: CallId,
      content: Type.Optional(Type.Array(Type.Union([TextBlock, ImageBlock], tagged("type")))),
      is_error: Type.Optional(Type.Boolean()),
    }),
    Type.Object({ type: Type.Literal("thinking") }),
    Type.Object({ type: Type.Literal("redacted_thinking") }),
  ],
  tagged("type"),
);
export type AnthropicBlock = Static<typeof AnthropicBlock>;

const asked = {
  model: Type.String({ minLength: 1, maxLength: 200 }),
  messages: Type.Array(
    Type.Object({ role: Type.Enum(["user", "assistant"]), content: Type.Array(AnthropicBlock) }),
    { minItems: 1, maxItems: LIMITS.messages },
  ),
  system: Type.Optional(Type.Array(TextBlock)),
  tools: Type.Optional(
    Type.Array(
      Type.Object({
        name: ToolName,
        description: Type.Optional(Type.String()),
        input_schema: Type.Record(Type.String(), Type.Unknown()),
      }),
      { maxItems: LIMITS.tools },
    ),
  ),
  tool_choice: Type.Optional(
    Type.Object({
      type: Type.Enum(["auto", "any", "tool", "none"]),
      name: Type.Optional(Type.String()),
      disable_parallel_tool_use: Type.Optional(Type.Boolean()),
    }),
  ),
  thinking: Type.Optional(Type.Object({ type: Type.Enum(["enabled", "adaptive", "disabled"]) })),
};

/** POST /v1/messages/count_tokens, as far as Perch reads it; content as lists of blocks, and without nulls. */
export const AnthropicCountBody = Type.Object(asked);

/** POST /v1/messages, as far as Perch reads it. */
export const AnthropicBody = Type.Object({
  ...asked,
  max_tokens: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
  stop_sequences: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { maxItems: 16 })),
  stream: Type.Optional(Type.Boolean()),
  temperature: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  top_p: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  top_k: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000 })),
  output_config: Type.Optional(
    Type.Object({
      format: Type.Optional(
        Type.Object({
          type: Type.Literal("json_schema"),
          schema: Type.Record(Type.String(), Type.Unknown()),
        }),
      ),
    }),
  ),
});
export type AnthropicBody = Static<typeof AnthropicBody>;
