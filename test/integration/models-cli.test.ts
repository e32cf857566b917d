import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { models } from "../../service/cli/models.ts";
import { UsageError } from "../../service/cli/usage.ts";
import { importFrom } from "../../service/inference/model-import.ts";
import { packageRoot } from "../../service/kernel/paths.ts";
import { makeCertificates } from "../support/certificates.ts";
import { FileServer } from "../support/file-server.ts";
import { ModelLadder } from "../support/model-ladder.ts";

const TSX = join(packageRoot, "node_modules/tsx/dist/loader.mjs");
const MAIN = join(packageRoot, "service/main.ts");
const [TEXT3, MMPROJ, TEXT2] = ["small-Q3_K_M.gguf", "mmproj-small-Q8_0.gguf", "small-Q2_K.gguf"];
const ALL = [TEXT3, MMPROJ, TEXT2];

let home: ModelLadder;
let server: FileServer;
const children: ChildProcess[] = [];
beforeEach(async () => {
  home = new ModelLadder();
  server = new FileServer(new Map(home.files));
  await server.start();
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await server.stop();
  home.dispose();
});

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Begins `perch models …`; `ended` resolves when it has. */
function begin(args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, ...environment };
  const words = ["--import", TSX, MAIN, "models", ...args, "--config", home.config];
  const child = spawn(process.execPath, words, { cwd: home.root, env, stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  const texts = { out: "", err: "" };
  child.stdout.on("data", (text) => (texts.out += text));
  child.stderr.on("data", (text) => (texts.err += text));
  const ended = new Promise<Outcome>((resolve) => child.on("close", (code) => resolve({ code, ...texts })));
  return { child, ended };
}

const perch = (args: readonly string[], environment?: NodeJS.ProcessEnv) => begin(args, environment).ended;
const partialSize = () =>
  statSync(join(home.folder, `${TEXT3}.partial`), { throwIfNoEntry: false })?.size ?? 0;

describe("perch models", () => {
  it("teaches", async () => {
    const { code, out } = await perch(["--help"]);
    expect(code).toBe(0);
    for (const word of [
      "list",
      "plan",
      "pull",
      "import",
      "verify",
      "--mirror",
      "PERCH_MIRROR_TOKEN",
      ".partial",
    ])
      expect(out).toContain(word);
    expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
  });

  it.each([
    [[], /models what\? list, plan, pull, import or verify; perch models --help/],
    [["push"], /perch models does not know push/],
    [["import"], /import from where\?/],
    [["verify", "small", "--ladder", "large"], /which ladder, small or large\?/],
    [["pull", "--json"], /--json belongs to perch models plan/],
    [["verify", "--mirror", "https://host"], /--mirror belongs to perch models pull/],
    [["pull", "--mirror", "https://me:hunter2@host"], /PERCH_MIRROR_TOKEN/],
  ])("takes %j for a mistake", async ([...args], message) => {
    const at = args.findIndex((word) => word.startsWith("--"));
    const [words, [option = "--none", value = "yes"]] =
      at < 0 ? [args, []] : [args.slice(0, at), args.slice(at)];
    const wrong = models({ config: home.config, words, [option.slice(2)]: value });
    await expect(wrong).rejects.toBeInstanceOf(UsageError);
    await expect(wrong).rejects.toThrow(message);
    await expect(wrong).rejects.not.toThrow("hunter2");
  });

  it("exits with 2 after a mistake", async () => {
    const { code, out, err } = await perch(["pull", "--mirror", "https://me:hunter2@host"]);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(/PERCH_MIRROR_TOKEN/);
    expect(err).not.toContain("hunter2");
  });

  it("pulls, lists and verifies", async () => {
    const before = await perch(["list"]);
    expect(before.out).toContain("small (in use): ");
    expect(before.out).toContain("levels  q3_k_m, q2_k (default)");
    expect(before.out).toMatch(/files {3}3, 6\.2 MB, none here, in .*data\/models\n/);
    const missing = await perch(["verify"]);
    expect([missing.code, missing.out.match(/✗/g)?.length]).toEqual([1, 3]);
    expect(missing.out).toContain("no level of small can run");

    const pulled = await perch(["pull", "small", "--mirror", `${server.url}/m`]);
    expect(pulled.code).toBe(0);
    expect(pulled.out).toMatch(/^ladder small: 3 files, 6\.2 MB, in /);
    expect(pulled.out).toContain(`✓ ${TEXT2}, sha256 right\nof small can run: q3_k_m, q2_k\n`);
    expect(pulled.err).toContain(`${TEXT2}  100 %  1.7 MB of 1.7 MB`);

    expect((await perch(["list"])).out).toContain("all here");
    expect((await perch(["verify", "small"])).code).toBe(0);
    home.put(TEXT3, home.right(TEXT3).subarray(0, 1000));
    const cut = await perch(["verify"]);
    expect(cut.code).toBe(1);
    expect(cut.out).toMatch(/✗ .*Q3_K_M.gguf is not the file that models.yaml names: it has 1000 bytes/);
    expect(cut.out).toContain("of small can run: q2_k; not: q3_k_m\n");
  });

  it("says that a mirror cannot be reached, and does not show its token", async () => {
    await server.stop();
    const { code, err } = await perch(["pull", "--mirror", "http://127.0.0.1:1/m"], {
      PERCH_MIRROR_TOKEN: "hunter2",
    });
    expect(code).toBe(1);
    expect(err).toMatch(/perch: http:\/\/127\.0\.0\.1:1\/m\/.* cannot be fetched: .*ECONNREFUSED/);
    expect(err).not.toContain("hunter2");
  });

  it("says that models.yaml names no url", async () => {
    const { code, err } = await perch(["pull"]);
    expect(code).toBe(1);
    expect(err).toMatch(/^perch: models.yaml does not say where .* comes from: name a mirror, or import/);
  });
});

describe("a pull that is ended", () => {
  const HALF = 800_000;

  it("by kill -9 leaves no file under the real name, and the next one asks for the rest only", async () => {
    server.next.push({ stallAfter: HALF });
    const args = ["pull", "--mirror", server.url];
    const { child, ended } = begin(args);
    await expect.poll(partialSize, { timeout: 20_000 }).toBe(HALF);
    child.kill("SIGKILL");
    await ended;
    expect(readdirSync(home.folder).toSorted()).toEqual([`${TEXT3}.partial`, `${TEXT3}.partial.lock`]);

    const again = await perch(args);
    expect([again.code, again.err]).toEqual([
      0,
      expect.stringContaining(`800 kB of ${TEXT3} are here already`),
    ]);
    const asked = server.asked.filter(({ path }) => path === TEXT3).map(({ from }) => from);
    expect(asked).toEqual([0, HALF]);
    expect(readdirSync(home.folder).toSorted()).toEqual(ALL.toSorted());
  });

  it("by Ctrl-C says how to go on; meanwhile a second pull says who is at it", async () => {
    server.next.push({ stallAfter: HALF });
    const args = ["pull", "--mirror", server.url];
    const { child, ended } = begin(args);
    await expect.poll(partialSize, { timeout: 20_000 }).toBe(HALF);
    const second = await perch(args);
    expect([second.code, second.err]).toEqual([
      1,
      `perch: process ${child.pid} writes ${join(home.folder, TEXT3)} at this moment: wait until it is done, or end it\n`,
    ]);
    child.kill("SIGINT");
    const { code, err } = await ended;
    expect(code).toBe(130);
    expect(err).toMatch(/Q3_K_M.gguf.partial, and the same command goes on from there\n$/);
    expect(readdirSync(home.folder)).toEqual([`${TEXT3}.partial`]);
  });
});

describe("a pull over https", () => {
  let secure: FileServer;
  beforeEach(async () => {
    makeCertificates(home.root);
    secure = new FileServer(new Map(home.files));
    const [key, cert] = ["server.key", "server.pem"].map((name) => readFileSync(join(home.root, name)));
    if (key && cert) await secure.start({ key, cert });
  });
  afterEach(() => secure.stop());
  const trust = () => ({ NODE_EXTRA_CA_CERTS: join(home.root, "ca.pem") });

  it("wants to know whom it talks to", async () => {
    const stranger = await perch(["pull", "--mirror", secure.url]);
    expect(stranger.code).toBe(1);
    expect(stranger.err).toMatch(/localhost:\d+ cannot prove who it is .*NODE_EXTRA_CA_CERTS/);
    expect((await perch(["pull", "--mirror", secure.url], trust())).code).toBe(0);
  });

  it("is not led away to http", async () => {
    secure.next.push({ redirect: server.url });
    const { code, err } = await perch(["pull", "--mirror", secure.url], trust());
    expect(code).toBe(1);
    expect(err).toContain("from https to http, which is not followed");
    expect(server.asked).toEqual([]);
  });

  it("goes through the proxy that the environment names, and around it for NO_PROXY", async () => {
    const tunnels: string[] = [];
    const proxy = createServer().on("connect", ({ url = "" }, socket, head) => {
      tunnels.push(url);
      const [host = "", port] = url.split(":");
      const target = connect(Number(port), host, () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        target.write(head);
        target.pipe(socket).pipe(target);
      });
      for (const end of [target, socket]) end.on("error", () => socket.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const HTTPS_PROXY = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const args = ["pull", "--mirror", secure.url];
    expect((await perch(args, { ...trust(), HTTPS_PROXY, NO_PROXY: "localhost" })).code).toBe(0);
    expect(tunnels).toEqual([]);
    home.put(TEXT2, Buffer.from("wrong"));
    expect((await perch(args, { ...trust(), HTTPS_PROXY })).code).toBe(0);
    expect(tunnels).toEqual([new URL(secure.url).host]);
    proxy.close();
  });
});

describe("an import", () => {
  let stick: string;
  beforeEach(() => {
    stick = join(home.root, "stick");
    mkdirSync(stick);
  });
  const onStick = (name: string, bytes: Uint8Array) => writeFileSync(join(stick, name), bytes);

  it("copies what is there, and says which levels can run then", async () => {
    onStick(TEXT2, home.right(TEXT2));
    onStick(MMPROJ, home.right(MMPROJ));
    const some = await perch(["import", stick]);
    expect(some.code).toBe(0);
    expect(some.err).toContain(`${TEXT3} is not in ${stick}\n`);
    expect(some.out).toBe(
      `✓ ${MMPROJ}, sha256 right\n✓ ${TEXT2}, sha256 right\nof small can run: q2_k; not: q3_k_m\n`,
    );
    onStick(TEXT3, home.right(TEXT3));
    expect((await perch(["import", stick, "--ladder", "small"])).out).toContain("can run: q3_k_m, q2_k\n");
    expect(readdirSync(home.folder).toSorted()).toEqual(ALL.toSorted());
  });

  it("knows files that were renamed or swapped by what is in them", async () => {
    onStick(TEXT2, home.right(TEXT3));
    onStick(TEXT3, home.right(TEXT2));
    onStick("projector (1).bin", home.right(MMPROJ));
    const { files, faults } = await importFrom(stick, home.task);
    expect([files.map(({ file }) => file), faults]).toEqual([ALL, []]);
    for (const file of ALL) expect(home.get(file).equals(home.right(file))).toBe(true);
    expect(home.notes.join("\n")).toContain(`projector (1).bin is ${MMPROJ} under another name`);
  });

  it("says what a file of the wrong size looks like, and leaves nothing of one with wrong content", async () => {
    onStick(TEXT3, home.right(MMPROJ));
    onStick(TEXT2, Buffer.from(home.right(TEXT2)).fill(0, 500, 600));
    onStick(MMPROJ, home.right(MMPROJ).subarray(1));
    const { code, out } = await perch(["import", stick]);
    expect(code).toBe(1);
    expect(out).toContain(`not ${home.right(TEXT3).length}: it looks like ${MMPROJ}`);
    expect(out).toMatch(/stick\/small-Q2_K.gguf: what came .* sha256 [0-9a-f]{64}, not [0-9a-f]{64}/);
    expect(readdirSync(home.folder)).toEqual([MMPROJ]);
  });

  it("goes on with what a pull left, and starts over where that was wrong", async () => {
    for (const file of ALL) onStick(file, home.right(file));
    home.put(`${TEXT2}.partial`, home.right(TEXT2).subarray(0, 900_000));
    home.put(`${TEXT3}.partial`, Buffer.alloc(900_000, 7));
    const { files, faults } = await importFrom(stick, home.task);
    expect([files.length, faults]).toEqual([3, []]);
    for (const file of ALL) expect(home.get(file).equals(home.right(file))).toBe(true);
  });

  it("says what is wrong with the folder", async () => {
    home.put("x", Buffer.alloc(1));
    const wrong = async (folder: string) => (await perch(["import", folder])).err;
    expect(await wrong(join(stick, "none"))).toBe(`perch: there is no folder ${stick}/none\n`);
    expect(await wrong(home.config)).toMatch(/perch.yaml is a file: name the folder that it lies in\n$/);
    expect(await wrong(home.folder)).toContain("is the ladder's own folder: there is nothing to copy");
    expect(existsSync(join(home.folder, TEXT2))).toBe(false);
  });
});
