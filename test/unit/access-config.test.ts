import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadConfig } from "../../service/config/config.ts";
import { ConfigError } from "../../service/kernel/config-file.ts";

const folder = mkdtempSync(join(tmpdir(), "perch-access-"));
const file = join(folder, "a.yaml");
afterAll(() => rmSync(folder, { recursive: true }));

function load(http: string) {
  writeFileSync(file, `node: here\nfeeds: []\nwatches: []\nhttp:\n  ${http.replaceAll("\n", "\n  ")}\n`);
  return loadConfig(file).http;
}

function errors(http: string): string[] {
  try {
    load(http);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map((line) => line.replace(file, "F"));
    throw error;
  }
  return [];
}

describe("http in a configuration", () => {
  it("is loopback alone where nothing else is said", () => {
    expect(load("port: 1")).toEqual({ host: "127.0.0.1", port: 1, names: [] });
    for (const host of ["127.0.0.1", "127.0.0.2", "'::1'", "localhost"])
      expect(errors(`host: ${host}`)).toEqual([]);
  });

  it.each(["0.0.0.0", "'::'", "192.168.1.7", "fe80::1"])("needs TLS to listen on %s", (host) => {
    expect(errors(`port: 8473\nhost: ${host}`)).toEqual([
      expect.stringMatching(
        /^F:6: http\.host = ".*": other machines could reach this, .*add http\.tls: self-signed/,
      ),
    ]);
    expect(errors(`host: ${host}\ntls: self-signed`)).toEqual([]);
    expect(
      errors(`host: ${host}\ntls: { certificate: a.pem, key: b.pem }\nnames: [box, box.clinic.example]`),
    ).toEqual([]);
  });

  it.each([
    ["host: box.local\ntls: self-signed", /^F:5: http\.host = "box\.local": must be an address of this box/],
    ["tls: selfsigned", /^F:5: http\.tls = "selfsigned": .*self-signed/],
    ["tls: true", /^F:5: http\.tls = true: must be a mapping of keys to values, or a text/],
    ["tls: [a]", /^F:5: http\.tls: must be a mapping of keys to values, or a text/],
    ["tls: { certificate: a }", /^F:5: http\.tls: the key key is missing \(PEM file/],
    [
      "tls: { certificate: a, key: b, ca: c }",
      /^F:5: http\.tls\.ca: unknown key ca; known keys: certificate, key/,
    ],
    ["tls: { certificate: 5, key: b }", /^F:5: http\.tls\.certificate = 5: must be a text/],
    ["names: ['https://box']", /^F:5: http\.names\[0\] = "https:\/\/box": is not of the form/],
  ])("has one error for one slip: %s", (http, message) => {
    const found = errors(http);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(message);
  });
});
