import { execFileSync, type SpawnOptions, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

export const repository = resolve(import.meta.dirname, "..", "..");
const TYPESCRIPT = pathToFileURL(join(repository, "node_modules/typescript/bin/tsc")).href;

/**
 * A checkout in miniature on which the real set-up does its real work in seconds: npm, git, cmake, the
 * compiler and tsc are the real ones; packages come from a folder, and the engine is ten lines of C.
 */
export class SmallCheckout {
  readonly root = mkdtempSync(join(tmpdir(), "perch-setup-"));

  constructor() {
    cpSync(join(repository, "deploy/setup"), this.path("deploy/setup"), { recursive: true });
    this.writePackages();
    this.writeEngine();
    this.write("service/main.ts", 'console.log("service 1");\n');
    this.write("device/feed.ts", "export const feed = 1;\n");
    const compiler = { module: "NodeNext", target: "ES2023", types: [], rootDir: ".", outDir: "dist" };
    this.write("tsconfig.json", "{}");
    this.write(
      "tsconfig.build.json",
      JSON.stringify({ compilerOptions: compiler, include: ["service", "device"] }),
    );
    const lock = ["install", "--package-lock-only", "--offline", "--no-audit", "--no-fund"];
    execFileSync("npm", lock, { cwd: this.root, stdio: "ignore" });
  }

  path(inside: string): string {
    return join(this.root, inside);
  }

  write(inside: string, text: string): void {
    mkdirSync(dirname(this.path(inside)), { recursive: true });
    writeFileSync(this.path(inside), text);
  }

  read(inside: string): string {
    return readFileSync(this.path(inside), "utf8");
  }

  has(inside: string): boolean {
    return existsSync(this.path(inside));
  }

  /** What the engine that set-up built says. */
  engineSays(): string {
    return execFileSync(this.path("build/engine/llama-server"), { encoding: "utf8" }).trim();
  }

  /** What the service that set-up built says. */
  serviceSays(): string {
    return execFileSync(process.execPath, [this.path("dist/service/main.js")], { encoding: "utf8" }).trim();
  }

  /** While this file is there, the engine's build does not go on; it writes build-begun when it is there. */
  holdEngine(): void {
    this.write("hold", "");
  }

  releaseEngine(): void {
    rmSync(this.path("hold"), { force: true });
  }

  remove(): void {
    this.releaseEngine();
    rmSync(this.root, { recursive: true, force: true, maxRetries: 5 });
  }

  private writePackages(): void {
    const vendored = {
      "node-llama-cpp": "file:./vendor/node-llama-cpp",
      [`@node-llama-cpp/linux-${process.arch}`]: "file:./vendor/runtime",
      typescript: "file:./vendor/typescript",
    };
    this.write(
      "package.json",
      JSON.stringify({ name: "small", version: "1.0.0", type: "module", dependencies: vendored }),
    );
    for (const [name, source] of Object.entries(vendored))
      this.write(`${source.slice(5)}/package.json`, JSON.stringify({ name, version: "1.0.0" }));
    this.write(`vendor/runtime/bins/linux-${process.arch}/libruntime.so`, "");
    // A link to the real one would have npm put packages into this repository.
    this.write("vendor/typescript/bin/tsc", `import(${JSON.stringify(TYPESCRIPT)});\n`);
  }

  private writeEngine(): void {
    this.write("source/server.c", '#include <stdio.h>\nint main(void) { puts("engine 1"); return 0; }\n');
    const git = (...args: string[]) =>
      execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@localhost", ...args], {
        cwd: this.path("source"),
        stdio: "ignore",
      });
    git("init", "-q", "-b", "main");
    git("add", ".");
    git("commit", "-q", "-m", "engine");
    mkdirSync(this.path("vendor/node-llama-cpp/llama"), { recursive: true });
    git("bundle", "create", this.path("vendor/node-llama-cpp/llama/gitRelease.bundle"), "HEAD", "main");
    this.write(
      "deploy/engine/notice-gone-clients.patch",
      [
        ...["diff --git a/server.c b/server.c", "--- a/server.c", "+++ b/server.c"],
        ...["@@ -1,2 +1,3 @@", " #include <stdio.h>", "+// patched"],
        ' int main(void) { puts("engine 1"); return 0; }',
        "",
      ].join("\n"),
    );
    const wait = `touch ${this.path("build-begun")}; while [ -e ${this.path("hold")} ]; do sleep 0.05; done`;
    this.write(
      "deploy/engine/CMakeLists.txt",
      [
        "cmake_minimum_required(VERSION 3.18)",
        "project(small C)",
        `add_executable(llama-server \${SRC}/server.c)`,
        `add_custom_target(held COMMAND sh -c "${wait}" VERBATIM)`,
        "add_dependencies(llama-server held)",
        "install(TARGETS llama-server DESTINATION .)",
        "",
      ].join("\n"),
    );
    this.write(
      "deploy/engine/quantizer/CMakeLists.txt",
      [
        "cmake_minimum_required(VERSION 3.18)",
        "project(small C)",
        `add_executable(llama-quantize \${SRC}/server.c)`,
        "install(TARGETS llama-quantize DESTINATION .)",
        "",
      ].join("\n"),
    );
  }
}

export interface SetupRun {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Starts set-up in a folder; `ended` resolves when it is over. */
export function startSetup(root: string, args: readonly string[] = [], options: SpawnOptions = {}) {
  const child = spawn(process.execPath, [join(root, "deploy/setup/setup.mjs"), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    ...options,
    env: { ...process.env, PERCH_GPU: "off", ...options.env },
  });
  const said = { out: "", err: "" };
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    said.out += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said.err += text;
  });
  const ended = new Promise<SetupRun>((done, fail) => {
    child.on("error", fail);
    child.on("close", (code) => done({ code, ...said }));
  });
  return { child, said, ended };
}

export const setUp = (root: string, args: readonly string[] = [], options: SpawnOptions = {}) =>
  startSetup(root, args, options).ended;
