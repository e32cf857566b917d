import { readFileSync } from "node:fs";
import type { RemoteServerConfig } from "../contract/config-remote.ts";
import type { Ladder } from "../contract/models.ts";
import type { Clock } from "../kernel/clock.ts";
import { messageOf, systemCode } from "../kernel/errors.ts";
import { isRaw, type Prompt, type RawRequest, type Reply, type Sink } from "./engine.ts";
import { RemoteAnswer } from "./remote-answer.ts";
import { RemoteClient } from "./remote-client.ts";
import { RemoteFault, statusFault } from "./remote-fault.ts";
import { type Abilities, modelIn, type RemoteProbe } from "./remote-probe.ts";
import { type Dialect, promptBody, rawBody } from "./remote-request.ts";

const CHAT = "/v1/chat/completions";

/** All in ms. */
export interface LinkTimings {
  /** Until a connection stands, TLS included. */
  readonly connect: number;
  /** A server that says nothing of an answer for so long has failed. */
  readonly silence: number;
  /** How long a look may take. */
  readonly beatTimeout: number;
}

interface Options {
  readonly config: RemoteServerConfig;
  readonly order: Ladder["order"];
  readonly timings: LinkTimings;
  readonly clock: Clock;
}

/** The way to a server that answers: its address, its model, how it is spoken to and what it can. */
export class RemoteLink {
  /** When something of an answer last came, monotonic ms. */
  heard = 0;
  dialect: Dialect = { model: "", llama: false, template: true };
  abilities: Abilities = { image: "", audio: "", schema: "", tools: "" };
  private readonly client: RemoteClient;

  /** Reads the authority's file, so that a renewed one counts. Throws RemoteFault. */
  constructor(private readonly options: Options) {
    const { config, timings, clock } = options;
    const { url, key, ca } = config;
    this.client = new RemoteClient({
      ...{ url, clock, connect: timings.connect },
      ...(key !== undefined && { key }),
      ...(ca !== undefined && { ca: authority(ca) }),
    });
  }

  /** Finds out with which model it answers and what it can. Throws RemoteFault where it does not answer. */
  async open(probe: RemoteProbe, signal: AbortSignal): Promise<void> {
    const { config, timings } = this.options;
    const { status, text } = await this.client.get("/v1/models", timings.silence, signal);
    const { model, llama } = modelOf(config, status, text);
    this.client.keeps = !llama;
    const put = (chat: object, template: boolean) => {
      this.dialect = { model, llama, template };
      return this.chat(chat, signal);
    };
    const template = await probe.template(put);
    this.abilities = await probe.abilities((chat) => put(chat, template));
  }

  close(): void {
    this.client.close();
  }

  /** Asks once. Throws RemoteFault. */
  async ask(work: Prompt | RawRequest, signal: AbortSignal): Promise<Reply> {
    const { order } = this.options;
    if (!isRaw(work)) return await this.exchange(CHAT, promptBody(work, order, this.dialect), signal);
    const { path, sink } = work;
    const { body, usage } = rawBody(work.body, this.dialect);
    try {
      return await this.exchange(path, body, signal, { usage, take: (events) => sink.take(events) });
    } catch (error) {
      const isMissing = error instanceof RemoteFault && error.more.status === 404 && path !== CHAT;
      throw isMissing ? new RemoteFault("cannot", `it has no ${path}`, error.more) : error;
    }
  }

  /** Whether it is well, by /health, or by /v1/models where a server has none. Throws RemoteFault where it is not. */
  async look(signal: AbortSignal): Promise<void> {
    const { beatTimeout } = this.options.timings;
    let { status } = await this.client.get("/health", beatTimeout, signal);
    if (status === 404 || status === 405)
      ({ status } = await this.client.get("/v1/models", beatTimeout, signal));
    if (status !== 200) throw new RemoteFault("broken", `HTTP ${status}`);
  }

  /** What it writes to a chat of the probe's. */
  private async chat(chat: object, signal: AbortSignal): Promise<string> {
    const { body } = rawBody(JSON.stringify(chat), this.dialect);
    return (await this.exchange(CHAT, body, signal)).text;
  }

  /** Without somebody who takes the events the text is kept. */
  private async exchange(
    path: string,
    body: string,
    signal: AbortSignal,
    sink?: { readonly usage: boolean; readonly take: Sink["take"] },
  ): Promise<Reply> {
    const { clock, timings } = this.options;
    const asked = clock.monotonic();
    const answer = new RemoteAnswer({ asked, keep: sink === undefined, usage: sink?.usage ?? false });
    await this.client.stream({ path, body, silence: timings.silence, signal }, (piece) => {
      this.heard = clock.monotonic();
      const events = answer.push(piece, this.heard);
      const room = events === "" ? undefined : sink?.take(events);
      return answer.complete ? true : room;
    });
    return answer.reply(clock.monotonic());
  }
}

/** The model to ask for by what GET /v1/models answered; a server without that list is taken at the configuration's word. */
function modelOf({ model }: RemoteServerConfig, status: number, text: string) {
  if (status === 200) return modelIn(text, model);
  if ((status === 404 || status === 405) && model !== undefined) return { model, llama: false };
  throw statusFault(status, text, undefined, 0);
}

function authority(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const why = systemCode(error) === "ENOENT" ? "is missing" : `cannot be read (${messageOf(error)})`;
    throw new RemoteFault("denied", `ca: the file ${path} ${why}`, { cause: error });
  }
}
