import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Fastify from "fastify";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { Access } from "../../service/api/access/access.ts";
import { AdminToken } from "../../service/api/access/admin-token.ts";
import { Tokens } from "../../service/api/access/tokens.ts";
import { gatewayRoutes } from "../../service/api/openai/routes.ts";
import type { Role } from "../../service/contract/access.ts";
import { isRaw, type Prompt, type RawRequest, type Reply } from "../../service/inference/engine.ts";
import { Inference } from "../../service/inference/inference.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { accessFolder, wish } from "../support/access-served.ts";
import { ServedAppliance } from "../support/appliance-served.ts";
import { ScriptedEngine } from "../support/engine-fake.ts";
import { tone } from "../support/engine-media.ts";
import { until } from "../support/until.ts";

/** All that a kiosk may ask; everything else is 403. The model's API is asked separately. */
const OPEN_TO_KIOSKS = [
  "get /health/live",
  "get /health/ready",
  "post /api/session",
  "get /api/session",
  "post /api/setup",
];

/** An engine with one slot that is asked in the API's own words; what the last message says is the question. */
class RawEngine extends ScriptedEngine {
  override async ask(work: Prompt | RawRequest, signal: AbortSignal): Promise<Reply> {
    if (!isRaw(work)) return super.ask(work, signal);
    const { messages } = JSON.parse(work.body) as { messages: { content: string | { text?: string }[] }[] };
    const content = messages.at(-1)?.content ?? "";
    if (typeof content === "string") return super.ask({ question: content }, signal);
    // Of a clip what its upload gave as the prompt.
    const [, prompt = ""] = /may occur: (.+)$/.exec(content.at(-1)?.text ?? "") ?? [];
    const reply = await super.ask({ question: prompt }, signal);
    const delta = { content: '{"words":"hum"}' };
    await work.sink.take(`data: ${JSON.stringify({ choices: [{ delta }] })}\n\n`);
    return reply;
  }
}

/** The model's API behind tokens, before that engine. */
class GatewayBehindTokens {
  readonly engine = new RawEngine(1);
  private readonly shared = { clock: systemClock, logger: silentLogger, metrics: new Metrics() };
  private readonly tokens: Tokens;
  readonly inference: Inference;
  private readonly app = Fastify({ forceCloseConnections: true });
  private url = "";

  private constructor(data: string) {
    const { shared, engine } = this;
    this.tokens = new Tokens(data);
    this.inference = new Inference({ ...shared, engine, capacity: 8, data });
    const access = new Access({
      ...{ ...shared, admin: new AdminToken(data), tokens: this.tokens, lan: false, names: [] },
    });
    access.install(this.app);
    const running = { ladder: "scripted", levels: ["one"], level: "one", reason: undefined };
    this.app.register(gatewayRoutes, {
      ...{ ...shared, data, inference: this.inference, guard: access.allow("model.ask") },
      running: () => running,
      image: () => engine.image,
    });
  }

  static async start(): Promise<GatewayBehindTokens> {
    const gate = new GatewayBehindTokens(await accessFolder());
    onTestFinished(async () => {
      await gate.app.close();
      await gate.inference.stop();
    });
    await gate.inference.start();
    gate.url = await gate.app.listen({ host: "127.0.0.1", port: 0 });
    return gate;
  }

  get waiting(): number {
    return Number(this.inference.health().detail?.waiting);
  }

  /** Asks with a new token of that role; resolves when it is over, however it ended. */
  async ask(role: Role, content: string, headers: Record<string, string> = {}): Promise<void> {
    const { token } = this.tokens.create(wish({ role, name: content.replace(" ", "-") }), Date.now());
    const response = await fetch(`${this.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
      body: JSON.stringify({ model: "perch", messages: [{ role: "user", content }] }),
    });
    await response.text();
  }

  /** Has so many seconds of a tone written down, with a new token of that role; resolves to the status. */
  async transcribe(role: Role, prompt: string, seconds: number): Promise<number> {
    const { token } = this.tokens.create(wish({ role, name: prompt.replaceAll(" ", "-") }), Date.now());
    const body = new FormData();
    for (const [name, value] of Object.entries({ model: "perch", prompt })) body.append(name, value);
    body.append("file", new Blob([tone(440, seconds) as Uint8Array<ArrayBuffer>]), "tone.wav");
    const headers = { authorization: `Bearer ${token}` };
    const response = await fetch(`${this.url}/v1/audio/transcriptions`, { method: "POST", headers, body });
    await response.text();
    return response.status;
  }
}

let box: ServedAppliance;

beforeAll(async () => {
  box = new ServedAppliance({ feeds: [], watches: [] });
  await box.start();
  await box.ready();
});
afterAll(() => box.dispose());

describe("a kiosk's token", () => {
  it("reaches the model and its own health, and no other route that the service has", async () => {
    const { body } = await box.ask("/api/openapi.json");
    const { paths } = body as { paths: Record<string, Record<string, object>> };
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => ({ method, path })),
    );
    expect(routes.length).toBeGreaterThan(15);
    const refused: string[] = [];
    const open: string[] = [];
    for (const { method, path } of routes.filter(({ path: one }) => !one.startsWith("/v1"))) {
      const at = path.replaceAll(/\{\w+\}/g, "none");
      const body = ["post", "put", "patch"].includes(method) ? { body: {} } : {};
      const { status } = await box.ask(at, { role: "kiosk", method: method.toUpperCase(), ...body });
      (status === 403 ? refused : open).push(`${method} ${path}`);
    }
    expect(open.sort()).toEqual([...OPEN_TO_KIOSKS].sort());
    expect(refused.length).toBeGreaterThan(15);
    expect((await box.ask("/mcp", { role: "kiosk", body: {} })).status).toBe(403);
    expect((await box.ask("/v1/models", { role: "kiosk" })).status).toBe(200);
  });

  it("has the kiosk's lane, before all that waits, whatever it says itself", async () => {
    const gate = await GatewayBehindTokens.start();
    const asked = [gate.ask("api", "under way")];
    await until(() => gate.engine.history.length === 1);
    asked.push(gate.ask("api", "program"), gate.ask("operator", "operator"));
    await until(() => gate.waiting === 2);
    // It may say what it likes about its lane: nobody reads it.
    asked.push(gate.ask("kiosk", "kiosk", { "x-perch-lane": "batch" }));
    await until(() => gate.waiting === 3);
    for (let done = 1; done <= asked.length; done += 1) {
      await until(() => gate.engine.history.length === done);
      gate.engine.asked[0]?.answer();
    }
    await Promise.all(asked);
    expect(gate.engine.history).toEqual(["under way", "kiosk", "program", "operator"]);
  });

  it("has the lane for one clip of a long sound: the others wait as a program does", async () => {
    const gate = await GatewayBehindTokens.start();
    const { history, asked } = gate.engine;
    const waitFor = (begun: number, waiting: number) =>
      until(() => history.length === begun && gate.waiting === waiting);
    const over = [gate.transcribe("kiosk", "one long", 40)];
    await waitFor(1, 0);
    const program = gate.ask("api", "program");
    await waitFor(1, 1);
    over.push(gate.transcribe("kiosk", "other long", 40));
    await waitFor(1, 2);
    asked[0]?.answer();
    // The other's first clip is with the engine; the program waits, and the second clip of the one.
    await waitFor(2, 2);
    const visitor = gate.ask("kiosk", "visitor");
    const alarm = gate.inference.submit({
      prompt: { question: "alarm" },
      lane: "alarm",
      deadline: systemClock.monotonic() + 60_000,
    });
    await waitFor(2, 4);
    asked[0]?.answer();
    for (let begun = 3; begun <= 6; begun += 1) {
      await until(() => history.length === begun);
      // The other's second clip has its place behind the one's before the next answer.
      if (begun === 3) await waitFor(3, 4);
      if (begun < 6) asked[0]?.answer();
    }
    expect(history).toEqual(["one long", "other long", "visitor", "alarm", "program", "one long"]);
    const rest = Promise.all(over);
    let statuses: number[] | undefined;
    rest.then((all) => {
      statuses = all;
    });
    await until(() => {
      asked[0]?.answer();
      return statuses !== undefined;
    });
    expect(statuses).toEqual([200, 200]);
    await Promise.all([program, visitor, alarm]);
  });

  it("is for one kiosk: one that names none is not made, and opens nothing where somebody wrote it", async () => {
    const data = await accessFolder();
    const tokens = new Tokens(data);
    const { kiosk: _kiosk, ...unbound } = wish({ role: "kiosk" });
    expect(() => tokens.create(unbound, 0)).toThrow("is for one kiosk: say which");
    const { token, stored } = tokens.create(wish({ role: "kiosk" }), 0);
    expect(tokens.find(token, 0)).toEqual({ token: stored });
    const file = join(tokens.folder, `${stored.id}.json`);
    const { kiosk: _id, ...rest } = JSON.parse(readFileSync(file, "utf8")) as typeof stored;
    writeFileSync(file, JSON.stringify(rest));
    expect(tokens.find(token, 0)).toEqual({ unknown: true });
  });
});
