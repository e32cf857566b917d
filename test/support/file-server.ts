import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";

/** How one request is answered; the usual way where nothing is said. */
export interface Behaviour {
  /** Closes the connection after so many bytes. */
  readonly cutAfter?: number;
  /** Sends so many bytes, then nothing more, and keeps the connection. */
  readonly stallAfter?: number;
  readonly status?: number;
  readonly redirect?: string;
  readonly headers?: Record<string, string>;
  /** Done when the bytes before the cut have left. */
  readonly atCut?: () => void;
}

export interface Asked {
  readonly path: string;
  /** The first byte that was asked for; 0 without a range. */
  readonly from: number;
  readonly headers: IncomingMessage["headers"];
}

/** Files over HTTP on 127.0.0.1, with ranges and ETags, and with what real servers and networks do to them. */
export class FileServer {
  readonly asked: Asked[] = [];
  /** For the next requests, one each. */
  readonly next: Behaviour[] = [];
  /** False: whole files only. */
  ranges = true;
  /** False: sizes are not said beforehand. */
  lengths = true;
  private server: ReturnType<typeof createServer> | undefined;
  private scheme = "http";

  constructor(readonly files: Map<string, Buffer>) {}

  /** With a key and a certificate it speaks HTTPS, as localhost. */
  async start(tls?: { key: Buffer; cert: Buffer }): Promise<void> {
    const listener = (request: IncomingMessage, response: ServerResponse) => this.answer(request, response);
    const server = tls ? createTlsServer(tls, listener) : createServer(listener);
    this.server = server;
    if (tls) this.scheme = "https";
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  }

  get url(): string {
    if (!this.server) throw new Error("it is not started");
    const { port } = this.server.address() as AddressInfo;
    return `${this.scheme}://${this.scheme === "https" ? "localhost" : "127.0.0.1"}:${port}`;
  }

  async stop(): Promise<void> {
    const { server } = this;
    if (!server) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  private answer({ url = "/", headers }: IncomingMessage, response: ServerResponse): void {
    const path = url.slice(1);
    const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
    this.asked.push({ path, from, headers });
    const behaviour = this.next.shift() ?? {};
    const file = this.files.get(path.split("/").at(-1) ?? "");
    if (behaviour.redirect !== undefined)
      response.writeHead(302, { location: `${behaviour.redirect}/${path}` }).end("elsewhere");
    else if (behaviour.status !== undefined)
      response.writeHead(behaviour.status, behaviour.headers).end("no");
    else if (!file) response.writeHead(404).end("no such file");
    else this.send(file, from, String(headers["if-range"] ?? ""), behaviour, response);
  }

  private send(
    file: Buffer,
    from: number,
    ifRange: string,
    { cutAfter, stallAfter, headers, atCut }: Behaviour,
    response: ServerResponse,
  ): void {
    const etag = `"${file.length}-${file.at(-1)}"`;
    const part = this.ranges && from > 0 && (ifRange === "" || ifRange === etag);
    const rest = part ? file.subarray(from) : file;
    response.writeHead(part ? 206 : 200, {
      etag,
      ...(this.lengths && { "content-length": rest.length }),
      ...(part && { "content-range": `bytes ${from}-${file.length - 1}/${file.length}` }),
      ...headers,
    });
    const most = cutAfter ?? stallAfter;
    if (most === undefined) response.end(rest);
    else if (cutAfter === undefined) response.write(rest.subarray(0, most));
    // Destroyed at once, the bytes would not leave either.
    else
      response.write(rest.subarray(0, most), () =>
        setTimeout(() => {
          atCut?.();
          response.destroy();
        }, 50),
      );
  }
}
