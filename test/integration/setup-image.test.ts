import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { loadConfig } from "../../service/config.ts";
import { repository } from "./setup-checkout.ts";

const dockerfile = readFileSync(join(repository, "Dockerfile"), "utf8").replace(/\\\n\s*/g, "");
const lines = dockerfile.split("\n");
const usualPort = String(loadConfig(join(repository, "config/perch.yaml")).http.port);

let server: Server | undefined;

afterEach(() => server?.close());

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
      response.writeHead(request.url === "/health/ready" ? status : 404).end();
    });
    await new Promise<void>((listening) => server?.listen(0, "127.0.0.1", listening));

    expect(await checkHealth((server.address() as AddressInfo).port)).toBe(code);
  });

  it("is unhealthy while nothing answers", async () => {
    expect(await checkHealth(1)).toBe(1);
  });
});

/** Runs HEALTHCHECK's own command against another port than the usual one. */
function checkHealth(port: number): Promise<number | null> {
  const check = lines.find((line) => line.startsWith("HEALTHCHECK"))?.replace(/^.*CMD /, "") ?? "[]";
  expect(check).toContain(`127.0.0.1:${usualPort}/`);
  const [, ...args] = JSON.parse(check.replace(usualPort, String(port))) as string[];
  return new Promise((done) => {
    spawn(process.execPath, args, { stdio: "ignore" }).on("close", done);
  });
}
