import { Agent, type ClientRequest, type IncomingMessage, type RequestOptions, request } from "node:http";
import { messageOf, PerchError, systemCode } from "../kernel/errors.ts";
import { accountIn, accountOf, asEvent, parseReply, refusal, streamRefusal } from "./chat-answer.ts";
import { COUNT_PATH, type RawRequest, type Reply, type Sink } from "./engine.ts";
import type { ChatRequest } from "./prompt.ts";

/** Where the server is (socketPath, or host and port), and its headers. */
export type Target = Pick<RequestOptions, "socketPath" | "host" | "port"> & { readonly apiKey?: string };

/** Largest answer that is read, bytes. */
const LARGEST_ANSWER = 4e6;
/** The server never had the request: nothing listens, or it does not take connections. */
const NOT_REACHED = new Set(["ECONNREFUSED", "ENOENT", "EAGAIN", "EHOSTUNREACH", "ENOTFOUND"]);

interface Sent {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body: string | undefined;
  /** Which keeps connections; false: one of its own. */
  readonly agent: Agent | false;
  readonly signal: AbortSignal;
}

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
      return { text: "", ...accountIn(timed) };
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
    const { event, account } = asEvent(text);
    await take(event);
    return { text: "", ...account };
  }

  private responseTo(path: string, body: string, signal: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const sent = this.begin({ method: "POST", path, body, agent: false, signal });
      sent.once("error", reject);
      sent.once("response", resolve);
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
    return new Promise((resolve, reject) => {
      const fail = (error: unknown) => reject(connectionFault(error, signal));
      if (signal.aborted) return fail(signal.reason);
      const sent = this.begin({ method, path, body, agent: fresh ? false : this.agent, signal });
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
    });
  }

  /** Sends a request, which ends when the signal aborts. */
  private begin({ method, path, body, agent, signal }: Sent): ClientRequest {
    const { apiKey, ...where } = this.target;
    const sent = request({
      ...{ ...where, agent, method, path },
      headers: {
        ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
        ...(body !== undefined && {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
        }),
      },
    });
    // As request's own `signal` would, without a second watch over the stream.
    const end = () => sent.destroy(signal.reason);
    signal.addEventListener("abort", end);
    sent.once("close", () => signal.removeEventListener("abort", end));
    sent.end(body);
    return sent;
  }
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
