import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI from "openai";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { Appliance } from "../../service/appliance.ts";
import { loadConfig } from "../../service/config/config.ts";
import { RemoteEngine } from "../../service/inference/remote-engine.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { Database } from "../../service/kernel/sqlite.ts";
import { configText } from "../bench/configuration.ts";
import { makeCertificates } from "../support/certificates.ts";
import { anySignal } from "../support/engine-bench.ts";
import { FaultServer } from "../support/fault-server.ts";
import { SQUARE } from "../support/image-shapes.ts";
import { LlamaServer } from "../support/llama-server.ts";
import { CELL_FEEDS, SCENE_WATCH, SOUND_WATCH } from "../support/perch.ts";
import { perchIn } from "../support/perch-command.ts";
import { until } from "../support/until.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "perch-test-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Pictures and their order as the small model was trained on them. */
const SMALL = { image: { kind: "grid", grids: ["5x5", "7x4"] }, order: "media-first" };

describe("a box whose model is elsewhere", () => {
  let server: LlamaServer;
  let appliance: Appliance;
  beforeAll(async () => {
    server = await LlamaServer.start();
  });
  afterAll(() => server.stop());
  afterEach(() => appliance.stop());

  async function begin(remote: object): Promise<OpenAI> {
    writeFileSync(join(folder, "key"), `${server.key}\n`);
    const servers = [{ id: "gpu-1", url: server.url, key: `\${file:${join(folder, "key")}}`, slots: 2 }];
    const config = loadConfig(
      configText(folder, {
        node: "thin",
        data: join(folder, "data"),
        http: { port: 0 },
        mqtt: { broker: { kind: "embedded", port: 0 } },
        engine: { remote: { servers, ...remote } },
        feeds: CELL_FEEDS,
        watches: [SCENE_WATCH, SOUND_WATCH],
      }),
    );
    appliance = new Appliance({ config, logger: silentLogger, version: "0.0.0", onEvent: () => undefined });
    await appliance.start(anySignal());
    await appliance.ready(anySignal());
    const apiKey = readFileSync(join(folder, "data/admin.token"), "utf8").trim();
    return new OpenAI({ baseURL: url("/v1"), apiKey, maxRetries: 0 });
  }

  const url = (path: string) => new URL(path, appliance.places().health).href;
  const ask = async (client: OpenAI) =>
    (
      await client.chat.completions
        .create({ model: "perch", messages: [{ role: "user", content: "Hello." }], max_tokens: 4 })
        .withResponse()
    ).response.headers;

  it("answers watches and programs from there, loads nothing, and says so everywhere", async () => {
    const client = await begin({ mode: "instead", ...SMALL });
    const headers = Object.fromEntries(await ask(client));
    expect(headers).toMatchObject({
      "x-perch-server": "gpu-1",
      "x-perch-ladder": "remote",
      "x-perch-model": "small-model",
    });
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(["perch"]);
    await expect(
      client.chat.completions.create({ model: "perch@q8_0", messages: [{ role: "user", content: "?" }] }),
    ).rejects.toMatchObject({ status: 404, message: expect.stringMatching(/the one here is called perch/) });
    await until(async () => (await appliance.report()).observations > 2);
    const parts = appliance.health();
    expect(parts.engine).toBeUndefined();
    expect(parts.remote).toMatchObject({
      state: "ok",
      detail: {
        "gpu-1": expect.stringMatching(/^up · small-model · can text, image, audio, schema, tools · \d+ ms/),
      },
    });
    expect(parts.governor?.detail?.text).toMatch(/nothing is governed: gpu-1 answers/);
    const ready = await fetch(url("/health/ready"));
    expect([ready.status, ((await ready.json()) as { missing: unknown }).missing]).toEqual([200, []]);
    const governor = (await (await fetch(url("/api/governor"))).json()) as object;
    expect(governor).toMatchObject({ level: null, running: null, reason: "elsewhere", ladder: "remote" });
    const told = await fetch(url("/api/governor"), {
      method: "POST",
      headers: { authorization: `Bearer ${client.apiKey}`, "content-type": "application/json" },
      body: '{"mode":"frozen"}',
    });
    expect(told.status).toBe(409);
    const metrics = await (await fetch(url("/metrics"))).text();
    expect(metrics).toContain('perch_remote_up{server="gpu-1"} 1');
    expect(metrics).not.toContain(server.key);
    expect(JSON.stringify(parts)).not.toContain(server.key);
    await appliance.stop();
    const database = new Database(join(folder, "data/perch.db"), { readonly: true });
    const row = database.prepare("SELECT provenance FROM observation LIMIT 1").get();
    database.close();
    expect(JSON.parse((row as { provenance: string }).provenance)).toMatchObject({
      ...{ ladder: "remote", level: "gpu-1", model: "small-model", server: "gpu-1" },
      tokens: { answer: expect.any(Number) },
    });
  });

  it("goes on from there where its own model has to stop, and is ready all the while", async () => {
    const client = await begin({ mode: "overflow" });
    await until(async () => (await ask(client)).get("x-perch-ladder") === "perch-small");
    const pause = await fetch(url("/api/governor"), {
      method: "POST",
      headers: { authorization: `Bearer ${client.apiKey}`, "content-type": "application/json" },
      body: '{"mode":"manual","level":null,"for":"5m"}',
    });
    expect(pause.status).toBe(200);
    await until(() => appliance.health().engine?.state === "degraded");
    expect((await ask(client)).get("x-perch-server")).toBe("gpu-1");
    expect((await fetch(url("/health/ready"))).status).toBe(200);
  });
});

describe("the way to a server", () => {
  const engines: RemoteEngine[] = [];
  const servers: FaultServer[] = [];
  afterEach(async () => {
    for (const engine of engines.splice(0)) await engine.stop();
    for (const server of servers.splice(0)) await server.close();
    vi.unstubAllEnvs();
  });

  async function engineTo(url: string, ca?: string): Promise<RemoteEngine> {
    const server = { id: "far", url, slots: 1, cleartext: false, ...(ca !== undefined && { ca }) };
    const engine = new RemoteEngine({
      config: { mode: "instead", servers: [server] },
      image: SQUARE,
      order: "question-first",
      clock: systemClock,
      logger: silentLogger,
      metrics: new Metrics(),
    });
    engines.push(engine);
    await engine.start(anySignal());
    await engine.settled(anySignal());
    return engine;
  }

  it("is trusted by the authority that the configuration names, and by no other", async () => {
    makeCertificates(folder);
    const pem = (name: string) => readFileSync(join(folder, name));
    const server = await FaultServer.start("far", { cert: pem("server.pem"), key: pem("server.key") });
    servers.push(server);
    const trusted = await engineTo(`${server.url}/v1`, join(folder, "ca.pem"));
    expect((await trusted.ask({ question: "Who?" }, anySignal())).text).toBe('"I am far."');
    const untrusted = await engineTo(server.url);
    expect(untrusted.health().reason).toMatch(/its certificate is signed by nobody that is trusted/);
    const other = await engineTo(server.url.replace("localhost", "127.0.0.1"), join(folder, "ca.pem"));
    expect(other.health().reason).toMatch(/made out to another name/);
    const missing = await engineTo(server.url, join(folder, "none.pem"));
    expect(missing.health().reason).toMatch(/none.pem is missing/);
    expect(server.asked).toHaveLength(1);
  });

  it("is the address itself, whatever proxy the environment names", async () => {
    let asked = 0;
    const proxy = createServer((_, reply) => {
      asked += 1;
      reply.writeHead(502).end();
    });
    proxy.on("connect", (_, socket) => {
      asked += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"])
      for (const variable of [name, name.toLowerCase()]) vi.stubEnv(variable, address);
    vi.stubEnv("NODE_USE_ENV_PROXY", "1");
    const server = await FaultServer.start("far");
    servers.push(server);
    const engine = await engineTo(server.url);
    expect((await engine.ask({ question: "Who?" }, anySignal())).text).toBe('"I am far."');
    expect(asked).toBe(0);
    proxy.close();
  });

  it("is shown by perch doctor, with what is wrong at its end", async () => {
    const server = await FaultServer.start("far");
    servers.push(server);
    server.lacks.add("audio");
    const remote = {
      mode: "instead",
      servers: [
        { id: "far", url: server.url },
        { id: "gone", url: "http://127.0.0.1:1", key: "perch-secret-3" },
      ],
    };
    const file = configText(folder, { node: "thin", engine: { remote }, feeds: [], watches: [] });
    const { out } = await perchIn(folder, "doctor", "--config", file);
    expect(out).toMatch(/✓ far: model of far answers in \d+ ms, can text, image, schema, tools/);
    expect(out).toMatch(/· far: cannot audio: audio is not supported by this model/);
    expect(out).toMatch(/✗ gone: it cannot be reached: nothing listens at its port/);
    expect(out).not.toMatch(/perch-secret|ladder/);
    const asked = await perchIn(folder, "ask", "Who are you?", "--config", file);
    expect(asked).toMatchObject({ code: 0, out: '"I am far."\n' });
  });
});
