import type { ErrorCode, PerchError } from "../../kernel/errors.ts";

/** What went wrong, in the form in which OpenAI's API tells it and its clients expect it. */
export class OpenAiFault extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly more: {
      readonly type?: string;
      readonly code?: string;
      /** Where in the request: messages[0].content[1].image_url.url. */
      readonly param?: string;
      /** Seconds after which the same request may work. */
      readonly retryAfter?: number;
      /** The same request fails again, whatever its status usually means to a client. */
      readonly final?: boolean;
    } = {},
  ) {
    super(message);
    this.name = "OpenAiFault";
  }

  /** The same with its place in the request as the client knows it. */
  placed(as: (param: string) => string): OpenAiFault {
    const { param } = this.more;
    if (param === undefined) return this;
    return new OpenAiFault(this.status, this.message, { ...this.more, param: as(param) });
  }

  get body(): { error: { message: string; type: string; param: string | null; code: string | null } } {
    const { type = typeOf(this.status), code = null, param = null } = this.more;
    return { error: { message: this.message, type, param, code } };
  }

  /** OpenAI's clients repeat 408, 409, 429 and all from 500 on by themselves, unless x-should-retry is false. */
  get headers(): Record<string, string> {
    const { retryAfter, final = false } = this.more;
    return {
      ...(retryAfter !== undefined && { "retry-after": String(retryAfter) }),
      ...(final && { "x-should-retry": "false" }),
    };
  }
}

export const wrong = (param: string, message: string, code?: string): OpenAiFault =>
  new OpenAiFault(400, message, { param, ...(code !== undefined && { code }) });

const typeOf = (status: number): string =>
  status === 401
    ? "authentication_error"
    : status === 403
      ? "permission_error"
      : status === 429
        ? "rate_limit_error"
        : status >= 500
          ? "server_error"
          : "invalid_request_error";

/** How each expected fault is told. The message stands where Perch's own might name a path or what the engine wrote. */
const TOLD: Partial<
  Record<ErrorCode, { message?: string; code: string; retryAfter?: number; final?: true }>
> = {
  TOKEN_REFUSED: { code: "invalid_api_key" },
  RATE_EXCEEDED: { code: "rate_limit_exceeded" },
  MEDIA_INVALID: { code: "invalid_media" },
  MEDIA_TOO_LARGE: { code: "media_too_large", final: true },
  QUEUE_FULL: { code: "queue_full", retryAfter: 1 },
  DEADLINE_PASSED: { code: "deadline_passed", final: true },
  SUPERSEDED: { code: "level_not_running", final: true },
  CANCELLED: { code: "stopping", message: "Perch is stopping", retryAfter: 10 },
  ENGINE_FAILED: {
    code: "engine_failed",
    message: "the model's engine failed under this request",
    retryAfter: 2,
  },
  ENGINE_UNAVAILABLE: {
    code: "engine_unavailable",
    message: "the model was taken away while it answered, for another level or a pause; ask again",
    retryAfter: 2,
  },
  ANSWER_INVALID: { code: "answer_invalid" },
  DATA_FULL: { code: "data_full", message: "the box's disk has no room for this file", final: true },
  DATA_UNWRITABLE: { code: "data_unwritable", message: "the box cannot keep this file now", retryAfter: 10 },
  ENGINE_POISON: {
    code: "engine_poison",
    message: "the model's engine failed twice under this request, which is not asked again",
    final: true,
  },
};

/** Where a client is told otherwise than Perch's own parts. */
const STATUS: Partial<Record<ErrorCode, number>> = { CANCELLED: 503, ANSWER_INVALID: 422 };

/** An expected fault in OpenAI's form; nothing of paths or of what the engine wrote is in it. */
export function told(error: PerchError): OpenAiFault {
  if (error.code === "ENGINE_REFUSED") return refused(error.message);
  const status = STATUS[error.code] ?? error.status;
  const { message, ...more } = TOLD[error.code] ?? { code: error.code.toLowerCase() };
  const known = TOLD[error.code] !== undefined || status < 500;
  return new OpenAiFault(status, message ?? (known ? error.message : "Perch cannot answer now"), more);
}

/** llama-server's own refusals that say how it works inside, in words for whoever asked. */
function refused(message: string): OpenAiFault {
  const text = withoutPaths(
    message
      .replace(/^the engine refused the request: /, "")
      .replace(/^Unable to generate parser.*?failed: /s, ""),
  );
  const context = /^request \((\d+) tokens\) exceeds the available context size \((\d+) tokens\)/.exec(text);
  if (context)
    return new OpenAiFault(
      400,
      `this request has ${context[1]} tokens, and the level that runs takes ${context[2]}`,
      { code: "context_length_exceeded", param: "messages" },
    );
  if (/failed to parse grammar/.test(text))
    return wrong(
      "response_format",
      "the engine cannot hold an answer to this schema: ask for less at once",
      "unsupported_schema",
    );
  const schema = /^JSON schema conversion failed:\s*(.*)/s.exec(text);
  if (schema)
    return wrong("response_format", `this schema cannot be held to: ${schema[1]}`, "unsupported_schema");
  return new OpenAiFault(400, `the model does not take this request: ${text}`, { code: "engine_refused" });
}

/** A text in which every absolute path is left out. */
export const withoutPaths = (text: string): string => text.replace(/(?:\/[\w.@+-]+){2,}\/?/g, "…");
