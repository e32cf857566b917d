import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadConfig } from "../../service/config/config.ts";
import { ConfigError } from "../../service/kernel/config-file.ts";

const folder = mkdtempSync(join(tmpdir(), "perch-config-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** What is wrong with engine.remote, without the place. */
function problems(remote: string): string[] {
  const file = join(folder, "perch.yaml");
  writeFileSync(file, `node: here\nfeeds: []\nwatches: []\nengine:\n  remote: ${remote}\n`);
  try {
    loadConfig(file);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map((line) => line.replace(/^.*?:\d+: /, ""));
    throw error;
  }
}

const servers = (...keys: string[]) => `{ servers: [${keys.map((one) => `{ ${one} }`).join(", ")}] }`;

describe("engine.remote", () => {
  it.each([
    servers("id: gpu, url: 'https://gpu.plant.example:8000/v1', slots: 8"),
    servers("id: gpu, url: 'https://10.0.0.7/team-a/v1', model: org/model, ca: /etc/perch/ca.pem"),
    servers("id: a, url: 'http://127.0.0.1:8080'", "id: b, url: 'http://[::1]:8080'"),
    servers("id: gpu, url: 'http://gpu:11434', cleartext: true, key: abc"),
    "{ mode: instead, image: { kind: budget, tokens: 560 }, order: media-first, servers: [{ id: a, url: 'https://a' }] }",
  ])("takes %s", (remote) => {
    expect(problems(remote)).toEqual([]);
  });

  it.each([
    ["{ servers: [] }", /servers/],
    [servers("id: gpu, url: 'http://gpu:8000'"), /cross the network in the clear: use https:/],
    [servers("id: gpu, url: 'https://me:secret@gpu'"), /no user or password|must/],
    [servers("id: gpu, url: 'ftp://gpu'"), /http:\/\/ or https/],
    [servers("id: gpu, url: 'https://gpu/v1?key=1'"), /http:\/\/ or https/],
    [servers("id: gpu, url: 'https://gpu:99999'"), /no URL/],
    [servers("id: a, url: 'https://a'", "id: a, url: 'https://b'"), /must be unique/],
    [servers("id: a, url: 'http://localhost', ca: x.pem"), /goes with https/],
    [servers("id: a, url: 'https://a', key: 'two words'"), /key = \[hidden\]: must be one line/],
    [servers("id: a, url: 'https://a', slots: 0"), /slots/],
    ["{ mode: both, servers: [{ id: a, url: 'https://a' }] }", /mode/],
    [
      "{ image: { kind: budget, tokens: 560 }, servers: [{ id: a, url: 'https://a' }] }",
      /goes with mode: instead only/,
    ],
  ])("refuses %s", (remote, why) => {
    expect(problems(remote)).toEqual([expect.stringMatching(why)]);
    expect(problems(remote).join()).not.toContain("two words");
  });
});
