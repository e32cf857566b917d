import Fastify, { type FastifyInstance } from "fastify";
import { isPerchError, messageOf, PerchError, systemCode } from "../kernel/errors.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Metrics } from "../kernel/metrics.ts";
import type { Health, Part } from "../kernel/part.ts";
import type { AdminToken } from "./admin-token.ts";
import { type GovernorDesk, governorRoutes } from "./governor-routes.ts";

interface Options {
  readonly host: string;
  readonly port: number;
  readonly version: string;
  /** Health of every part by name. */
  readonly health: () => Record<string, Health>;
  /** Parts without which nothing is watched; /health/ready asks for them. */
  readonly essential: readonly string[];
  readonly governor: GovernorDesk;
  readonly token: AdminToken;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** /health/live, /health/ready, /metrics and /governor on loopback. */
export class HealthServer implements Part {
  readonly name = "api";
  private app: FastifyInstance | undefined;
  private listening: string | undefined;
  private fault: string | undefined;

  constructor(private readonly options: Options) {}

  /** Where it listens; undefined while it does not. */
  get url(): string | undefined {
    return this.listening;
  }

  /** Never throws: without its port Perch goes on watching, and says so in the log. */
  async start(): Promise<void> {
    const { host, port, logger } = this.options;
    const app = this.routes();
    this.prepareToken();
    try {
      this.listening = await app.listen({ host, port });
      this.app = app;
    } catch (error) {
      const { message } = listenError(error, host, port);
      this.fault = message;
      logger.error(message);
      await app.close();
    }
  }

  async stop(): Promise<void> {
    await this.app?.close();
    this.app = undefined;
  }

  health(): Health {
    if (this.fault !== undefined) return { state: "degraded", reason: this.fault };
    return { state: this.app ? "ok" : "stopped" };
  }

  private prepareToken(): void {
    try {
      this.options.token.prepare();
    } catch (error) {
      this.options.logger.warn(
        { part: this.name },
        `nothing can be changed by HTTP: the admin token cannot be made: ${messageOf(error)}`,
      );
    }
  }

  private routes(): FastifyInstance {
    const { essential, metrics, version } = this.options;
    const app = Fastify({ forceCloseConnections: true, bodyLimit: 1024, requestTimeout: 10_000 });
    app.addHook("onRequest", async ({ host }, reply) => {
      // A page of the web may have its name point to this address: a browser then asks under that name.
      if (LOOPBACK.test(host)) return;
      reply.code(403);
      return reply.send({ error: "ask for localhost or 127.0.0.1" });
    });
    app.get("/health/live", async () => ({ status: "live", version }));
    app.get("/health/ready", async (_request, reply) => {
      const parts = this.options.health();
      const missing = essential.filter((name) => parts[name]?.state !== "ok");
      reply.code(missing.length === 0 ? 200 : 503);
      return { status: missing.length === 0 ? "ready" : "not ready", missing, version, parts };
    });
    app.get("/metrics", async (_request, reply) => {
      for (const [part, health] of Object.entries(this.options.health())) {
        metrics.partHealth.set({ part }, health.state === "ok" ? 1 : 0);
      }
      reply.type(metrics.registry.contentType);
      return metrics.registry.metrics();
    });
    governorRoutes(app, this.options);
    app.setErrorHandler((error, _request, reply) => {
      const status = isPerchError(error) ? error.status : 500;
      reply.code(status).send({ error: messageOf(error) });
    });
    return app;
  }
}

const LOOPBACK = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;

function listenError(error: unknown, host: string, port: number): PerchError {
  const why =
    systemCode(error) === "EADDRINUSE"
      ? "another program uses it: set http.port to a free one, or end that program"
      : messageOf(error);
  return new PerchError("PORT_TAKEN", `health and metrics cannot listen on ${host}:${port}: ${why}`, error);
}
