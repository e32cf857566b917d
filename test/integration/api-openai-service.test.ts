import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Tokens } from "../../service/api/access/tokens.ts";
import { Appliance } from "../../service/appliance.ts";
import { loadConfig } from "../../service/config/config.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { configText } from "../bench/configuration.ts";
import { anySignal } from "../support/engine-bench.ts";
import { CELL_FEEDS, SCENE_WATCH, SOUND_WATCH } from "../support/perch.ts";

let folder: string;
let appliance: Appliance;
let url: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "perch-test-"));
  const config = loadConfig(
    configText(folder, {
      node: "gateway",
      data: join(folder, "data"),
      http: { port: 0 },
      mqtt: { broker: { kind: "embedded", port: 0 } },
      feeds: CELL_FEEDS,
      watches: [SCENE_WATCH, SOUND_WATCH],
    }),
  );
  appliance = new Appliance({ config, logger: silentLogger, version: "0.0.0", onEvent: () => undefined });
  await appliance.start(anySignal());
  await appliance.ready(anySignal());
  url = new URL("/v1", appliance.places().health).href;
});
afterAll(async () => {
  await appliance.stop();
  rmSync(folder, { recursive: true });
});

const client = (apiKey: string) => new OpenAI({ baseURL: url, apiKey, maxRetries: 0 });
const CHAT = { model: "perch", messages: [{ role: "user" as const, content: "Hello." }], max_tokens: 8 };

/** What a GET with another Host header gets, which fetch does not let one set. */
function underName(path: string, host: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const sent = request(new URL(path, url), { headers: { host } }, async (response) =>
      resolve(await json(response)),
    );
    sent.on("error", reject).end();
  });
}

describe("the running service", () => {
  it("answers who shows a token, while its watches go on", async () => {
    const admin = client(readFileSync(join(folder, "data/admin.token"), "utf8").trim());
    const before = (await appliance.report()).observations;
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        admin.chat.completions.create({ ...CHAT, messages: [{ role: "user", content: `Hello ${index}.` }] }),
      ),
    );
    for (const { choices, model } of answers) {
      expect(choices[0]?.message.content).not.toBe("");
      expect(model).toBe("perch@q8_0");
    }
    expect((await admin.models.list()).data.map(({ id }) => id)).toEqual(["perch", "perch@q8_0"]);
    await expect
      .poll(async () => (await appliance.report()).observations, { timeout: 20_000 })
      .not.toEqual(before);
  });

  it("takes a program's own token, and refuses others in OpenAI's form", async () => {
    const tokens = new Tokens(join(folder, "data"), () => undefined);
    const make = (role: "api" | "viewer") =>
      tokens.create({ name: role, role, by: "a test", expires: null }, Date.now()).token;
    expect((await client(make("api")).chat.completions.create(CHAT)).choices).toHaveLength(1);
    await expect(client(make("viewer")).chat.completions.create(CHAT)).rejects.toBeInstanceOf(
      OpenAI.PermissionDeniedError,
    );
    const wrong = client("perch-wrong").chat.completions.create(CHAT);
    await expect(wrong).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
    await expect(wrong).rejects.toMatchObject({ type: "authentication_error", code: "invalid_api_key" });
    const none = await fetch(`${url}/models`);
    expect([none.status, none.headers.get("www-authenticate")]).toEqual([401, 'Bearer realm="perch"']);
  });

  it("answers nobody who asks under another name, in OpenAI's form here and in its own elsewhere", async () => {
    expect(await underName("/v1/models", "evil.example")).toMatchObject({
      error: { type: "permission_error" },
    });
    expect(await underName("/health/live", "evil.example")).toMatchObject({ error: expect.any(String) });
    const missing = await fetch(new URL("/nothing", url));
    expect(await missing.json()).toEqual({ error: "there is nothing at this address" });
  });

  it("tells who may not ask in Anthropic's form where that is spoken, and takes its way to show a token", async () => {
    const ask = (key: string) =>
      fetch(new URL("/v1/messages", url), {
        method: "POST",
        headers: { "x-api-key": key, "content-type": "application/json" },
        body: JSON.stringify({ ...CHAT, model: "perch" }),
      });
    const wrong = await ask("perch-wrong");
    expect([wrong.status, await wrong.json()]).toEqual([
      401,
      { type: "error", error: { type: "authentication_error", message: expect.any(String) } },
    ]);
    const right = await ask(readFileSync(join(folder, "data/admin.token"), "utf8").trim());
    expect(await right.json()).toMatchObject({ type: "message", model: "perch@q8_0" });
  });

  it("describes the model's API beside its own", async () => {
    const token = readFileSync(join(folder, "data/admin.token"), "utf8").trim();
    const headers = { authorization: `Bearer ${token}` };
    const described = await fetch(new URL("/api/openapi.json", url), { headers });
    const { paths } = (await described.json()) as { paths: Record<string, Record<string, object>> };
    const body = (type: string, properties: object) => ({
      tags: ["model"],
      description: expect.stringMatching(/^Roles: admin, operator, kiosk, api\.$/),
      requestBody: { content: { [type]: { schema: { properties } } } },
    });
    expect(paths).toMatchObject({
      "/v1/models": { get: { tags: ["model"] } },
      "/v1/chat/completions": { post: body("application/json", { messages: {}, tools: {} }) },
      "/v1/responses": { post: body("application/json", { input: {} }) },
      "/v1/messages": { post: body("application/json", { max_tokens: {} }) },
      "/v1/audio/transcriptions": {
        post: body("multipart/form-data", { file: { format: "binary" }, stream: {} }),
      },
    });
  });
});
