import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { Tokens } from "../../service/api/access/tokens.ts";
import { Appliance } from "../../service/appliance.ts";
import { loadForBoth } from "../../service/config/config.ts";
import type { Role } from "../../service/contract/access.ts";
import { configText } from "../bench/configuration.ts";
import { anySignal } from "./engine-bench.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** JSON where it is that, else text. */
  readonly body: unknown;
}

/** The whole service within the test's process, on free ports, with everything of its own in a temporary folder. */
export class ServedAppliance {
  readonly folder = mkdtempSync(join(tmpdir(), "perch-test-"));
  readonly data = join(this.folder, "data");
  /** Messages of its log, of all lives. */
  readonly log: string[] = [];
  private appliance: Appliance | undefined;
  private readonly shown = new Map<Role, string>();

  constructor(private readonly config: Record<string, unknown>) {}

  /** Starts it, or starts it again, with parts of its configuration replaced. */
  async start(over: Record<string, unknown> = {}): Promise<void> {
    const file = configText(this.folder, {
      node: "cell",
      data: this.data,
      http: { port: 0 },
      mqtt: { broker: { kind: "embedded", port: 0 } },
      ...this.config,
      ...over,
    });
    const logger = pino({}, { write: (line) => this.log.push((JSON.parse(line) as { msg: string }).msg) });
    const { config, shown } = loadForBoth(file);
    this.appliance = new Appliance({
      config,
      source: { file, shown },
      logger,
      version: "0.0.0",
      onEvent: () => undefined,
    });
    await this.appliance.start(anySignal());
  }

  /** Resolves when the model answers. */
  async ready(): Promise<void> {
    await this.appliance?.ready(anySignal());
  }

  async stop(): Promise<void> {
    await this.appliance?.stop();
    this.appliance = undefined;
  }

  async dispose(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  get url(): string {
    const health = this.appliance?.places().health;
    if (health === undefined) throw new Error("it does not listen");
    return new URL(health).origin;
  }

  health() {
    return this.appliance?.health() ?? {};
  }

  /** What the holder of a token of that role shows. */
  token(role: Role): string {
    const known = this.shown.get(role);
    if (known !== undefined) return known;
    const tokens = new Tokens(this.data, () => undefined);
    const kiosk = role === "kiosk" ? { kiosk: "hall" } : {};
    const wish = { name: `a-${role}`, role, by: "a test", expires: null, ...kiosk };
    const { token } = tokens.create(wish, Date.now());
    this.shown.set(role, token);
    return token;
  }

  /** Asks with a token of that role; a body goes as JSON. */
  async ask(
    path: string,
    init: { readonly role?: Role; readonly body?: unknown; readonly headers?: object } & Omit<
      RequestInit,
      "body" | "headers"
    > = {},
  ): Promise<Answer> {
    const { role = "admin", body, headers, ...rest } = init;
    const response = await fetch(`${this.url}${path}`, {
      method: body === undefined ? "GET" : "POST",
      ...rest,
      headers: {
        authorization: `Bearer ${this.token(role)}`,
        ...(body !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const json = response.headers.get("content-type")?.startsWith("application/json") ?? false;
    return { status: response.status, headers: response.headers, body: json ? JSON.parse(text) : text };
  }

  /** What data/changes.yaml holds. */
  get changes(): string {
    const file = join(this.data, "changes.yaml");
    return existsSync(file) ? readFileSync(file, "utf8") : "";
  }
}
