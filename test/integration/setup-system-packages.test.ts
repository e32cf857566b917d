import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SmallCheckout, setUp } from "./setup-checkout.ts";

const NEEDED = ["env", "flock", "sh", "cat", "setpriv", "cmake", "g++", "make", "git", "python3"];
const LINE = "sudo apt-get update && sudo apt-get install -y --no-install-recommends cmake git";

let checkout: SmallCheckout;
let tools: string;

/** A PATH on which only cmake and git, and whatever a test leaves out besides, are missing. */
beforeEach(() => {
  checkout = new SmallCheckout();
  tools = checkout.path("tools");
  mkdirSync(tools);
  for (const name of [...NEEDED, "npm", "ffmpeg", basename(process.execPath)]) {
    const found = execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
    if (!["cmake", "git"].includes(name)) symlinkSync(found, join(tools, name));
  }
  // Any user may read the checkout, as a clone in /opt would be.
  chmodSync(checkout.root, 0o755);
});

afterEach(() => checkout.remove());

const untouched = () => !existsSync(checkout.path("node_modules")) && !existsSync(checkout.path("dist"));

describe("missing system packages", () => {
  it("are named with the line that installs them where set-up may not, before anything is done", async () => {
    const run = await setUp(checkout.root, ["--no-install"], { env: { PATH: tools } });

    expect(run.code).toBe(1);
    expect(run.err).toContain("these system packages are missing: cmake, git\n");
    expect(run.err).toContain(LINE);
    expect(untouched()).toBe(true);
  });

  it("are named to an ordinary user who has no sudo", async () => {
    script("apt-get", "exit 9");
    const ordinary = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

    const run = await setUp(checkout.root, [], { env: { PATH: tools }, ...ordinary });

    expect(run.code).toBe(1);
    expect(run.err).toContain(LINE);
    expect(untouched()).toBe(true);
  });

  it("are installed through apt-get, its lists first, where set-up may", async () => {
    const log = checkout.path("apt.log");
    // The real one would change this machine; this one writes down what it was asked, then fails.
    script("apt-get", `echo "$DEBIAN_FRONTEND $*" >> ${log}; [ "$3" = update ]`);
    script("sudo", 'shift; exec "$@"');

    const run = await setUp(checkout.root, [], { env: { PATH: tools } });

    expect(readFileSync(log, "utf8").trim().split("\n")).toEqual([
      "noninteractive -o DPkg::Lock::Timeout=120 update -qq",
      "noninteractive -o DPkg::Lock::Timeout=120 install -y -qq --no-install-recommends cmake git",
    ]);
    expect(run.code).toBe(1);
    expect(run.err).toContain("Try it by hand: sudo apt-get install cmake git");
    expect(untouched()).toBe(true);
  });

  it("that only building needs are not asked for once all is built", async () => {
    expect((await setUp(checkout.root)).code).toBe(0);

    expect(await setUp(checkout.root, ["--no-install"], { env: { PATH: tools } })).toEqual({
      code: 0,
      out: "",
      err: "",
    });
  });
});

function script(name: string, body: string): void {
  writeFileSync(join(tools, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
}
