import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SmallCheckout, setUp, startSetup } from "./setup-checkout.ts";

let checkout: SmallCheckout;

beforeEach(() => {
  checkout = new SmallCheckout();
});

afterEach(() => checkout.remove());

const begun = () => vi.waitFor(() => expect(checkout.has("build-begun")).toBe(true), { timeout: 30_000 });

describe("set-up", () => {
  it("makes a fresh checkout run, and says and does nothing the second time", async () => {
    const first = await setUp(checkout.root);

    expect(first).toMatchObject({ code: 0, err: "" });
    for (const done of ["npm packages installed", "engine built", "service built"])
      expect(first.out).toContain(done);
    expect(checkout.engineSays()).toBe("engine 1");
    expect(checkout.serviceSays()).toBe("service 1");
    expect(readdirSync(checkout.path("build")).sort()).toEqual(["engine", "setup"]);

    const before = statSync(checkout.path("build/engine")).ino;
    expect(await setUp(checkout.root)).toEqual({ code: 0, out: "", err: "" });
    expect(statSync(checkout.path("build/engine")).ino).toBe(before);
  });

  it("repeats only the step whose inputs changed", async () => {
    await setUp(checkout.root);
    checkout.write("service/main.ts", 'console.log("service 2");\n');

    const run = await setUp(checkout.root);

    // How long it took in all is told where that was long.
    expect(run.out).toMatch(/^set-up: service built \(.*\)\n(set-up: done in .*\n)?$/);
    expect(checkout.serviceSays()).toBe("service 2");
  });

  it("builds the quantizer beside the engine when it is asked to, once", async () => {
    await setUp(checkout.root);
    expect(checkout.has("build/engine/llama-quantize")).toBe(false);

    expect((await setUp(checkout.root, ["--with-quantizer"])).out).toMatch(
      /set-up: quantizer built \(.*\)\n/,
    );
    expect(checkout.has("build/engine/llama-quantize")).toBe(true);
    expect(checkout.engineSays()).toBe("engine 1");
    expect(readdirSync(checkout.path("build")).sort()).toEqual(["engine", "setup"]);
    expect((await setUp(checkout.root, ["--with-quantizer"])).out).toBe("");
  });

  it("drops compiled files whose source is gone", async () => {
    await setUp(checkout.root);
    expect(checkout.has("dist/device/feed.js")).toBe(true);
    rmSync(checkout.path("device/feed.ts"));

    await setUp(checkout.root);

    expect(checkout.has("dist/device/feed.js")).toBe(false);
    expect(checkout.serviceSays()).toBe("service 1");
  });

  it("takes over packages that npm installed without it", async () => {
    execFileSync("npm", ["ci", "--offline", "--no-audit"], { cwd: checkout.root, stdio: "ignore" });

    const run = await setUp(checkout.root);

    expect(run.code).toBe(0);
    expect(run.out).not.toContain("npm packages");
  });

  it("installs again when the lock file asks for another package", async () => {
    await setUp(checkout.root);
    checkout.write("vendor/more/package.json", '{ "name": "more", "version": "1.0.0" }');
    execFileSync("npm", ["install", "--package-lock-only", "--offline", "./vendor/more"], {
      cwd: checkout.root,
      stdio: "ignore",
    });

    const run = await setUp(checkout.root);

    expect(run.out).toMatch(/^set-up: npm packages installed/);
    expect(checkout.has("node_modules/more")).toBe(true);
  });

  it("leaves the old engine in place until the new one is finished, and begins anew after a kill", async () => {
    await setUp(checkout.root);
    rmSync(checkout.path("build/setup/engine"));
    rmSync(checkout.path("build-begun"));
    checkout.holdEngine();
    const cut = startSetup(checkout.root);
    await begun();
    expect(checkout.engineSays()).toBe("engine 1");
    cut.child.kill("SIGKILL");
    await cut.ended;
    expect(checkout.engineSays()).toBe("engine 1");
    expect(checkout.has("build/setup/engine")).toBe(false);
    checkout.releaseEngine();

    const again = await setUp(checkout.root);

    expect(again.code).toBe(0);
    expect(again.out).toContain("engine built");
    expect(checkout.engineSays()).toBe("engine 1");
    expect(existsSync(checkout.path("build/engine.partial"))).toBe(false);
  });

  it.each([
    ["SIGTERM", 143],
    ["SIGINT", 130],
    ["SIGHUP", 129],
  ] as const)("ends the compilers that it started when %s ends it", async (signal, code) => {
    checkout.holdEngine();
    const cut = startSetup(checkout.root);
    await begun();
    cut.child.kill(signal);

    expect((await cut.ended).code).toBe(code);
    await vi.waitFor(() => expect(processesIn(checkout.root)).toEqual([]), { timeout: 5000 });
  });

  it("waits for another set-up in the same checkout and then finds the work done", async () => {
    checkout.holdEngine();
    const first = startSetup(checkout.root);
    await begun();
    const second = startSetup(checkout.root);
    await vi.waitFor(
      () => expect(second.said.out).toContain(`another set-up is at work here (process ${first.child.pid})`),
      { timeout: 10_000 },
    );
    checkout.releaseEngine();

    const [one, two] = await Promise.all([first.ended, second.ended]);

    expect([one.code, two.code]).toEqual([0, 0]);
    expect(one.out).toContain("engine built");
    expect(two.out).not.toContain("engine built");
  });

  it("shows the last lines of what failed and what to do, and keeps the steps that worked", async () => {
    checkout.write("service/main.ts", "const wrong: number = 'text';\nexport default wrong;\n");

    const run = await setUp(checkout.root);

    expect(run.code).toBe(1);
    expect(run.err).toContain("service/main.ts(1,7): error TS2322");
    expect(run.err).toContain("The source does not compile; the lines above say where.");
    expect(checkout.has("dist")).toBe(false);
    expect(checkout.engineSays()).toBe("engine 1");

    checkout.write("service/main.ts", 'console.log("mended");\n');
    const mended = await setUp(checkout.root);
    expect(mended.out).not.toContain("engine");
    expect(checkout.serviceSays()).toBe("mended");
  });

  it("says so where this user may not write", async () => {
    chmodSync(checkout.root, 0o755);
    const ordinary = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
    if (!ordinary.uid) chmodSync(checkout.root, 0o555);

    const run = await setUp(checkout.root, ["--no-install"], ordinary);
    chmodSync(checkout.root, 0o755);

    expect(run.code).toBe(1);
    expect(run.err).toContain(`this user may not write to ${checkout.path("build/setup")}`);
  });

  it("names an option that it does not know and lists those it knows", async () => {
    const run = await setUp(checkout.root, ["--for-test"]);

    expect(run.code).toBe(1);
    expect(run.err).toContain("--for-test");
    expect(run.err).toContain("--for-tests        also what the tests need");
  });
});

/** Command lines that name a folder, of every process that runs. */
function processesIn(folder: string): string[] {
  const list = execFileSync("ps", ["-eo", "args"], { encoding: "utf8" });
  return list.split("\n").filter((line) => line.includes(folder));
}
