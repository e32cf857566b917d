import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** How it answers a chat. */
export type Conduct =
  | "answer"
  /** Ends the connection without a word. */
  | "reset"
  /** Takes the request and says nothing. */
  | "stall"
  /** Says a first word, and nothing more. */
  | "stall midway"
  /** Says a first word, and ends the connection. */
  | "cut"
  /** Says a first word, and that it failed. */
  | "error midway"
  /** Says a first word, and comments from then on. */
  | "comments"
  /** Waits to be let go on: `release`. */
  | "hold"
  /** One event that never ends. */
  | "endless"
  | "garbage"
  | "page"
  | "redirect"
  | { readonly status: number; readonly headers?: Record<string, string>; readonly message?: string };

interface Asked {
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Record<string, unknown>;
}

/** A server of OpenAI's API without a model, which fails as the test says; its answers say its name. */
export class FaultServer {
  conduct: Conduct = "answer";
  /** What it answers to looks. */
  health = 200;
  /** Of image, audio, schema, tools: what it refuses. */
  readonly lacks = new Set<"image" | "audio" | "schema" | "tools">();
  /** Of these abilities the probe ends its connection without a word. */
  readonly crashes = new Set<"image" | "audio" | "schema" | "tools">();
  /** Chats that it was asked, the probe's left out. */
  readonly asked: Asked[] = [];
  probes = 0;
  /** Chats that are under way. */
  underWay = 0;
  /** Chats whose client went away before the end. */
  given = 0;
  private held: (() => void)[] = [];
  private server: Server | undefined;
  private port = 0;

  constructor(
    readonly name: string,
    private readonly tls?: { readonly cert: Buffer; readonly key: Buffer },
  ) {}

  static async start(name: string, tls?: FaultServer["tls"]): Promise<FaultServer> {
    const server = new FaultServer(name, tls);
    await server.listen();
    return server;
  }

  get url(): string {
    return `${this.tls ? "https" : "http"}://localhost:${this.port}`;
  }

  /** Listens, on the port that it had before if it had one. */
  async listen(): Promise<void> {
    const answer = (asked: IncomingMessage, reply: ServerResponse) => void this.answer(asked, reply);
    const server = this.tls ? createSecureServer(this.tls, answer) : createServer(answer);
    this.server = server;
    await new Promise<void>((resolve) => server.listen(this.port, "localhost", resolve));
    this.port = (server.address() as AddressInfo).port;
  }

  /** Ends every connection and listens no more. */
  close(): Promise<void> {
    const { server } = this;
    server?.closeAllConnections();
    return new Promise((resolve) => (server ? server.close(() => resolve()) : resolve()));
  }

  /** Lets those that are held go on. */
  release(): void {
    for (const go of this.held.splice(0)) go();
  }

  private async answer(asked: IncomingMessage, reply: ServerResponse): Promise<void> {
    const { url = "", headers } = asked;
    const json = (status: number, body: object, more: Record<string, string> = {}) =>
      reply.writeHead(status, { "content-type": "application/json", ...more }).end(JSON.stringify(body));
    if (url === "/health") return void json(this.health, {});
    if (url === "/v1/models") return void json(200, { data: [{ id: `model of ${this.name}` }] });
    const body = JSON.parse((await buffer(asked)).toString()) as Record<string, unknown>;
    const text = JSON.stringify(body);
    const lacking = [...this.lacks].find((ability) => text.includes(NEEDS[ability]));
    if (lacking !== undefined)
      return void json(400, { error: { message: `${lacking} is not supported by this model` } });
    const isProbe = text.includes("Say ok.");
    if (isProbe) {
      if ([...this.crashes].some((ability) => text.includes(NEEDS[ability])))
        return void reply.socket?.destroy();
      this.probes += 1;
      return void this.speak(reply, text.includes(NEEDS.schema) ? '{"ready": true}' : "ok");
    }
    this.asked.push({ url, headers, body });
    this.underWay += 1;
    reply.once("close", () => {
      this.underWay -= 1;
      if (!reply.writableEnded) this.given += 1;
    });
    this.misbehave(reply, json);
  }

  private misbehave(
    reply: ServerResponse,
    json: (status: number, body: object, headers?: Record<string, string>) => void,
  ): void {
    const { conduct } = this;
    if (typeof conduct === "object") {
      const { status, headers, message = "it is as it is" } = conduct;
      json(status, { error: { message } }, headers);
      return;
    }
    switch (conduct) {
      case "answer":
        this.speak(reply, `"I am ${this.name}."`);
        return;
      case "hold":
        this.held.push(() => this.speak(reply, `"I am ${this.name}."`));
        return;
      case "reset":
        reply.socket?.destroy();
        return;
      case "stall":
        return;
      case "garbage":
        reply.writeHead(200, { "content-type": "text/event-stream" }).end("data: what?\n\n");
        return;
      case "page":
        reply.writeHead(200, { "content-type": "text/html" }).end("<html>Welcome!</html>");
        return;
      case "redirect":
        reply.writeHead(307, { location: "http://localhost:1/v1/chat/completions" }).end();
        return;
      case "endless": {
        reply.writeHead(200, { "content-type": "text/event-stream" }).write("data: {");
        const more = () => {
          while (!reply.destroyed && reply.write(" ".repeat(100_000)));
        };
        reply.on("drain", more);
        more();
        return;
      }
      default:
        reply.writeHead(200, { "content-type": "text/event-stream" }).write(piece("I"));
        if (conduct === "cut") setTimeout(() => reply.socket?.destroy(), 20);
        if (conduct === "error midway")
          setTimeout(() => reply.end('data: {"error":{"code":500,"message":"the card is gone"}}\n\n'), 20);
        if (conduct === "comments") {
          const timer = setInterval(() => reply.write(": alive\n\n"), 20);
          reply.once("close", () => clearInterval(timer));
        }
    }
  }

  /** A whole answer, with lines ended as some servers do. */
  private speak(reply: ServerResponse, text: string): void {
    reply.writeHead(200, { "content-type": "text/event-stream" });
    for (const word of text.split(/(?<= )/)) reply.write(piece(word));
    const usage = { prompt_tokens: 7, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 5 } };
    reply.write(`data: ${JSON.stringify({ choices: [{ delta: {}, finish_reason: "stop" }] })}\r\n\r\n`);
    reply.write(`data: ${JSON.stringify({ choices: [], usage })}\r\n\r\n`);
    reply.end("data: [DONE]\r\n\r\n");
  }
}

const NEEDS = {
  image: '"type":"image_url"',
  audio: '"type":"input_audio"',
  schema: '"type":"json_schema"',
  tools: '"tools":[',
} as const;

const piece = (content: string) =>
  `data: ${JSON.stringify({ choices: [{ delta: { content }, finish_reason: null }] })}\r\n\r\n`;
