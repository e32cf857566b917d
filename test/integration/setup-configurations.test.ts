import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { loadConfig } from "../../service/config/config.ts";
import { repository } from "./setup-checkout.ts";

const examples = readdirSync(join(repository, "config/examples")).filter((name) => name.endsWith(".yaml"));
const folder = mkdtempSync(join(tmpdir(), "perch-examples-"));

beforeAll(() => vi.stubEnv("MQTT_PASSWORD", "secret"));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

describe("the configurations that come with Perch", () => {
  it("are valid: the default, which needs neither hardware nor secrets", () => {
    const config = loadConfig(join(repository, "config/perch.yaml"));

    expect(config.feeds.map(({ source }) => source)).toEqual(["sim:cell?seed=7", "sim:cell?seed=7"]);
    expect(config.watches.map(({ id }) => id)).toEqual(["scene", "signal", "sound", "both"]);
    expect(config.mqtt.broker.kind).toBe("embedded");
  });

  it.each(examples)("are valid: %s, once its secrets are there", (name) => {
    const secret = join(folder, "secret");
    writeFileSync(secret, "secret\n");
    const text = readFileSync(join(repository, "config/examples", name), "utf8");
    const file = join(folder, name);
    writeFileSync(file, text.replace(/\$\{file:[^}]+\}/g, `\${file:${secret}}`));

    expect(loadConfig(file).watches.length).toBeGreaterThan(0);
  });

  it("are valid: the README's own", () => {
    const readme = readFileSync(join(repository, "README.md"), "utf8");
    const file = join(folder, "my-box.yaml");
    writeFileSync(file, /```yaml\n([^`]+)```/.exec(readme)?.[1] ?? "");

    expect(loadConfig(file).watches[0]?.rules[0]?.id).toBe("visitor");
  });

  it.each(["perch.yaml", ...examples.map((name) => `examples/${name}`)])("name their schema: %s", (name) => {
    const first = readFileSync(join(repository, "config", name), "utf8").split("\n")[0];

    expect(first).toBe(`# yaml-language-server: $schema=${name.includes("/") ? "../" : "./"}schema.json`);
  });
});
