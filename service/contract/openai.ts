import Type, { type Static } from "typebox";

/** What a request to the OpenAI-compatible API may hold at most. */
export const LIMITS = {
  /** Bytes of a request. */
  body: 32e6,
  /** Bytes of all requests that are held at once. */
  bodies: 128e6,
  messages: 1_000,
  /** Pictures of one request. */
  images: 16,
  /** Seconds of sound of one request. */
  audio: 30,
  tools: 128,
  /** Objects within objects of a schema or a tool's arguments. */
  depth: 32,
  /** Objects, lists and values of one schema. */
  nodes: 20_000,
  /** Characters and items that a schema may ask for: more the engine's grammar does not count. */
  repeats: 1_000,
  /** Characters of all texts of one request. */
  text: 4e6,
  /** Ms until a request has to have begun: the header x-perch-deadline. */
  deadline: { least: 100, most: 600_000, usual: 120_000 },
} as const;

const tagged = (tag: string) => ({ discriminator: { propertyName: tag } });

const TextPart = Type.Object({ type: Type.Literal("text"), text: Type.String() });
const ImagePart = Type.Object({
  type: Type.Literal("image_url"),
  image_url: Type.Object({ url: Type.String({ description: "The picture as data:image/...;base64,..." }) }),
});
const AudioPart = Type.Object({
  type: Type.Literal("input_audio"),
  input_audio: Type.Object({ data: Type.String({ description: "The sound as base64" }) }),
});
const RefusalPart = Type.Object({ type: Type.Literal("refusal"), refusal: Type.String() });
const Texts = Type.Array(Type.Union([TextPart], tagged("type")), { minItems: 1 });

export const ToolName = Type.String({
  pattern: "^[a-zA-Z0-9_.-]{1,128}$",
  description: "letters, digits, _, - and ., 128 at most",
});
const ToolCall = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 256 }),
  type: Type.Literal("function"),
  function: Type.Object({ name: ToolName, arguments: Type.String() }),
});
export type ToolCall = Static<typeof ToolCall>;

/** One message, its content as a list of parts and without its nulls. */
export const ChatMessage = Type.Union(
  [
    Type.Object({ role: Type.Literal("system"), content: Texts }),
    Type.Object({ role: Type.Literal("developer"), content: Texts }),
    Type.Object({
      role: Type.Literal("user"),
      content: Type.Array(Type.Union([TextPart, ImagePart, AudioPart], tagged("type")), { minItems: 1 }),
    }),
    Type.Object({
      role: Type.Literal("assistant"),
      content: Type.Optional(Type.Array(Type.Union([TextPart, RefusalPart], tagged("type")))),
      tool_calls: Type.Optional(Type.Array(ToolCall, { maxItems: 128 })),
    }),
    Type.Object({
      role: Type.Literal("tool"),
      content: Texts,
      tool_call_id: Type.String({ minLength: 1, maxLength: 256 }),
    }),
  ],
  tagged("role"),
);
export type ChatMessage = Static<typeof ChatMessage>;
export type ContentPart = Static<typeof TextPart | typeof ImagePart | typeof AudioPart | typeof RefusalPart>;

export const Tool = Type.Object({
  type: Type.Literal("function"),
  function: Type.Object({
    name: ToolName,
    description: Type.Optional(Type.String()),
    parameters: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  }),
});
export type Tool = Static<typeof Tool>;

export const ResponseFormat = Type.Union(
  [
    Type.Object({ type: Type.Literal("text") }),
    Type.Object({ type: Type.Literal("json_object") }),
    Type.Object({
      type: Type.Literal("json_schema"),
      json_schema: Type.Object({
        name: Type.Optional(Type.String()),
        schema: Type.Record(Type.String(), Type.Unknown()),
      }),
    }),
  ],
  tagged("type"),
);
export type ResponseFormat = Static<typeof ResponseFormat>;

/** How long, how random and in what form: the same for chats and completions. */
const shared = {
  model: Type.String({ minLength: 1, maxLength: 200 }),
  max_tokens: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
  temperature: Type.Optional(Type.Number({ minimum: 0, maximum: 2 })),
  top_p: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  top_k: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000 })),
  min_p: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  seed: Type.Optional(Type.Integer({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER })),
  frequency_penalty: Type.Optional(Type.Number({ minimum: -2, maximum: 2 })),
  presence_penalty: Type.Optional(Type.Number({ minimum: -2, maximum: 2 })),
  stop: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { maxItems: 4 })),
  stream: Type.Optional(Type.Boolean()),
  stream_options: Type.Optional(Type.Object({ include_usage: Type.Optional(Type.Boolean()) })),
};

/** POST /v1/chat/completions, as far as Perch reads it; `stop` as a list, without nulls. */
export const ChatBody = Type.Object({
  ...shared,
  messages: Type.Array(ChatMessage, { minItems: 1, maxItems: LIMITS.messages }),
  max_completion_tokens: shared.max_tokens,
  tools: Type.Optional(Type.Array(Tool, { maxItems: LIMITS.tools })),
  tool_choice: Type.Optional(Type.Unknown()),
  parallel_tool_calls: Type.Optional(Type.Boolean()),
  response_format: Type.Optional(ResponseFormat),
  reasoning_effort: Type.Optional(Type.Enum(["none", "minimal", "low", "medium", "high", "xhigh"])),
});
export type ChatBody = Static<typeof ChatBody>;

/** POST /v1/completions, as far as Perch reads it. */
export const CompletionBody = Type.Object({ ...shared, prompt: Type.String({ minLength: 1 }) });
export type CompletionBody = Static<typeof CompletionBody>;
