import { mkdtemp, readFile, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { onTestFinished } from "vitest";
import { Access } from "../../service/api/access/access.ts";
import { AdminToken } from "../../service/api/access/admin-token.ts";
import { Audit } from "../../service/api/access/audit.ts";
import { SignIn } from "../../service/api/access/sign-in.ts";
import { Tokens, type TokenWish } from "../../service/api/access/tokens.ts";
import type { RecordRoutes } from "../../service/api/rest/record.ts";
import { ApiServer } from "../../service/api/server.ts";
import type { HttpConfig } from "../../service/contract/config.ts";
import { recordSideOf } from "../../service/desks/record.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import type { Health } from "../../service/kernel/part.ts";
import { Record } from "../../service/record/record.ts";
import { FakeClock } from "./fake-clock.ts";
import { GovernorBench } from "./governed.ts";

/** A folder of this test's own, gone when the test is over. */
export async function accessFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "perch-access-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** What somebody wants of a token, with the rest as it usually is. */
export const wish = (over: Partial<TokenWish> & Pick<TokenWish, "role">): TokenWish => ({
  name: `a-${over.role}`,
  by: "somebody",
  expires: null,
  ...(over.role === "kiosk" && { kiosk: "hall" }),
  ...over,
});

/** The service's HTTP on a free port, over a data folder of its own; time moves when the test says so. */
export class Served {
  /** Begins now: a certificate that is made has to hold for those who ask. */
  readonly clock = new FakeClock(Date.now());
  /** Every line of its log, at the most talkative level. */
  readonly log: string[] = [];
  readonly tokens: Tokens;
  readonly bench = new GovernorBench();
  readonly record: Record;
  readonly recordSide: RecordRoutes;
  readonly signIn: SignIn;
  /** What its parts say of themselves. */
  parts: { [name: string]: Health } = { engine: { state: "ok" } };
  private readonly server: ApiServer;

  private constructor(
    readonly data: string,
    lan: boolean,
    over: Partial<HttpConfig>,
  ) {
    const http = { host: "127.0.0.1", port: 0, names: ["box.clinic.example"], ...over };
    const logger = pino({ level: "trace" }, { write: (line) => this.log.push(line) });
    const shared = { clock: this.clock, logger, metrics: new Metrics() };
    this.tokens = new Tokens(data, (message) => logger.warn(message));
    const token = new AdminToken(data);
    this.signIn = new SignIn({ ...shared, data, secure: http.tls !== undefined });
    const { governor } = this.bench;
    const config = { thumbnail: 24_000, age: 30 * 86_400_000, bytes: 2e9 };
    this.record = new Record({ ...shared, folder: data, config });
    this.recordSide = recordSideOf({ ...shared, record: this.record, node: "box", base: "perch/box" });
    this.server = new ApiServer({
      ...shared,
      http,
      data,
      version: "0.0.0",
      health: () => this.parts,
      essential: [["engine"]],
      governor: {
        view: () => ({ ...governor.view(), ladder: "scripted", rungs: [...governor.rungs] }),
        obey: (command) => governor.obey(command),
      },
      token,
      signIn: this.signIn,
      audit: new Audit({
        ...shared,
        write: (audit) => this.record.write({ events: [], messages: [], audit }),
      }),
      record: this.recordSide,
      access: new Access({
        ...shared,
        admin: token,
        signIn: this.signIn,
        tokens: this.tokens,
        lan,
        names: http.names,
      }),
    });
  }

  static async start({
    lan = false,
    data,
    http = {},
  }: {
    lan?: boolean;
    data?: string;
    http?: Partial<HttpConfig>;
  } = {}): Promise<Served> {
    const served = new Served(data ?? (await accessFolder()), lan, http);
    await served.bench.start();
    await served.bench.pass(1);
    onTestFinished(() => served.stop());
    await served.record.start();
    await served.server.start();
    return served;
  }

  async stop(): Promise<void> {
    await this.server.stop();
    await this.record.stop();
    await this.bench.governor.stop();
  }

  /** The token of the link that makes the first admin. */
  get setupToken(): string {
    return new URL(this.server.setup ?? "none:").hash.slice(1);
  }

  health() {
    return this.server.health();
  }

  get url(): string {
    return this.server.url ?? "";
  }

  /** Makes a token and returns what its holder shows. */
  token(over: Parameters<typeof wish>[0]): string {
    return this.tokens.create(wish(over), this.clock.now()).token;
  }

  async adminToken(): Promise<string> {
    return (await readFile(join(this.data, "admin.token"), "utf8")).trim();
  }

  /** Asks with a token, or without one. */
  async ask(
    path: string,
    token?: string,
    init: RequestInit = {},
  ): Promise<{ status: number; headers: Headers; body: unknown }> {
    const headers = {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(init.headers as object),
    };
    const response = await fetch(`${this.url}${path}`, { ...init, headers });
    const text = await response.text();
    const json = response.headers.get("content-type")?.startsWith("application/json") ?? false;
    return { status: response.status, headers: response.headers, body: json ? JSON.parse(text) : text };
  }

  /** POST /api/governor. */
  command(token: string | undefined, body: object = { mode: "frozen" }) {
    const headers = { "content-type": "application/json" };
    return this.ask("/api/governor", token, { method: "POST", headers, body: JSON.stringify(body) });
  }
}

/** GET /health/live with another Host header, which fetch does not let one set. */
export function underName(url: string, host: string): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    request(`${url}/health/live`, { headers: { host } }, (response) => {
      let body = "";
      response.on("data", (chunk) => {
        body += String(chunk);
      });
      response.on("end", () => resolve({ status: response.statusCode, body }));
    })
      .on("error", reject)
      .end();
  });
}
