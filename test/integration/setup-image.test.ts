import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { perchArguments } from "../support/perch-command.ts";
import { repository } from "./setup-checkout.ts";

const dockerfile = readFileSync(join(repository, "Dockerfile"), "utf8").replace(/\\\n\s*/g, "");
const lines = dockerfile.split("\n");

let server: Server | undefined;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "perch-image-"));
});
afterEach(() => {
  server?.close();
  rmSync(folder, { recursive: true });
});

describe("the container image", () => {
  it("copies only what a clone has and .dockerignore lets through", () => {
    const ignored = readFileSync(join(repository, ".dockerignore"), "utf8").split("\n").filter(Boolean);
    const sources = lines
      .filter((line) => line.startsWith("COPY ") && !line.includes("--from="))
      .flatMap((line) => line.split(/\s+/).slice(1, -1));

    expect(sources.length).toBeGreaterThan(8);
    for (const source of sources) {
      expect(existsSync(join(repository, source)), source).toBe(true);
      expect(ignored, source).not.toContain(source.split("/")[0]);
      const tracked = execFileSync("git", ["ls-files", "--", source], { cwd: repository, encoding: "utf8" });
      expect(tracked, source).not.toBe("");
    }
  });

  it("copies from other stages only what they have by then", () => {
    const stages = lines.filter((line) => / AS /.test(line)).map((line) => line.split(" AS ")[1]);
    const from = lines.flatMap((line) => /^COPY --from=(\S+)/.exec(line)?.[1] ?? []);

    expect(new Set(from)).toEqual(new Set(stages));
  });

  it("runs as a user without rights", () => {
    expect(lines.filter((line) => line.startsWith("USER "))).toEqual(["USER perch"]);
    expect(dockerfile).toContain("useradd --uid 10001");
  });

  it.each([
    ["healthy while the service says ready", 200, 0],
    ["unhealthy while it says otherwise", 503, 1],
  ])("is %s", async (_, status, code) => {
    server = createServer((request, response) => {
      response.writeHead(request.url === "/health/ready" ? status : 404).end('{"status":"as told"}');
    });
    await new Promise<void>((listening) => server?.listen(0, "127.0.0.1", listening));

    expect(await checkHealth((server.address() as AddressInfo).port)).toBe(code);
  });

  it("is unhealthy while nothing answers", async () => {
    expect(await checkHealth(1)).toBe(1);
  });
});

/** Runs HEALTHCHECK's own command from the sources, with a configuration of another port than the usual one. */
function checkHealth(port: number): Promise<number | null> {
  const check = lines.find((line) => line.startsWith("HEALTHCHECK"))?.replace(/^.*CMD /, "") ?? "[]";
  const [node, main, ...words] = JSON.parse(check) as string[];
  expect([node, main]).toEqual(["node", "/opt/perch/dist/service/main.js"]);
  const file = join(folder, "perch.yaml");
  const copied = lines.find((line) => line.startsWith("COPY config/perch.yaml "))?.split(" ")[2] ?? "";
  expect(words).toContain(copied);
  const text = readFileSync(join(repository, "config/perch.yaml"), "utf8");
  writeFileSync(file, `${text}\nhttp: { port: ${port} }\n`);
  const args = perchArguments(...words.map((word) => (word === copied ? file : word)));
  return new Promise((done) => {
    spawn(process.execPath, args, { stdio: "ignore", cwd: folder }).on("close", done);
  });
}
