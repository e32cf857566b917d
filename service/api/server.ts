import type { IncomingMessage, ServerResponse } from "node:http";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type RawServerDefault,
} from "fastify";
import type { Refusal } from "../contract/api.ts";
import type { HttpConfig } from "../contract/config.ts";
import type { Clock } from "../kernel/clock.ts";
import { isPerchError, messageOf, PerchError, systemCode } from "../kernel/errors.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Metrics } from "../kernel/metrics.ts";
import type { Health, Part } from "../kernel/part.ts";
import type { Access } from "./access/access.ts";
import type { AdminToken } from "./access/admin-token.ts";
import type { Audit } from "./access/audit.ts";
import { setupLink } from "./access/setup-link.ts";
import type { SignIn } from "./access/sign-in.ts";
import { LONGEST_BODY, limitBodyTime } from "./body-time.ts";
import { homeRoute } from "./home/page.ts";
import { mcpRoute } from "./mcp.ts";
import { type GatewayOptions, gatewayRoutes } from "./openai/routes.ts";
import { describeRoutes, openApiRoute } from "./openapi.ts";
import { pageRoutes } from "./pages.ts";
import { accountRoutes } from "./rest/accounts.ts";
import { boxRoutes, type SystemDesk } from "./rest/box.ts";
import { type FeedDesk, feedRoutes } from "./rest/feeds.ts";
import { type GovernorDesk, governorRoutes } from "./rest/governor.ts";
import { type ListenDesk, listenRoutes } from "./rest/listen.ts";
import { type RecordRoutes, recordRoutes } from "./rest/record.ts";
import { sessionRoutes } from "./rest/session.ts";
import { systemRoutes } from "./rest/system.ts";
import { type WatchDesk, watchRoutes } from "./rest/watches.ts";
import { securityHeaders } from "./security-headers.ts";
import { type ServerTls, serverTls } from "./tls/tls.ts";
import { checkRequests, InvalidRequest } from "./validation.ts";

/** Where Perch's own routes are added: their handlers' types come from their schemas. */
export type Api = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

interface Options {
  readonly http: HttpConfig;
  /** The data folder: the box's own certificate lies there. */
  readonly data: string;
  readonly version: string;
  /** Health of every part by name. */
  readonly health: () => Record<string, Health>;
  /** Parts without which nothing is watched, of each list one; /health/ready asks for them. */
  readonly essential: readonly (readonly string[])[];
  readonly governor: GovernorDesk;
  readonly token: AdminToken;
  readonly access: Access;
  readonly signIn: SignIn;
  readonly audit: Audit;
  /** Cameras and microphones; without it nobody sees them. */
  readonly feeds?: FeedDesk;
  /** Watches; without it nobody sees or changes them. */
  readonly watches?: WatchDesk;
  /** The box, its models and its configuration; without it nobody is told. */
  readonly system?: SystemDesk;
  /** The record, live and backups; without it nobody is told of them. */
  readonly record?: RecordRoutes;
  /** Microphones that can be listened to; without it none can. */
  readonly microphones?: ListenDesk;
  /** The model's own API; without it there is none. */
  readonly gateway?: Omit<GatewayOptions, "guard" | "data" | "clock" | "logger">;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** All that Perch says and takes by HTTP: on loopback, or with TLS and tokens on the LAN. */
export class ApiServer implements Part {
  readonly name = "api";
  private app: FastifyInstance | undefined;
  private listening: string | undefined;
  private fault: string | undefined;
  private link: string | undefined;

  constructor(private readonly options: Options) {}

  /** Where it listens; undefined while it does not. */
  get url(): string | undefined {
    return this.listening;
  }

  /** Where the first admin is made; undefined where there is one, or where it does not listen. */
  get setup(): string | undefined {
    return this.link;
  }

  /** Never throws: without its port or its certificate Perch goes on watching, and says so in the log. */
  async start(): Promise<void> {
    const { http, data, clock, logger } = this.options;
    const { host, port } = http;
    this.prepareToken();
    try {
      const tls = serverTls(http, data, clock.now(), logger);
      this.app = await this.routes(tls);
      const firstRun = this.prepareLogins();
      this.listening = await this.app.listen({ host, port });
      this.link = firstRun && setupLink(http, this.listening, firstRun);
      if (tls) logger.info(`tls      certificate with the sha256 fingerprint ${tls.fingerprint}`);
    } catch (error) {
      const { message } = isPerchError(error) ? error : listenError(error, host, port);
      this.fault = message;
      logger.error(message);
      await this.stop();
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
      if (this.options.token.prepare().exposed)
        this.options.logger.warn(
          { part: this.name },
          "others could read admin.token of the data folder: it is a new one now",
        );
    } catch (error) {
      this.options.logger.warn(
        { part: this.name },
        `nothing can be changed by HTTP: the admin token cannot be made: ${messageOf(error)}`,
      );
    }
  }

  /** The token that makes the first admin, where there is none. */
  private prepareLogins(): string | undefined {
    try {
      return this.options.signIn.start();
    } catch (error) {
      const why = `nobody can log in: the accounts cannot be read: ${messageOf(error)}`;
      this.options.logger.warn({ part: this.name }, why);
      return undefined;
    }
  }

  private async routes(tls: ServerTls | undefined): Promise<Api> {
    const { access, audit, feeds, watches, system, gateway, microphones, record, data, clock, logger } =
      this.options;
    // Its types tell http from https; nothing here does.
    const app = Fastify({
      forceCloseConnections: true,
      bodyLimit: 64 * 1024,
      requestTimeout: LONGEST_BODY,
      // An address that cannot be decoded comes to no hook and no handler; the usual answer repeats it.
      frameworkErrors: (_error, _request, reply) => {
        (reply as unknown as FastifyReply).code(400).send({ error: "this address cannot be read" });
      },
      https: tls ? { cert: tls.cert, key: tls.key, handshakeTimeout: 10_000 } : null,
    }) as unknown as Api;
    securityHeaders(app);
    access.install(app);
    app.server.headersTimeout = 10_000;
    limitBodyTime(app as unknown as FastifyInstance);
    checkRequests(app);
    app.setErrorHandler((error, _request, reply) => {
      reply.code(statusOf(error)).send(refusalOf(error));
    });
    app.setNotFoundHandler((_request, reply) => {
      reply.code(404).send({ error: "there is nothing at this address" });
    });
    await describeRoutes(app, this.options);
    systemRoutes(app, this.options);
    governorRoutes(app, this.options);
    sessionRoutes(app, this.options);
    accountRoutes(app, this.options);
    homeRoute(app);
    pageRoutes(app);
    if (feeds) feedRoutes(app, { feeds, access, audit, clock });
    if (watches) watchRoutes(app, { watches, access, audit });
    if (system) boxRoutes(app, { system, access });
    if (microphones) listenRoutes(app, { microphones, access });
    if (record) recordRoutes(app, { ...record, access, audit, clock, logger });
    mcpRoute(app, this.options);
    openApiRoute(app, access);
    if (gateway)
      app.register(gatewayRoutes, { ...gateway, data, clock, logger, guard: access.allow("model.ask") });
    return app;
  }
}

/** Fastify's own errors, of a body that cannot be read, say whose fault it is. */
function statusOf(error: unknown): number {
  if (isPerchError(error)) return error.status;
  const { statusCode } = error as { statusCode?: unknown };
  return typeof statusCode === "number" && statusCode >= 400 && statusCode < 500 ? statusCode : 500;
}

function refusalOf(error: unknown): Refusal {
  return {
    error: messageOf(error),
    ...(isPerchError(error) && { code: error.code.toLowerCase() }),
    ...(error instanceof InvalidRequest && { issues: [...error.issues] }),
  };
}

function listenError(error: unknown, host: string, port: number): PerchError {
  const why =
    systemCode(error) === "EADDRINUSE"
      ? "another program uses it: set http.port to a free one, or end that program"
      : messageOf(error);
  return new PerchError("PORT_TAKEN", `health and metrics cannot listen on ${host}:${port}: ${why}`, error);
}
