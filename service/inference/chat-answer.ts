import Type from "typebox";
import { Compile } from "typebox/compile";
import { Value } from "typebox/value";
import { isObject } from "../kernel/config-schema.ts";
import { PerchError } from "../kernel/errors.ts";
import type { Reply } from "./engine.ts";

// What an OpenAI-compatible server answers, as it is read here.

const Count = Type.Number({ minimum: 0 });
/** llama-server's own. */
const Timings = Type.Object({
  cache_n: Count,
  prompt_n: Count,
  prompt_ms: Count,
  predicted_n: Count,
  predicted_ms: Count,
});
/** What is read of the answer to POST /v1/chat/completions. */
const Completion = Compile(
  Type.Object({
    choices: Type.Array(
      Type.Object({ message: Type.Object({ content: Type.Union([Type.String(), Type.Null()]) }) }),
      { minItems: 1 },
    ),
    usage: Type.Optional(Type.Object({ prompt_tokens: Count, completion_tokens: Count })),
    timings: Type.Optional(Timings),
  }),
);
/** What is read of the one event of a stream that has llama-server's timings. */
const Timed = Compile(Type.Object({ timings: Timings }));
type Json = Record<string, unknown>;
/** What an answer took. */
type Account = Omit<Reply, "text">;

/** How an event of a stream begins. */
const EVENT = "data: ";

const Refusal = Type.Object({ error: Type.Object({ message: Type.String() }) });

/** In a stream the status stands in the event. */
const StreamRefusal = Type.Object({ error: Type.Object({ code: Type.Integer() }) });

/** llama-server's words for an answer that it cannot read itself: nothing of the engine failed. */
const NO_SENSE = /^(The model produced output that does not match|Failed to parse input)/;

/** What a status other than 200 means, with the server's own words where it has any. */
export function refusal(status: number, text: string): PerchError {
  const body = parsed(text);
  const message = Value.Check(Refusal, body) ? body.error.message : text.slice(0, 300);
  if (status === 503) return new PerchError("ENGINE_UNAVAILABLE", `the engine is not ready: ${message}`);
  if (status === 500 && NO_SENSE.test(message))
    return new PerchError(
      "ANSWER_INVALID",
      "the model did not write what its template and the request ask for",
    );
  // The server's own failures, and a key that it does not take, are not the request's fault.
  if (status >= 500 || status === 401 || status === 403 || status === 404)
    return new PerchError("ENGINE_FAILED", `the engine answered HTTP ${status}: ${message}`);
  return new PerchError("ENGINE_REFUSED", `the engine refused the request: ${message}`);
}

/** A whole answer. Throws ENGINE_FAILED where it is none. */
export function parseReply(text: string): Reply {
  const body = parsed(text);
  if (!Completion.Check(body)) throw noAnswer(text);
  const { choices, usage } = body;
  const account = accountOf(body);
  return {
    ...account,
    text: bare(choices[0]?.message.content ?? ""),
    ...(usage &&
      !body.timings && {
        tokens: { prompt: usage.prompt_tokens, cached: 0, answer: usage.completion_tokens },
      }),
  };
}

/**
 * A whole answer in the form of a stream's only event, so that whoever takes answers reads one form. Throws
 * ENGINE_FAILED where it is none.
 */
export function asEvent(text: string): { event: string; account: Account } {
  const answer = parsed(text);
  if (!isObject(answer)) throw noAnswer(text);
  return { event: `data: ${JSON.stringify(asChunk(answer))}\n\n`, account: accountOf(answer) };
}

function asChunk(answer: Json): Json {
  const choices = (Array.isArray(answer.choices) ? answer.choices : []).map((choice: Json) => {
    const { message, ...rest } = choice;
    if (!isObject(message)) return choice;
    const { tool_calls: calls } = message;
    const numbered = Array.isArray(calls) && calls.map((call: Json, index) => ({ index, ...call }));
    return { ...rest, delta: { ...message, ...(numbered && { tool_calls: numbered }) } };
  });
  return { ...answer, choices };
}

const noAnswer = (text: string): PerchError =>
  new PerchError("ENGINE_FAILED", `the engine's answer is none: ${text.slice(0, 200)}`);

/** Tokens and times by llama-server's timings; zeros where there are none. */
export function accountOf(body: unknown): Account {
  if (!Timed.Check(body)) return { tokens: { prompt: 0, cached: 0, answer: 0 }, prompt: 0, decode: 0 };
  const { cache_n, prompt_n, prompt_ms, predicted_n, predicted_ms } = body.timings;
  return {
    tokens: { prompt: prompt_n + cache_n, cached: cache_n, answer: predicted_n },
    prompt: prompt_ms,
    decode: predicted_ms,
  };
}

/** The same of the event of a stream that has them. */
export const accountIn = (event: string | undefined): Account =>
  accountOf(parsed(event?.slice(EVENT.length) ?? ""));

/** The fault that a stream ends with after it had begun. */
export function streamRefusal(event: string): PerchError {
  const text = event.slice(EVENT.length);
  const body = parsed(text);
  return refusal(Value.Check(StreamRefusal, body) ? body.error.code : 500, text);
}

/** Undefined where it is no JSON, which no schema takes. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The text without a thought channel before it and a code fence around it, which some servers leave. */
export function bare(text: string): string {
  const spoken = text.replace(/<\|channel>[\s\S]*?<channel\|>/g, "").trim();
  return /^```(?:json)?\s*([\s\S]*?)\s*```$/.exec(spoken)?.[1] ?? spoken;
}
