import { createServer, type Server, type Socket } from "node:net";
import { Aedes } from "aedes";
import type { EmbeddedBroker as EmbeddedBrokerConfig } from "../contract/config.ts";
import { Backoff } from "../kernel/backoff.ts";
import { type Clock, sleep } from "../kernel/clock.ts";
import { messageOf, PerchError, systemCode } from "../kernel/errors.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Health, Part } from "../kernel/part.ts";

/** Ports tried from the configured one on, before any free one is taken. */
const NEXT_PORTS = 20;
const MOST_CONNECTIONS = 256;
/** Bytes of a message's payload. */
const MOST_PAYLOAD = 1_000_000;
/** Seconds; a client that asks for no keepalive at all is refused too, for it would hold its place for ever. */
const MOST_KEEPALIVE = 3600;
/** A subscriber that reads nothing for so long, ms, is cut off. */
const DRAIN_TIMEOUT = 30_000;
/** Ms for clients to go when the broker stops. */
const STOP_PATIENCE = 2000;

interface Options {
  readonly config: EmbeddedBrokerConfig;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * An MQTT 3.1.1 broker inside the service, so that a box without one can be read by anything that speaks
 * MQTT. It holds everything in memory and keeps no session of a client that went: who must not miss a
 * message while away uses a broker of its own.
 */
export class EmbeddedBroker implements Part {
  readonly name = "broker";
  private aedes: Aedes | undefined;
  private server: Server | undefined;
  private readonly sockets = new Set<Socket>();
  private readonly stopper = new AbortController();
  private readonly backoff = new Backoff(1000, 30_000);
  private retrying: Promise<void> | undefined;
  private port: number | undefined;
  private reason: string | undefined;

  constructor(private readonly options: Options) {}

  async start(signal: AbortSignal): Promise<void> {
    this.aedes = await createAedes(this.options.logger);
    if (signal.aborted || this.stopper.signal.aborted) return;
    if (!(await this.tryListen())) this.retrying = this.retry();
  }

  async stop(): Promise<void> {
    this.stopper.abort();
    await this.retrying;
    const { aedes, server } = this;
    this.port = undefined;
    const closed = server && new Promise<void>((resolve) => server.close(() => resolve()));
    const given = new AbortController();
    const gone = aedes && new Promise<void>((resolve) => aedes.close(() => resolve()));
    await Promise.race([gone, sleep(this.options.clock, STOP_PATIENCE, given.signal)]);
    given.abort();
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  /** mqtt://host:port, once it listens. */
  url(): string | undefined {
    if (this.port === undefined) return undefined;
    return `mqtt://${reachable(this.options.config.host)}:${this.port}`;
  }

  health(): Health {
    if (this.stopper.signal.aborted) return { state: "stopped" };
    if (this.reason !== undefined) return { state: "degraded", reason: this.reason };
    if (this.port === undefined) return { state: "starting" };
    return { state: "ok", detail: { port: this.port, clients: this.sockets.size } };
  }

  private async retry(): Promise<void> {
    const { signal } = this.stopper;
    do await sleep(this.options.clock, this.backoff.next(), signal);
    while (!signal.aborted && !(await this.tryListen()));
  }

  private async tryListen(): Promise<boolean> {
    const { config, logger } = this.options;
    try {
      this.port = await this.listenSomewhere();
    } catch (error) {
      const reason = `the embedded broker cannot listen on ${config.host}:${config.port}: ${messageOf(error)}`;
      if (this.reason !== reason) logger.error(`${reason}; trying again`);
      this.reason = reason;
      return false;
    }
    this.reason = undefined;
    const taken = config.port !== 0 && this.port !== config.port;
    if (taken) logger.warn(`port ${config.port} is taken; the embedded broker listens on ${this.url()}`);
    else logger.info(`the embedded broker listens on ${this.url()}`);
    return true;
  }

  private async listenSomewhere(): Promise<number> {
    const { port } = this.options.config;
    const next = Array.from({ length: NEXT_PORTS }, (_, step) => port + step).filter((one) => one <= 65_535);
    for (const candidate of port === 0 ? [0] : [...next, 0]) {
      try {
        return await this.listen(candidate);
      } catch (error) {
        if (systemCode(error) !== "EADDRINUSE") throw error;
      }
    }
    throw new PerchError("PORT_TAKEN", "no port is free");
  }

  private listen(port: number): Promise<number> {
    const server = createServer({ keepAlive: true, noDelay: true }, (socket) => this.accept(socket));
    server.maxConnections = MOST_CONNECTIONS;
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, this.options.config.host, () => {
        server.off("error", reject);
        server.on("error", (error) => this.options.logger.warn(`the embedded broker: ${error.message}`));
        this.server = server;
        const address = server.address();
        resolve(typeof address === "object" && address ? address.port : port);
      });
    });
  }

  private accept(socket: Socket): void {
    this.sockets.add(socket);
    socket.once("close", () => this.sockets.delete(socket));
    this.aedes?.handle(socket);
  }
}

async function createAedes(logger: Logger): Promise<Aedes> {
  const aedes = await Aedes.createBroker({
    keepaliveLimit: MOST_KEEPALIVE,
    drainTimeout: DRAIN_TIMEOUT,
    connectTimeout: 10_000,
    preConnect: (_client, packet, callback) => {
      // A session kept for an absent client would fill the memory with all that it misses.
      packet.clean = true;
      callback(null, true);
    },
    authorizePublish: (_client, packet, callback) => {
      callback(publishFault(packet.topic, packet.payload.length));
    },
  });
  const note = (error: Error, id: string) =>
    logger.debug(`the embedded broker ended a connection (${id}): ${error.message}`);
  aedes.on("clientError", (client, error) => note(error, client.id));
  aedes.on("connectionError", (_client, error) => note(error, "before its CONNECT"));
  return aedes;
}

function publishFault(topic: string, bytes: number): Error | null {
  if (bytes > MOST_PAYLOAD) return new Error(`a payload of ${bytes} bytes is too large`);
  if (topic.startsWith("$SYS/")) return new Error("$SYS is the broker's own");
  return null;
}

/** An address that a client of this box can connect to. */
function reachable(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}
