import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadForBoth } from "../../service/config/config.ts";
import type { ConfigView, ModelsView, SystemView } from "../../service/contract/api-system.ts";
import { ServedAppliance } from "../support/appliance-served.ts";
import { CELL_FEEDS, SCENE_WATCH } from "../support/perch.ts";
import { until } from "../support/until.ts";

let perch: ServedAppliance;
beforeAll(async () => {
  perch = new ServedAppliance({ feeds: CELL_FEEDS, watches: [SCENE_WATCH] });
  await perch.start();
  await perch.ready();
});
afterAll(() => perch.dispose());

const get = async <T>(path: string) => (await perch.ask(path, { role: "viewer" })).body as T;

describe("the box by HTTP", () => {
  it("tells what it is, what its parts do, and how much it holds", async () => {
    await until(async () => (await get<SystemView>("/api/system")).parts.feeds?.detail?.camera === "live");
    const view = await get<SystemView>("/api/system");
    expect(view).toMatchObject({
      node: "cell",
      version: "0.0.0",
      config: join(perch.folder, "perch.json"),
      runtime: `node ${process.version} linux ${process.arch}`,
      parts: { record: { state: "ok" }, changes: { state: "ok" }, feeds: { detail: { camera: "live" } } },
      readings: { simulated: true, zones: expect.any(Array) },
      record: { observations: expect.any(Number), openEvents: expect.any(Number) },
      broker: expect.stringMatching(/^mqtt:\/\/127\.0\.0\.1:\d+$/),
    });
    expect(Math.abs(Date.parse(view.clock.now) - Date.now())).toBeLessThan(60_000);
    expect(Date.parse(view.clock.started)).toBeLessThanOrEqual(Date.parse(view.clock.now));
    expect(view.disk?.folder).toBe(perch.data);
    expect(view.disk?.free).toBeGreaterThan(0);
    expect(view.disk?.database).toBeGreaterThan(0);
  });

  it("tells which models are here, which were found to be right, and what runs", async () => {
    const { running, rungs, ladders } = await get<ModelsView>("/api/models");
    expect(running).toEqual({ ladder: "perch-small", level: "q8_0" });
    expect(rungs.find(({ level }) => level === "q8_0")).toMatchObject({ fits: true });
    const small = ladders.find(({ id }) => id === "perch-small");
    expect(small).toMatchObject({ inUse: true });
    expect(small?.levels.find(({ id }) => id === "q8_0")).toEqual({
      id: "q8_0",
      default: true,
      complete: true,
    });
    const used = small?.files.filter(({ levels }) => levels.includes("q8_0")) ?? [];
    expect(used.map(({ role, found, bytes, verified }) => [role, found === bytes, verified])).toEqual([
      ["text", true, true],
      ["mmproj", true, true],
    ]);
    const gemma = ladders.find(({ id }) => id === "gemma-4-12b");
    expect(gemma).toMatchObject({ inUse: false, files: expect.any(Array) });
    expect(gemma?.files.every(({ found, verified }) => found === null && !verified)).toBe(true);
  });

  it("shows the configuration, with what was changed by HTTP beside it", async () => {
    await perch.ask("/api/feeds/microphone", { method: "PATCH", body: { enabled: false } });
    await perch.ask("/api/watches/scene", { method: "DELETE" });
    const view = await get<ConfigView>("/api/config");
    expect(view).toMatchObject({
      file: join(perch.folder, "perch.json"),
      config: { node: "cell", record: { age: "30d" }, watches: [SCENE_WATCH] },
      changes: { feeds: ["microphone"], watches: { changed: [], added: [], removed: ["scene"] } },
    });
  });

  it("is nobody's to read without a token", async () => {
    for (const path of ["/api/system", "/api/models", "/api/config"]) {
      expect((await fetch(perch.url + path)).status).toBe(401);
      expect((await perch.ask(path, { role: "kiosk" })).status).toBe(403);
    }
  });
});

describe("a configuration that is shown", () => {
  it("has no secret in it, whether it was written into the file or referred to", () => {
    const folder = mkdtempSync(join(tmpdir(), "perch-test-"));
    process.env.SHOWN_NODE = "hidden-behind-env";
    writeFileSync(
      join(folder, "a.yaml"),
      `node: \${env:SHOWN_NODE}
mqtt: { broker: { kind: external, url: "mqtts://broker:8883", user: line, password: sesame-open } }
feeds:
  - { id: yard, kind: camera, source: "http://cam/video?key=sesame-query", user: u, password: sesame-camera }
watches: []
`,
    );
    const { config, shown } = loadForBoth(join(folder, "a.yaml"));
    expect(config).toMatchObject({ node: "hidden-behind-env", feeds: [{ password: "sesame-camera" }] });
    expect(shown).toMatchObject({
      node: "${env:SHOWN_NODE}",
      mqtt: { broker: { url: "mqtts://broker:8883", password: "[hidden]" }, window: 500 },
      feeds: [{ source: "http://cam/video?[hidden]", password: "[hidden]", fps: 5 }],
    });
    expect(JSON.stringify(shown)).not.toMatch(/sesame|hidden-behind-env/);
    rmSync(folder, { recursive: true });
    delete process.env.SHOWN_NODE;
  });
});
