import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chownSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { filesOf } from "../../service/inference/model-files.ts";
import { type PullTask, pull } from "../../service/inference/model-pull.ts";
import { mirrorOf, redirected, sourceOf } from "../../service/inference/model-source.ts";
import { packageRoot } from "../../service/kernel/paths.ts";
import { FileServer } from "../support/file-server.ts";
import { ModelLadder } from "../support/model-ladder.ts";

const QUICK = { connect: 2_000, stall: 300, firstWait: 1, longestWait: 5, tries: 3 };
const [TEXT3, MMPROJ, TEXT2] = ["small-Q3_K_M.gguf", "mmproj-small-Q8_0.gguf", "small-Q2_K.gguf"];
const ALL = [TEXT3, MMPROJ, TEXT2];

let home: ModelLadder;
let server: FileServer;
beforeEach(async () => {
  // A proxy of whoever runs the tests has no way to their own machine.
  for (const name of ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"]) delete process.env[name];
  home = new ModelLadder();
  server = new FileServer(new Map(home.files));
  await server.start();
});
afterEach(async () => {
  await server.stop();
  home.dispose();
});

const task = (token?: string): PullTask => ({
  ...home.task,
  mirror: mirrorOf(`${server.url}/models`, token),
  patience: QUICK,
});
const names = () => readdirSync(home.folder).toSorted();
const begins = (file: string) =>
  server.asked.filter(({ path }) => path === `models/${file}`).map(({ from }) => from);
/** Leaves one file to fetch. */
const withOthers = () => {
  for (const file of [TEXT3, MMPROJ]) home.put(file, home.right(file));
};

describe("a pull", () => {
  it("brings each file once, however many levels share it, under its own name and to be read by the service", async () => {
    // What root fetches has to belong to whom the folder does.
    const owner = process.geteuid?.() === 0 ? 12_345 : (process.geteuid?.() ?? 0);
    chownSync(home.root, owner, process.getegid?.() ?? 0);
    const brought = await pull(task());
    expect(brought.map(({ file }) => file)).toEqual(ALL);
    expect(server.asked.map(({ path }) => path)).toEqual(ALL.map((file) => `models/${file}`));
    expect(names()).toEqual(ALL.toSorted());
    for (const file of ALL) expect(home.get(file).equals(home.right(file))).toBe(true);
    const { mode, uid } = statSync(join(home.folder, TEXT2));
    expect([mode & 0o777, uid]).toEqual([0o644, owner]);
    expect(statSync(home.folder)).toMatchObject({ mode: 0o40700, uid: owner });
  });

  it("leaves right files alone and asks nobody for them", async () => {
    await pull(task());
    expect(await pull(task())).toEqual([]);
    expect(server.asked).toHaveLength(3);
  });

  it("goes on where a connection broke off, and asks for nothing twice", async () => {
    withOthers();
    server.next.push({ cutAfter: 300_000 }, { cutAfter: 500_000 });
    await pull(task());
    const [first = -1, second = -1, third = -1] = begins(TEXT2);
    expect(first).toBe(0);
    expect(second).toBe(300_000);
    expect(third).toBe(800_000);
    expect(server.asked[1]?.headers["if-range"]).toMatch(/^"/);
    expect(home.get(TEXT2).equals(home.right(TEXT2))).toBe(true);
  });

  it("goes on after a stall", async () => {
    withOthers();
    server.next.push({ stallAfter: 400_000 });
    await pull(task());
    expect(begins(TEXT2)).toEqual([0, 400_000]);
    expect(home.notes.join("\n")).toMatch(/127\.0\.0\.1:\d+ sent nothing for 1 s; trying again in 1 s/);
  });

  it("goes on with what a former process left", async () => {
    withOthers();
    home.put(`${TEXT2}.partial`, home.right(TEXT2).subarray(0, 700_001));
    await pull(task());
    expect(begins(TEXT2)).toEqual([700_001]);
    expect(names()).toEqual(ALL.toSorted());
  });

  it("needs no server for what was whole but for its name", async () => {
    withOthers();
    home.put(`${TEXT2}.partial`, home.right(TEXT2));
    await pull(task());
    expect(server.asked).toEqual([]);
    expect(home.get(TEXT2).equals(home.right(TEXT2))).toBe(true);
  });

  it("begins anew where the server only gives whole files", async () => {
    withOthers();
    server.ranges = false;
    home.put(`${TEXT2}.partial`, home.right(TEXT2).subarray(0, 700_000));
    await pull(task());
    expect(begins(TEXT2)).toEqual([700_000]);
    expect(home.notes.join("\n")).toContain(
      `only gives ${TEXT2} from its beginning: 700 kB are fetched again`,
    );
    expect(home.get(TEXT2).equals(home.right(TEXT2))).toBe(true);
  });

  it("begins anew where the file changed at the server in between", async () => {
    withOthers();
    const other = Buffer.from(home.right(TEXT2));
    other[other.length - 1] = (other.at(-1) ?? 0) ^ 255;
    server.files.set(TEXT2, other);
    const changes = () => server.files.set(TEXT2, home.right(TEXT2));
    server.next.push({ cutAfter: 300_000, atCut: changes });
    await pull(task());
    expect(begins(TEXT2)).toEqual([0, 300_000]);
    expect(home.get(TEXT2).equals(home.right(TEXT2))).toBe(true);
  });

  it("gives up on a server that never goes on, and keeps what came", async () => {
    withOthers();
    server.next.push(...Array(9).fill({ cutAfter: 5_000 }));
    await expect(pull(task())).rejects.toMatchObject({
      code: "MODEL_UNREACHABLE",
      message: expect.stringMatching(/Q2_K.gguf cannot be fetched: .*; 15 kB of it are kept/),
    });
    expect(names()).toEqual([MMPROJ, `${TEXT2}.partial`, TEXT3].toSorted());
    expect(statSync(join(home.folder, `${TEXT2}.partial`)).mode & 0o777).toBe(0o600);
  });

  it("tries a busy server again, as often as it may", async () => {
    withOthers();
    server.next.push({ status: 503 }, { status: 429, headers: { "retry-after": "0" } });
    await pull(task());
    expect(begins(TEXT2)).toEqual([0, 0, 0]);
  });

  it("drops a file with a wrong sha256 and says both", async () => {
    withOthers();
    const wrong = Buffer.from(home.right(TEXT2)).fill(7, 1000, 2000);
    server.files.set(TEXT2, wrong);
    const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
    await expect(pull(task())).rejects.toMatchObject({
      code: "MODEL_CORRUPT",
      message: expect.stringContaining(`sha256 ${sha256(wrong)}, not ${sha256(home.right(TEXT2))}`),
    });
    expect(names()).toEqual([MMPROJ, TEXT3].toSorted());
  });

  it("takes no byte of a file of another size, and drops one that grows too large", async () => {
    withOthers();
    server.files.set(TEXT2, Buffer.concat([home.right(TEXT2), Buffer.alloc(10)]));
    await expect(pull(task())).rejects.toThrow(/it has 1698218 bytes, not 1698208/);
    server.lengths = false;
    await expect(pull(task())).rejects.toThrow(/more than its 1698208 bytes came; it was dropped/);
    expect(names()).toEqual([MMPROJ, TEXT3].toSorted());
  });

  it("keeps a wrong file until the right one is whole", async () => {
    withOthers();
    home.put(TEXT2, Buffer.from("old"));
    server.next.push({ status: 404 });
    await expect(pull(task())).rejects.toThrow(/answers 404: there is no such file/);
    expect(home.get(TEXT2).toString()).toBe("old");
    await pull(task());
    expect(home.notes.join("\n")).toMatch(/Q2_K.gguf is not the file .* it has 3 bytes, not 1698208/);
    expect(home.get(TEXT2).equals(home.right(TEXT2))).toBe(true);
  });

  it.each([
    [{ status: 401 }, /answers 401: it wants a token \(PERCH_MIRROR_TOKEN\)/],
    [{ status: 403 }, /answers 403/],
    [{ headers: { "content-type": "text/html" } }, /answers with a web page: a login or a proxy/],
  ])("does not try again what would not help: %j", async (behaviour, message) => {
    withOthers();
    server.next.push(behaviour);
    await expect(pull(task())).rejects.toThrow(message);
    expect(server.asked).toHaveLength(1);
  });

  it("follows redirects, and sends the token to the mirror alone", async () => {
    withOthers();
    const other = new FileServer(new Map(home.files));
    await other.start();
    server.next.push({ redirect: `${other.url}/cdn` });
    await pull(task("s3cret"));
    await other.stop();
    expect(server.asked[0]?.headers.authorization).toBe("Bearer s3cret");
    expect(other.asked.map(({ path }) => path)).toEqual([`cdn/models/${TEXT2}`]);
    expect(other.asked[0]?.headers.authorization).toBeUndefined();
  });

  it("stops when it is told to, and keeps what came", async () => {
    withOthers();
    server.next.push({ stallAfter: 400_000 });
    const patient = { ...task(), patience: { ...QUICK, stall: 60_000 } };
    const partial = join(home.folder, `${TEXT2}.partial`);
    const pulled = pull(patient);
    await expect.poll(() => statSync(partial, { throwIfNoEntry: false })?.size).toBe(400_000);
    home.ended.abort();
    await expect(pulled).rejects.toMatchObject({
      code: "CANCELLED",
      message: expect.stringContaining(`kept in ${partial}`),
    });
    expect(names()).toEqual([MMPROJ, `${TEXT2}.partial`, TEXT3].toSorted());
  });

  it("lets one at a time write a file", async () => {
    withOthers();
    server.next.push({ stallAfter: 400_000 });
    const first = pull({ ...task(), patience: { ...QUICK, stall: 60_000 } });
    await expect.poll(() => server.asked.length).toBe(1);
    await expect(pull(task())).rejects.toMatchObject({
      code: "DATA_LOCKED",
      message: expect.stringMatching(/writes .*Q2_K.gguf at this moment/),
    });
    home.ended.abort();
    await expect(first).rejects.toMatchObject({ code: "CANCELLED" });
  });
});

describe("a disk that runs full while a file comes", () => {
  it("is said so, and what had come is kept and goes on once there is space", async () => {
    const script = join("test", "support", "staging-full-disk.ts");
    const own = ["--map-root-user", "--mount", process.execPath, "--import", "tsx", script, home.root];
    const { stdout } = await promisify(execFile)("unshare", own, { cwd: packageRoot, timeout: 50_000 });
    const seen: unknown = JSON.parse(stdout);
    expect(seen).toMatchObject({ fault: "DATA_FULL", afterwards: ["a.gguf"], right: true });
    expect(Object(seen).kept).toBeGreaterThan(500_000);
  });
});

describe("before a pull asks anybody", () => {
  it("says how much room is missing", async () => {
    home.dispose();
    home = new ModelLadder((file) => ({ ...file, bytes: 9e15 }));
    await expect(pull(task())).rejects.toMatchObject({
      code: "DATA_FULL",
      message: expect.stringMatching(/has .* free and 27000000\.0 GB are to come: .* GB are missing/),
    });
    expect(server.asked).toEqual([]);
  });

  it("says that nobody knows where a file comes from", async () => {
    await expect(pull({ ...home.task, patience: QUICK })).rejects.toMatchObject({
      code: "MODEL_MISSING",
      message: expect.stringContaining("does not say where small-Q3_K_M.gguf comes from: name a mirror"),
    });
  });

  it("says that the proxy of the environment is none, and not what it is", async () => {
    process.env.HTTPS_PROXY = "me:hunter2@proxy:3128";
    const refused = pull(task());
    await expect(refused).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await expect(refused).rejects.toThrow(/^HTTP_PROXY or HTTPS_PROXY is no URL of a proxy$/);
  });

  it("does not fetch again what is right and stands wrongly in models.yaml", async () => {
    for (const file of ALL) home.put(file, home.right(file));
    const [first] = home.ladder.levels;
    if (!first) throw new Error("no level");
    const swapped = { ...home.ladder, levels: [{ ...first, text: first.mmproj, mmproj: first.text }] };
    await expect(pull({ ...task(), ladder: swapped })).rejects.toThrow(/are the two swapped\?/);
    expect(server.asked).toEqual([]);
  });

  it.each([
    ["https://me:hunter2@host/models", /holds a user or password.*PERCH_MIRROR_TOKEN/],
    ["https://host/models?sig=hunter2", /without \? and #/],
    ["ftp://host/models", /https:\/\/ or http:\/\/, not ftp/],
    ["hunter2", /no URL of the form/],
  ])("refuses the mirror %s and does not repeat a secret", (url, message) => {
    const refused = () => mirrorOf(url);
    expect(refused).toThrow(message);
    expect(refused).toThrow(expect.not.objectContaining({ message: expect.stringContaining("hunter2") }));
  });

  it("takes no file from where anybody on the way could change where it comes from", () => {
    const [file] = filesOf(home.ladder);
    if (!file) throw new Error("no file");
    expect(() => sourceOf({ ...file, url: "http://host/a.gguf" })).toThrow(/must begin with https/);
    const from = new URL("https://host/a.gguf");
    expect(() => redirected(from, "http://host/a.gguf?sig=hunter2")).toThrow(
      /^https:\/\/host\/a.gguf redirects to http:\/\/host\/a.gguf, from https to http, which is not followed$/,
    );
    expect(() => redirected(from, "file:///etc/passwd")).toThrow(/not followed/);
    expect(redirected(from, "//cdn/b?c").href).toBe("https://cdn/b?c");
  });

  it("gives an entry without a url that of another for the same file", () => {
    const url = "https://host/mmproj.gguf";
    const [first, second] = home.ladder.levels;
    if (!first || !second) throw new Error("two levels");
    const named = { ...home.ladder, levels: [{ ...first, mmproj: { ...first.mmproj, url } }] };
    const files = filesOf({ ...home.ladder, levels: [second] }, [named]);
    expect(files.map((file) => file.url)).toEqual([undefined, url]);
    const { sha256 } = first.text;
    const twice = { ...home.ladder, levels: [first, { ...second, mmproj: { ...second.mmproj, sha256 } }] };
    expect(() => filesOf(twice)).toThrow(/names mmproj-small-Q8_0.gguf twice/);
  });
});
