import { Agent, type ClientRequest, type IncomingMessage, type RequestOptions, request } from "node:http";
import Type from "typebox";
import { Compile } from "typebox/compile";
import { Value } from "typebox/value";
import { isObject } from "../kernel/config-schema.ts";
import { messageOf, PerchError, systemCode } from "../kernel/errors.ts";
import { COUNT_PATH, type RawRequest, type Reply, type Sink } from "./engine.ts";
import type { ChatRequest } from "./prompt.ts";

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

const Refusal = Type.Object({ error: Type.Object({ message: Type.String() }) });

/** In a stream the status stands in the event. */
const StreamRefusal = Type.Object({ error: Type.Object({ code: Type.Integer() }) });

/** Where the server is (socketPath, or host and port), and its headers. */
export type Target = Pick<RequestOptions, "socketPath" | "host" | "port"> & { readonly apiKey?: string };

/** Largest answer that is read, bytes. */
const LARGEST_ANSWER = 4e6;
/** The server never had the request: nothing listens, or it does not take connections. */
const NOT_REACHED = new Set(["ECONNREFUSED", "ENOENT", "EAGAIN", "EHOSTUNREACH", "ENOTFOUND"]);

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Ms that an unused connection is kept; llama-server closes its own after 5 s, and none may meet that. */
const KEPT = 2_000;

/**
 * Speaks to an OpenAI-compatible server. Connections are kept for the next request, which then leaves
 * without a turn of the event loop; closing one tells llama-server to stop working on its request.
 */
export class ChatClient {
  private readonly agent = new Agent({ keepAlive: true, timeout: KEPT });

  constructor(private readonly target: Target) {}

  /** Closes the connections that are kept. */
  close(): void {
    this.agent.destroy();
  }

  /**
   * Asks once. Rejects with ENGINE_REFUSED (the server says that the request is wrong), ENGINE_FAILED
   * (the connection broke, or the server failed), ENGINE_UNAVAILABLE (it never had the request),
   * CANCELLED (the signal aborted).
   */
  async complete(body: ChatRequest, signal: AbortSignal): Promise<Reply> {
    const { status, text } = await this.send("POST", "/v1/chat/completions", signal, JSON.stringify(body));
    if (status !== 200) throw refusal(status, text);
    return parseReply(text);
  }

  /**
   * Asks once for a stream and hands its events on as they come, no faster than they are taken. Rejects as
   * complete does, also once some were handed on.
   */
  async pass({ path, body, whole }: RawRequest, take: Sink["take"], signal: AbortSignal): Promise<Reply> {
    if (whole) return this.passWhole(path, body, take, signal);
    try {
      // A connection of its own: llama-server closes it when the stream is over.
      const response = await this.responseTo(path, body, signal);
      response.setEncoding("utf8");
      if (response.statusCode !== 200) throw refusal(response.statusCode ?? 0, await textOf(response));
      if (path === COUNT_PATH) {
        await take(`data: ${await textOf(response)}\n\n`);
        return { text: "", ...accountOf(undefined) };
      }
      const timed = await handOn(response, take);
      return { text: "", ...accountOf(parsed(timed?.slice("data: ".length) ?? "")) };
    } catch (error) {
      throw error instanceof PerchError ? error : connectionFault(error, signal);
    }
  }

  /** The same of an answer that nobody waits for piece by piece: a connection is kept, and one event is read instead of many. */
  private async passWhole(
    path: string,
    body: string,
    take: Sink["take"],
    signal: AbortSignal,
  ): Promise<Reply> {
    const { status, text } = await this.send("POST", path, signal, body);
    if (status !== 200) throw refusal(status, text);
    const answer = parsed(text);
    if (!isObject(answer))
      throw new PerchError("ENGINE_FAILED", `the engine's answer is none: ${text.slice(0, 200)}`);
    await take(`data: ${JSON.stringify(asChunk(answer))}\n\n`);
    return { text: "", ...accountOf(answer) };
  }

  private responseTo(path: string, body: string, signal: AbortSignal): Promise<IncomingMessage> {
    const { apiKey, ...where } = this.target;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const sent = request({
        ...where,
        agent: false,
        method: "POST",
        path,
        headers: {
          ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
        },
      });
      endWith(signal, sent);
      sent.once("error", reject);
      sent.once("response", resolve);
      sent.end(body);
    });
  }

  /** HTTP status of GET /health: 200 when it answers requests, 503 while it loads. Rejects as complete does. */
  async health(signal: AbortSignal): Promise<number> {
    return (await this.send("GET", "/health", signal)).status;
  }

  private async send(
    method: "GET" | "POST",
    path: string,
    signal: AbortSignal,
    body?: string,
  ): Promise<Answer> {
    const first = await this.sendOnce(method, path, signal, body);
    if (first !== "stale") return first;
    // The server may have closed a kept connection before it read the request. If it died of the request
    // instead, the second try is not reached either, and that counts against the first.
    try {
      const second = await this.sendOnce(method, path, signal, body, true);
      if (second !== "stale") return second;
      throw new Error("a new connection broke like a kept one");
    } catch (error) {
      if (!(error instanceof PerchError) || error.code !== "ENGINE_UNAVAILABLE") throw error;
      throw new PerchError("ENGINE_FAILED", "the connection to the engine broke, and it is gone", error);
    }
  }

  /** "stale" where a kept connection broke without a word of an answer. */
  private sendOnce(
    method: "GET" | "POST",
    path: string,
    signal: AbortSignal,
    body: string | undefined,
    fresh = false,
  ): Promise<Answer | "stale"> {
    const { apiKey, ...where } = this.target;
    return new Promise((resolve, reject) => {
      const fail = (error: unknown) => reject(connectionFault(error, signal));
      if (signal.aborted) return fail(signal.reason);
      const sent = request({
        ...where,
        agent: fresh ? false : this.agent,
        method,
        path,
        headers: {
          ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
          ...(body !== undefined && {
            "content-type": "application/json",
            "content-length": Buffer.byteLength(body),
          }),
        },
      });
      endWith(signal, sent);
      sent.on("error", (error) => {
        const broke = ["ECONNRESET", "EPIPE"].includes(systemCode(error) ?? "");
        if (broke && sent.reusedSocket && !signal.aborted) resolve("stale");
        else fail(error);
      });
      sent.on("response", (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (piece: string) => {
          text += piece;
          if (text.length > LARGEST_ANSWER) response.destroy(new Error("the answer is too long"));
        });
        response.on("error", fail);
        response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      });
      sent.end(body);
    });
  }
}

/** Ends a request when the signal aborts: as http.request's own `signal` does, at a third of the price. */
function endWith(signal: AbortSignal, sent: ClientRequest): void {
  const end = () => sent.destroy(signal.reason);
  signal.addEventListener("abort", end);
  sent.once("close", () => signal.removeEventListener("abort", end));
}

/** True of an ENGINE_FAILED whose cause is the connection, not an answer of the server. */
export const connectionBroke = (error: unknown): boolean =>
  error instanceof PerchError && error.code === "ENGINE_FAILED" && error.cause !== undefined;

function connectionFault(error: unknown, signal: AbortSignal): PerchError {
  if (signal.aborted) return new PerchError("CANCELLED", "the request was given up", error);
  const code = systemCode(error);
  if (code !== undefined && NOT_REACHED.has(code))
    return new PerchError("ENGINE_UNAVAILABLE", `the engine cannot be reached (${code})`, error);
  return new PerchError("ENGINE_FAILED", `the connection to the engine broke: ${messageOf(error)}`, error);
}

/** llama-server's words for an answer that it cannot read itself: nothing of the engine failed. */
const NO_SENSE = /^(The model produced output that does not match|Failed to parse input)/;

function refusal(status: number, text: string): PerchError {
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

function parseReply(text: string): Reply {
  const body = parsed(text);
  if (!Completion.Check(body))
    throw new PerchError("ENGINE_FAILED", `the engine's answer is none: ${text.slice(0, 200)}`);
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

/** A whole answer in the form of a stream's event, so that whoever takes answers reads one form. */
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

/** Tokens and times by llama-server's timings; zeros where there are none. */
export function accountOf(body: unknown): Omit<Reply, "text"> {
  if (!Timed.Check(body)) return { tokens: { prompt: 0, cached: 0, answer: 0 }, prompt: 0, decode: 0 };
  const { cache_n, prompt_n, prompt_ms, predicted_n, predicted_ms } = body.timings;
  return {
    tokens: { prompt: prompt_n + cache_n, cached: cache_n, answer: predicted_n },
    prompt: prompt_ms,
    decode: predicted_ms,
  };
}

/**
 * Hands on what comes of a stream, whole events only, at once and no faster than it is taken. Resolves to the
 * event with the timings when the stream is over.
 */
function handOn(response: IncomingMessage, take: Sink["take"]): Promise<string | undefined> {
  let rest = "";
  let timed: string | undefined;
  return new Promise((resolve, reject) => {
    response.on("data", (piece: string) => {
      const events = rest + piece;
      const end = events.lastIndexOf("\n\n") + 2;
      rest = end > 1 ? events.slice(end) : events;
      if (rest.length > LARGEST_ANSWER) response.destroy(new Error("an event of the answer is too long"));
      if (end <= 1) return;
      const whole = events.slice(0, end);
      const failed = eventWith(whole, 'data: {"error"');
      if (failed !== undefined) return void response.destroy(streamRefusal(failed));
      timed = eventWith(whole, '"timings":{') ?? timed;
      const room = take(whole);
      if (!room) return;
      response.pause();
      void room.then(() => response.resume());
    });
    response.on("error", reject);
    response.on("end", () => resolve(timed));
  });
}

/** The last event of several that holds a text; in an answer of the model its quotes would be escaped. */
function eventWith(events: string, text: string): string | undefined {
  return events.includes(text) ? events.split("\n\n").findLast((event) => event.includes(text)) : undefined;
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = "";
  for await (const piece of response) {
    text += piece;
    if (text.length > LARGEST_ANSWER) throw new Error("the answer is too long");
  }
  return text;
}

/** The fault that a stream ends with after it had begun. */
function streamRefusal(event: string): PerchError {
  const text = event.slice("data: ".length);
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
