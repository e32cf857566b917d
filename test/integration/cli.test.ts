import { type ExecFileException, execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { packageRoot } from "../../service/kernel/paths.ts";

const tsx = join(packageRoot, "node_modules/tsx/dist/loader.mjs");
const main = join(packageRoot, "service/main.ts");
const kiosk = join(packageRoot, "config/examples/clinic-kiosk.yaml");

let folder = mkdtempSync(join(tmpdir(), "perch-cli-"));
const folders = [folder];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "perch-cli-"));
  folders.push(folder);
});
afterAll(() => {
  for (const made of folders) rmSync(made, { recursive: true });
});

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs perch in a folder of the test's own. */
function perch(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, ...environment };
  return new Promise((resolve) => {
    const done = (error: ExecFileException | null, out: string, err: string) =>
      resolve({ code: typeof error?.code === "number" ? error.code : error ? -1 : 0, out, err });
    execFile(process.execPath, ["--import", tsx, main, ...args], { cwd: folder, env, timeout: 50_000 }, done);
  });
}

function write(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

describe("the command line", () => {
  it("tells the version of the package", async () => {
    const manifest: unknown = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8"));
    for (const word of ["--version", "-v"])
      expect(await perch([word])).toEqual({ code: 0, out: `${Object(manifest).version}\n`, err: "" });
  });

  it("tells what there is when it is asked, and as a mistake when it is given nothing", async () => {
    const asked = await perch(["--help"]);
    expect(asked.code).toBe(0);
    for (const verb of ["run", "check", "doctor", "ask"]) expect(asked.out).toContain(`\n  ${verb} `);
    expect(Math.max(...asked.out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
    expect(await perch([])).toEqual({ ...asked, code: 2 });
  });

  it.each([
    [["watch"], "there is no verb watch"],
    [["check", "a", "b"], "too many words: a b"],
    [["run", "--fro", "5s"], "Unknown option '--fro'"],
    [["run", "--config"], "Option '--config <value>' argument missing"],
    [["run", "--for", "5"], "--for 5: must be a duration like 60s, 5m or 8h"],
    [
      ["run", "--report", "/no/such/folder/report.json"],
      "--report /no/such/folder/report.json cannot be written",
    ],
    [["ask"], 'ask what? perch ask "question"'],
    [["ask", "What?", "--image", "/no/such.jpg"], "/no/such.jpg cannot be read"],
  ])("refuses %j in a line, and exits with 2", async (args, message) => {
    const { code, out, err } = await perch(args);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(`perch: ${message}`);
    expect(err).toMatch(/perch --help shows what there is\.\n$/);
    expect(err).not.toMatch(/\n\s+at /);
  });
});

describe("perch check", () => {
  it("says what a right configuration holds", async () => {
    const { code, out, err } = await perch(["check", kiosk], { MQTT_PASSWORD: "hunter2" });
    expect([code, err]).toEqual([0, ""]);
    expect(out).toBe(`${kiosk} is right: node waiting-room-1, 2 feeds, 2 watches, 3 rules\n`);
  });

  it("notes a secret that is not here and may be the service's alone", async () => {
    const { code, out } = await perch(["check", kiosk]);
    expect(code).toBe(0);
    expect(out).toMatch(
      /is right: .*\nnote, the service will need it: .*clinic-kiosk.yaml:16: .*MQTT_PASSWORD/,
    );
  });

  it("checks the configuration in ./config, or else the one that comes with Perch", async () => {
    const { code, out } = await perch(["check"]);
    expect([code, out]).toEqual([0, expect.stringContaining(`${packageRoot}/config/perch.yaml is right`)]);
  });

  it("shows every error with its line, counts them, exits with 1 and shows no secret", async () => {
    const file = write(
      "wrong.yaml",
      `node: Here
mqtt:
  broker: { kind: external, url: "mqtt://me:hunter2@broker", password: 2 }
feeds:
  - { id: a, kind: camera, source: "\${env:SOURCE}", fps: 0 }
watches: []
`,
    );
    const { code, out, err } = await perch(["check", file], { SOURCE: "ftp://me:hunter2@cam" });
    expect([code, out]).toEqual([1, ""]);
    const lines = err.replaceAll(file, "F").trimEnd().split("\n");
    expect(lines.map((line) => line.split(" = ")[0])).toEqual([
      "F:1: node",
      "F:3: mqtt.broker.url",
      "F:3: mqtt.broker.password",
      "F:5: feeds[0].source",
      "F:5: feeds[0].fps",
      "5 errors",
    ]);
    expect(err).not.toContain("hunter2");
  });

  it("says that there is no such file", async () => {
    const { code, err } = await perch(["check", "none.yaml"]);
    expect(code).toBe(1);
    expect(err).toBe(`none.yaml: there is no such file (looked in ${join(folder, "none.yaml")})\n1 error\n`);
  });
});

describe("perch run", () => {
  it("refuses a wrong configuration before anything starts, and exits with 1", async () => {
    const file = write("wrong.yaml", "node: here\nfeeds: []\n");
    const { code, out, err } = await perch(["run", "--config", file]);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toBe(`perch: ${file}:1: the key watches is missing\n`);
    expect(existsSync(join(folder, "data"))).toBe(false);
  });
});

describe("perch doctor", () => {
  const config = (feeds: string, more = "") =>
    write("perch.yaml", `node: here\n${feeds}\nwatches: []\n${more}`);

  it("finds all that the simulated cell needs", async () => {
    const { code, out, err } = await perch(["doctor"]);
    expect([code, err]).toEqual([0, ""]);
    for (const title of ["Hardware", "Tools", "Model (ladder perch-small)", "Feeds", "Data"])
      expect(out).toContain(`${title}\n`);
    expect(out).toContain("camera: sim:cell?seed=7");
    expect(out).toMatch(/perch\.yaml can run here\n$/);
  });

  it("says what stands in the way, all of it, and exits with 1", async () => {
    const feeds = `feeds:
  - { id: door, kind: camera, source: "v4l2:/dev/video99" }
  - { id: clip, kind: camera, source: "file:none.mp4" }`;
    write("plain", "");
    const file = config(feeds, "engine: { ladder: none, binary: /no/llama-server }\ndata: plain/data\n");
    const { code, out } = await perch(["doctor", "--config", file]);
    expect(code).toBe(1);
    const faults = out.split("\n").filter((line) => line.startsWith("  ✗"));
    expect(faults).toHaveLength(5);
    expect(out).toContain("door: there is no /dev/video99; is the device plugged in?");
    expect(out).toContain("clip: there is no file none.mp4");
    expect(out).toContain("the engine is not built (/no/llama-server): run npm run setup");
    expect(out).toContain(`5 things stand in the way of ${file}\n`);
  });

  it("refuses a wrong configuration as run does", async () => {
    const { code, err } = await perch(["doctor", "--config", write("wrong.yaml", "[]")]);
    expect([code, err]).toEqual([
      1,
      expect.stringContaining("wrong.yaml:1: must be a mapping of keys to values"),
    ]);
  });
});
