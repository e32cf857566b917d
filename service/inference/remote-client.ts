import {
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Clock } from "../kernel/clock.ts";
import { systemCode } from "../kernel/errors.ts";
import { connectionFault, RemoteFault, statusFault } from "./remote-fault.ts";

/**
 * Ms that an unused connection is kept. Servers close theirs after 5 s (uvicorn, llama-server) or later, and none may
 * meet that.
 */
const KEPT = 2_000;
/** Most that is read of an answer that is no stream, bytes. */
const LARGEST_ANSWER = 1e6;
/** Most that is read of one stream, characters: many times the longest answer that a model gives. */
const LARGEST_STREAM = 64e6;
/** Ms that a server has to end a stream whose last event has come. */
const LAST_WORDS = 1_000;

interface Options {
  /** Of the server, with /v1 or without. */
  readonly url: string;
  readonly key?: string;
  /** PEM of the authority that its certificate must be signed by. */
  readonly ca?: Buffer;
  /** Ms until a connection stands, TLS included. */
  readonly connect: number;
  readonly clock: Clock;
}

interface Sent {
  readonly method: "GET" | "POST";
  /** Begins with /v1, or is /health. */
  readonly path: string;
  /** JSON. */
  readonly body?: string;
  /** Ms that it may say nothing for. */
  readonly silence: number;
  readonly signal: AbortSignal;
}

/** Takes a piece of an answer, and says when it has room again; nothing where it has, true where the answer is complete. */
type Take = (piece: string) => Promise<void> | true | undefined;

/**
 * Speaks HTTP or HTTPS to one server: no proxy, no redirect, every answer bounded in time and size. All that it rejects
 * with is a RemoteFault; the key is in no message.
 */
export class RemoteClient {
  private readonly agent: HttpAgent | HttpsAgent;
  private readonly secure: boolean;
  private readonly where: Pick<RequestOptions, "host" | "port" | "protocol">;
  /** What its addresses begin with. */
  private readonly base: string;
  /** Whether connections are kept for the next request. llama-server closes its own when a stream is over. */
  keeps = true;

  constructor(private readonly options: Options) {
    const { protocol, hostname, port, pathname } = new URL(options.url);
    this.secure = protocol === "https:";
    // An IPv6 address stands in brackets in a URL only.
    this.where = { protocol, host: hostname.replace(/^\[|\]$/g, ""), port: port || (this.secure ? 443 : 80) };
    this.base = pathname.replace(/\/+$/, "").replace(/\/v1$/, "");
    this.agent = this.secure
      ? new HttpsAgent({
          keepAlive: true,
          timeout: KEPT,
          minVersion: "TLSv1.2",
          ...(options.ca && { ca: options.ca }),
        })
      : new HttpAgent({ keepAlive: true, timeout: KEPT });
  }

  /** Closes the connections that are kept. */
  close(): void {
    this.agent.destroy();
  }

  /** What GET answers, of any status. */
  async get(path: string, silence: number, signal: AbortSignal): Promise<{ status: number; text: string }> {
    const exchange = await this.exchange({ method: "GET", path, silence, signal });
    return { status: exchange.response.statusCode ?? 0, text: await exchange.text() };
  }

  /**
   * Asks for a stream and hands its pieces on, no faster than they are taken.
   */
  async stream(sent: Omit<Sent, "method">, take: Take): Promise<void> {
    try {
      await this.streamed(sent, take);
    } catch (error) {
      throw error instanceof RemoteFault ? this.withoutKey(error) : error;
    }
  }

  private async streamed(sent: Omit<Sent, "method">, take: Take): Promise<void> {
    const exchange = await this.exchange({ ...sent, method: "POST" });
    const { response } = exchange;
    const { statusCode = 0, headers } = response;
    if (statusCode !== 200)
      throw statusFault(
        statusCode,
        (await exchange.text()).slice(0, 20_000),
        headers["retry-after"],
        this.options.clock.now(),
      );
    const type = headers["content-type"] ?? "nothing that it names";
    if (!/^text\/event-stream\b/i.test(type)) {
      response.destroy();
      throw new RemoteFault("broken", `it sent ${type.slice(0, 80)} where a stream of events was asked for`);
    }
    await exchange.pieces(take);
  }

  /** A server may repeat in its words what it was sent. */
  private withoutKey(fault: RemoteFault): RemoteFault {
    const { key } = this.options;
    if (key === undefined || !fault.message.includes(key)) return fault;
    return new RemoteFault(fault.kind, fault.message.replaceAll(key, "[hidden]"), fault.more);
  }

  private async exchange(sent: Sent): Promise<Exchange> {
    const first = await this.send(sent);
    if (first !== "stale") return first;
    // This server closes connections without a word: from now on each request has one of its own.
    this.keeps = false;
    const second = await this.send(sent);
    if (second !== "stale") return second;
    throw new RemoteFault("broken", "a new connection to it broke like a kept one");
  }

  /** Resolves when the answer begins; "stale" where a kept connection broke without a word of it. */
  private send({ method, path, body, silence, signal }: Sent): Promise<Exchange | "stale"> {
    const { key, clock, connect } = this.options;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(connectionFault(signal.reason, false, signal));
      let connected = false;
      const fail = (error: unknown) => {
        quiet();
        reject(connectionFault(error, connected, signal));
      };
      const sent = (this.secure ? httpsRequest : httpRequest)({
        ...this.where,
        agent: this.keeps ? this.agent : false,
        // For a connection of its own; the agent has its own.
        ...(this.secure && { minVersion: "TLSv1.2", ca: this.options.ca }),
        method,
        path: `${this.base}${path}`,
        signal,
        headers: {
          accept: "application/json, text/event-stream",
          ...(key !== undefined && { authorization: `Bearer ${key}` }),
          ...(body !== undefined && {
            "content-type": "application/json",
            "content-length": Buffer.byteLength(body),
          }),
        },
      });
      let quiet = clock.after(connect, () =>
        sent.destroy(new RemoteFault("unreachable", `it did not take the connection within ${connect} ms`)),
      );
      const begin = () => {
        quiet();
        connected = true;
        quiet = clock.after(silence, () => sent.destroy(silenceFault(silence)));
      };
      sent.once("socket", (socket) => {
        if (sent.reusedSocket || (!this.secure && !socket.connecting)) begin();
        else socket.once(this.secure ? "secureConnect" : "connect", begin);
      });
      sent.once("error", (error) => {
        const broke = ["ECONNRESET", "EPIPE"].includes(systemCode(error) ?? "");
        if (!broke || !sent.reusedSocket || signal.aborted) return fail(error);
        quiet();
        resolve("stale");
      });
      sent.once("response", (response) => {
        quiet();
        resolve(new Exchange(response, silence, clock, signal));
      });
      sent.end(body);
    });
  }
}

/** An answer that has begun. */
class Exchange {
  constructor(
    readonly response: IncomingMessage,
    /** Ms that it may say nothing for. */
    private readonly silence: number,
    private readonly clock: Clock,
    private readonly signal: AbortSignal,
  ) {
    response.setEncoding("utf8");
  }

  /** All of it. */
  async text(): Promise<string> {
    let text = "";
    await this.pieces((piece) => {
      text += piece;
      if (text.length > LARGEST_ANSWER) throw new RemoteFault("broken", "its answer is too long");
      return undefined;
    });
    return text;
  }

  /** As RemoteClient.stream. */
  pieces(take: Take): Promise<void> {
    const { response, clock, silence, signal } = this;
    return new Promise((resolve, reject) => {
      let quiet: () => void = () => undefined;
      let read = 0;
      let complete = false;
      const listen = () => {
        quiet();
        quiet = clock.after(silence, () => response.destroy(silenceFault(silence)));
      };
      const over = (error?: unknown) => {
        quiet();
        if (error === undefined) resolve();
        else reject(connectionFault(error, true, signal));
      };
      listen();
      response.on("data", (piece: string) => {
        if (complete) return;
        read += piece.length;
        if (read > LARGEST_STREAM)
          return void response.destroy(new RemoteFault("broken", "its answer is too long"));
        // A comment comes from the server, not from the model, which may be stuck all the same.
        if (!piece.startsWith(":")) listen();
        try {
          const room = take(piece);
          if (room === undefined) return;
          if (room === true) {
            complete = true;
            over();
            // The connection serves the next request once the server has ended this one too.
            quiet = clock.after(LAST_WORDS, () => response.destroy());
            return;
          }
          // While whoever reads is slow the server is not.
          quiet();
          response.pause();
          void room.then(() => {
            listen();
            response.resume();
          });
        } catch (error) {
          response.destroy(error as Error);
        }
      });
      response.once("error", over);
      response.once("end", () => over());
      response.once("close", () => over(complete ? undefined : new Error("it was cut off")));
    });
  }
}

const silenceFault = (ms: number) => new RemoteFault("broken", `it said nothing for ${ms / 1000} s`);
