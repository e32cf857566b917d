import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Tokens } from "../../service/api/tokens.ts";
import { accessFolder, wish } from "../support/access-served.ts";
import { counting } from "../support/api-openai.ts";
import { ServedAppliance } from "../support/appliance-served.ts";
import { until } from "../support/until.ts";

/** All that a kiosk may ask; everything else is 403. The model's API is asked separately. */
const OPEN_TO_KIOSKS = [
  "get /health/live",
  "get /health/ready",
  "post /api/session",
  "get /api/session",
  "post /api/setup",
  // On loopback anybody on the box reads these, with a token or without; on the LAN a kiosk does not.
  "get /api/governor",
  "get /metrics",
];

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
    const [first, second] = [new AbortController(), new AbortController()];
    const chat = (role: "api" | "kiosk", count: number, more: object = {}) =>
      box.ask("/v1/chat/completions", { role, body: counting(count), ...more });
    const underWay = () => box.health().inference?.detail ?? {};
    const gone = [first, second].map(({ signal }) => chat("api", 400, { signal }).catch(() => "gone"));
    await until(() => underWay().underWay === 2);
    const answered: string[] = [];
    const programs = [1, 2, 3].map(async (n) => {
      await chat("api", 2);
      answered.push(`program ${n}`);
    });
    await until(() => underWay().waiting === 3);
    // It may say what it likes about its lane: nobody reads it.
    const kiosk = chat("kiosk", 2, { headers: { "x-perch-lane": "batch" } });
    await until(() => underWay().waiting === 4);
    first.abort();
    expect((await kiosk).status).toBe(200);
    expect(answered).toEqual([]);
    second.abort();
    await Promise.all([...programs, ...gone]);
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
