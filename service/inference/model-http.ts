import type { IncomingHttpHeaders } from "node:http";
import { EnvHttpProxyAgent, request } from "undici";
import { messageOf, PerchError, systemCode } from "../kernel/errors.ts";
import { redirected, shownUrl } from "./model-source.ts";

/** How long a server is waited for and how often it is asked again; times in ms. */
export interface Patience {
  /** Until a connection stands. */
  readonly connect: number;
  /** Without a byte. */
  readonly stall: number;
  /** Between two tries: it doubles from the first to the longest. */
  readonly firstWait: number;
  readonly longestWait: number;
  /** Tries in a row that bring nothing worth speaking of. */
  readonly tries: number;
}

export const PATIENCE: Patience = {
  connect: 15_000,
  stall: 30_000,
  firstWait: 1_000,
  longestWait: 60_000,
  tries: 8,
};

/** What is asked of a server: a file from a byte on. */
export interface Wanted {
  readonly url: URL;
  readonly token?: string;
  readonly from: number;
  /** Bytes that the whole file has. */
  readonly bytes: number;
  /** What the server called the file when the bytes before came. */
  readonly etag?: string;
}

export interface Part {
  /** The byte that it begins with: the wished one, or 0 where the server only gives whole files. */
  readonly from: number;
  readonly etag?: string;
  /** Throws Interrupted where it breaks off. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** It may go on if it is tried again. */
export class Interrupted extends Error {
  constructor(
    message: string,
    /** Ms that the server asked to be left alone. */
    readonly wait = 0,
  ) {
    super(message);
    this.name = "Interrupted";
  }
}

const MOST_REDIRECTS = 10;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** Statuses of a server that may do better the next time; so may all from 500 on. */
const PASSING = new Set([408, 425, 429]);
const LONGEST_ASKED_WAIT = 300_000;

/** Fetches parts of files over HTTP, through the proxy that the environment names if it names one. */
export class ModelServer {
  private readonly dispatcher: EnvHttpProxyAgent;

  /** Throws CONFIG_INVALID where what the environment names as its proxy is none. */
  constructor(private readonly patience: Patience) {
    try {
      this.dispatcher = new EnvHttpProxyAgent({
        connect: { timeout: patience.connect },
        headersTimeout: patience.stall,
        bodyTimeout: patience.stall,
      });
    } catch (error) {
      // Its URL may hold a password, and so may the error.
      throw new PerchError("CONFIG_INVALID", "HTTP_PROXY or HTTPS_PROXY is no URL of a proxy", error);
    }
  }

  async close(): Promise<void> {
    await this.dispatcher.destroy();
  }

  /**
   * Asks for a file from a byte on. Throws Interrupted where another try may help, MODEL_UNREACHABLE where
   * it would not, MODEL_CORRUPT where the server has another file under that name.
   */
  async open(wanted: Wanted, signal: AbortSignal): Promise<Part> {
    let { url } = wanted;
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects += 1) {
      const answer = await this.ask(url, wanted, signal);
      const location = answer.headers.location;
      if (!REDIRECTS.has(answer.statusCode) || location === undefined)
        return await this.partOf(answer, url, wanted);
      await answer.body.dump();
      url = redirected(url, String(location));
    }
    throw new PerchError("MODEL_UNREACHABLE", `${shownUrl(wanted.url)} redirects in a circle`);
  }

  private async ask(url: URL, { url: first, token, from, etag }: Wanted, signal: AbortSignal) {
    const headers = {
      // What is compressed on the way can't be asked for from a byte on.
      "accept-encoding": "identity",
      "user-agent": "perch",
      ...(token !== undefined && url.origin === first.origin && { authorization: `Bearer ${token}` }),
      ...(from > 0 && { range: `bytes=${from}-` }),
      ...(from > 0 && etag !== undefined && { "if-range": etag }),
    };
    try {
      return await request(url, { dispatcher: this.dispatcher, headers, signal });
    } catch (error) {
      throw this.faultOf(error, url);
    }
  }

  private async partOf(answer: Answer, url: URL, wanted: Wanted): Promise<Part> {
    const { statusCode: status, headers, body } = answer;
    try {
      refuseStatus(status, headers, url, wanted);
      const from = status === 206 ? beginOf(headers, url, wanted) : 0;
      refuseOtherFile(status, headers, url, wanted);
      const etag = strongTag(headers);
      return { from, body: this.pieces(body, url), ...(etag !== undefined && { etag }) };
    } catch (error) {
      body.destroy();
      // Destroyed unread it says so, to nobody in particular.
      body.once("error", () => undefined);
      throw error;
    }
  }

  private async *pieces(body: AsyncIterable<Uint8Array>, url: URL): AsyncGenerator<Uint8Array> {
    const pieces = body[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await pieces.next().catch((error: unknown) => {
          throw this.faultOf(error, url);
        });
        if (next.done) return;
        yield next.value;
      }
    } finally {
      await pieces.return?.();
    }
  }

  /** What stopped a request or its answer. */
  private faultOf(error: unknown, url: URL): Error {
    const seconds = (ms: number) => `${Math.ceil(ms / 1000)} s`;
    const code = systemCode(error) ?? "";
    if (code === "UND_ERR_CONNECT_TIMEOUT")
      return new Interrupted(`${url.host} took no connection for ${seconds(this.patience.connect)}`);
    if (code === "UND_ERR_HEADERS_TIMEOUT" || code === "UND_ERR_BODY_TIMEOUT")
      return new Interrupted(`${url.host} sent nothing for ${seconds(this.patience.stall)}`);
    if (/CERT|SELF_SIGNED|UNABLE_TO_(?:GET|VERIFY)/.test(code))
      return new PerchError(
        "MODEL_UNREACHABLE",
        `${url.host} cannot prove who it is (${messageOf(error)}): for an authority of your own set NODE_EXTRA_CA_CERTS to its certificate's file`,
        error,
      );
    return new Interrupted(`the connection to ${url.host} failed: ${messageOf(error)}`);
  }
}

type Answer = Awaited<ReturnType<typeof request>>;

function refuseStatus(status: number, headers: IncomingHttpHeaders, url: URL, { token }: Wanted): void {
  if (status === 200 || status === 206 || status === 416) return;
  const answers = `${shownUrl(url)} answers ${status}`;
  if (PASSING.has(status) || status >= 500) throw new Interrupted(answers, askedWait(headers));
  const why: Record<number, string> = {
    401: token === undefined ? "it wants a token (PERCH_MIRROR_TOKEN)" : "it does not take this token",
    403: token === undefined ? "it may not be read by everybody" : "this token does not open it",
    404: "there is no such file",
    407: "the proxy wants a user and password",
    410: "the file is gone",
  };
  throw new PerchError("MODEL_UNREACHABLE", why[status] ? `${answers}: ${why[status]}` : answers);
}

function askedWait(headers: IncomingHttpHeaders): number {
  const seconds = Number(headers["retry-after"]);
  return Number.isFinite(seconds) ? Math.min(LONGEST_ASKED_WAIT, Math.max(0, seconds * 1000)) : 0;
}

function beginOf(headers: IncomingHttpHeaders, url: URL, { from }: Wanted): number {
  const [, begin] = /^bytes (\d+)-/.exec(headers["content-range"] ?? "") ?? [];
  if (Number(begin) === from) return from;
  throw new PerchError("MODEL_UNREACHABLE", `${shownUrl(url)} answers with another part than was asked for`);
}

/** By its size, before any of it is written. */
function refuseOtherFile(
  status: number,
  headers: IncomingHttpHeaders,
  url: URL,
  { bytes, from }: Wanted,
): void {
  if (/^text\/html/.test(headers["content-type"] ?? ""))
    throw new PerchError(
      "MODEL_UNREACHABLE",
      `${shownUrl(url)} answers with a web page: a login or a proxy stands before the file`,
    );
  if ((headers["content-encoding"] ?? "identity") !== "identity")
    throw new PerchError("MODEL_UNREACHABLE", `${shownUrl(url)} sends the file compressed, unasked`);
  const [, total] = /\/(\d+)$/.exec(headers["content-range"] ?? "") ?? [];
  const found = status === 200 ? headers["content-length"] : total;
  if (found !== undefined && Number(found) !== bytes)
    throw new PerchError(
      "MODEL_CORRUPT",
      `${shownUrl(url)} is not the file that models.yaml names: it has ${found} bytes, not ${bytes}`,
    );
  if (status === 416)
    throw new PerchError("MODEL_UNREACHABLE", `${shownUrl(url)} does not give the file from byte ${from} on`);
}

/** A weak tag says nothing about single bytes (RFC 9110, 13.1.5). */
function strongTag({ etag }: IncomingHttpHeaders): string | undefined {
  return etag?.startsWith('"') ? etag : undefined;
}
