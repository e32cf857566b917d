import { type ChildProcess, type ExecFileException, execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { imageSize } from "../../service/inference/image-size.ts";
import { checkJpeg, checkWav } from "../../service/inference/media-check.ts";
import { packageRoot } from "../../service/kernel/paths.ts";

const tsx = join(packageRoot, "node_modules/tsx/dist/loader.mjs");
const main = join(packageRoot, "service/main.ts");
const clinic = join(packageRoot, "config/examples/scenarios/clinic-call.yaml");
const folder = mkdtempSync(join(tmpdir(), "perch-simulate-"));
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function simulate(...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const done = (error: ExecFileException | null, out: string, err: string) =>
      resolve({ code: typeof error?.code === "number" ? error.code : error ? -1 : 0, out, err });
    const command = ["--import", tsx, main, "simulate", ...args];
    execFile(process.execPath, command, { cwd: folder, timeout: 50_000 }, done);
  });
}

function write(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return name;
}

describe("perch simulate", () => {
  it("tells how it is used", async () => {
    for (const args of [["--help"], [clinic, "-h"]]) {
      const { code, out } = await simulate(...args);
      expect(code).toBe(0);
      for (const word of [
        "--live [PORT]",
        "--out DIR",
        "--size WxH",
        "--fps N",
        "--for DURATION",
        "--seed N",
      ])
        expect(out).toContain(word);
      expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
    }
  });

  it("shows when what happens, and what else one can do", async () => {
    const { code, out, err } = await simulate(clinic);
    expect([code, err]).toEqual([0, ""]);
    const lines = out.replaceAll(clinic, "F").split("\n");
    expect(lines[0]).toBe("F is right: 01:00 of place 5 by day, seed 7");
    expect(lines).toContain("00:00     seen   nobody is here, light is green, display 41, desk: cup");
    expect(lines).toContain(
      "00:28     seen   one person waits, one lies on the floor, light is red and blinks, display 42, desk: cup, bag",
    );
    expect(out).toMatch(/\n00:26 {5}heard {2}somebody says help, loud/);
    expect(lines.at(-2)).toBe("Watch it:         a feed with  source: sim:F");
    const cell = await simulate("cell", "--seed", "7", "--for", "20s");
    expect(cell.code).toBe(0);
    expect(cell.out).toMatch(/^cell: 00:20 of place 0/);
    expect(cell.out).toContain("perch simulate cell --seed 7 --live");
  });

  it("shows every error of a scenario with its line, and exits with 1", async () => {
    const file = write(
      "wrong.yaml",
      "length: 9s\nevents:\n  - { at: 1s, light: blue }\n  - { at: 1s, says: hi }\n",
    );
    const { code, out, err } = await simulate(file, "--out", "wrong");
    expect([code, out]).toEqual([1, ""]);
    const [first, second, count] = err.split("\n");
    expect(first).toBe('wrong.yaml:3: events[0].light = "blue": must be one of off, green, amber, red');
    expect(second).toMatch(/^wrong\.yaml:4: events\[1\]\.says = "hi": must be one of help, nurse/);
    expect(count).toBe("2 errors");
    expect(existsSync(join(folder, "wrong"))).toBe(false);
  });

  it.each([
    [[], "simulate what? perch simulate SCENARIO.yaml, or cell"],
    [["cell", "--live", "--out", "x"], "--live and --out exclude each other"],
    [["cell", "--size", "90x90"], "--size 90x90: must be WIDTHxHEIGHT, from 96 to 1920 pixels each"],
    [["cell", "--fps", "0"], "--fps 0: must be above 0 and at most 30"],
    [["cell", "--for", "5"], "--for 5: must be a duration from 1s to 24h"],
    [["cell", "--seed", "x"], 'seed is "x"'],
    [["cell", "--live", "99999"], "--live 99999: must be a port"],
    [[clinic, "--seed", "7"], "a scenario's seed stands in its file"],
  ])("refuses %j in a line, and exits with 2", async (args, message) => {
    const { code, out, err } = await simulate(...args);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(message);
  });
});

describe("perch simulate --out", () => {
  it("writes pictures, sound, right answers and a video, the same bytes each time", async () => {
    const options = ["--size", "337x193", "--fps", "2", "--for", "30s"];
    const first = await simulate(clinic, ...options, "--out", "first");
    expect(first.code).toBe(0);
    expect(first.out).toBe("first: 60 pictures in frames, sound.wav, truth.jsonl, video.mp4\n");
    expect(first.err).toMatch(/^100 %, [\d.]+ times as fast as real time\n$/);
    const read = (name: string) => readFileSync(join(folder, "first", name));
    const pictures = readdirSync(join(folder, "first/frames"));
    expect(pictures).toHaveLength(60);
    for (const name of pictures) {
      checkJpeg(read(`frames/${name}`));
      expect(imageSize(read(`frames/${name}`))).toMatchObject({ width: 337, height: 193 });
    }
    checkWav(read("sound.wav"));
    expect(read("sound.wav")).toHaveLength(44 + 30 * 32_000);
    const lines = read("truth.jsonl")
      .toString()
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.filter(({ picture }) => picture)).toHaveLength(60);
    expect(lines.find(({ at }) => at === 26_500)).toMatchObject({
      picture: "frames/000054.jpg",
      truth: { people: 2, lying: true, display: 42, things: "cup, bag" },
    });
    expect(lines.find(({ at, sound }) => at === 26_000 && sound)).toMatchObject({
      sound: { sound: "speech", word: "help", loudness: "loud" },
      truth: { sound: "speech", words: "help", help: true },
    });
    expect(lines.map(({ at }) => at)).toEqual(lines.map(({ at }) => at).sort((a, b) => a - b));
    expect(await duration(join(folder, "first/video.mp4"))).toBeCloseTo(30, 0);

    expect((await simulate(clinic, ...options, "--out", "second")).code).toBe(0);
    for (const name of [...pictures.map((picture) => `frames/${picture}`), "sound.wav", "truth.jsonl"])
      expect(hash(join(folder, "second", name)), name).toBe(hash(join(folder, "first", name)));
  });

  it("refuses a folder that holds files, and one that it cannot make", async () => {
    mkdirSync(join(folder, "full/inner"), { recursive: true });
    expect(await simulate(clinic, "--out", "full")).toMatchObject({
      code: 2,
      err: expect.stringContaining("--out full: it holds files already; name a new or an empty folder"),
    });
    write("file", "");
    const { code, err } = await simulate(clinic, "--out", "file/out");
    expect([code, err]).toEqual([2, expect.stringContaining("--out file/out: ENOTDIR")]);
  });
});

const hash = (file: string) => createHash("sha256").update(readFileSync(file)).digest("hex");

function duration(file: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const wanted = ["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", file];
    execFile("ffprobe", wanted, (error, out) => (error ? reject(error) : resolve(Number(out))));
  });
}

describe("perch simulate --live", () => {
  /** Starts it on a free port; resolves to the process and its address. */
  async function live(...args: string[]): Promise<{ child: ChildProcess; url: string }> {
    const command = ["--import", tsx, main, "simulate", ...args, "--live", "0"];
    const child = spawn(process.execPath, command, { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
    children.push(child);
    const said = await new Promise<string>((resolve) =>
      child.stdout?.once("data", (text) => resolve(String(text))),
    );
    const [, url] = /(http:\/\/127\.0\.0\.1:\d+)/.exec(said) ?? [];
    if (url === undefined) throw new Error(`it said ${said}`);
    return { child, url };
  }

  it("serves a page that needs nothing from elsewhere, the right answers, pictures and sound", async () => {
    const { child, url } = await live(clinic, "--size", "336x192");
    const page = await (await fetch(url)).text();
    expect(page).toContain("<!doctype html>");
    expect(page).not.toMatch(/https?:\/\//);
    const now: { time: string } = JSON.parse(await (await fetch(`${url}/now`)).text());
    expect(now).toMatchObject({ seen: { camera: "ok", display: 41 }, heard: "it is silent" });
    expect(now.time).toMatch(/^00:0\d of 01:00$/);
    const { rows } = JSON.parse(await (await fetch(`${url}/course`)).text());
    expect(rows[0]).toMatchObject({ at: 0, time: "00:00", sense: "seen" });

    const camera = await fetch(`${url}/camera`);
    expect(camera.headers.get("content-type")).toBe("multipart/x-mixed-replace; boundary=picture");
    const shown = await bytesOf(camera, 40_000);
    const parts = shown.toString("latin1").split("--picture\r\n").slice(1, -1);
    expect(parts.length).toBeGreaterThan(1);
    for (const part of parts) {
      const [, head, body] = /^(.*?)\r\n\r\n(.*)\r\n$/s.exec(part) ?? [];
      const jpeg = Buffer.from(body ?? "", "latin1");
      expect(head).toBe(`content-type: image/jpeg\r\ncontent-length: ${jpeg.length}`);
      checkJpeg(jpeg);
      expect(imageSize(jpeg)).toMatchObject({ width: 336, height: 192 });
    }
    // A second of sound.
    expect((await bytesOf(await fetch(`${url}/microphone`), 32_000)).length).toBeGreaterThanOrEqual(32_000);
    expect(await statusFor(url, "evil.example")).toBe(403);

    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGINT");
    expect(await ended).toBe(0);
  });

  it("ends by itself where it was told for how long, also while somebody looks", async () => {
    const { child, url } = await live("cell", "--for", "2s");
    const ended = new Promise((resolve) => child.once("exit", resolve));
    const looking = fetch(`${url}/camera`).then((camera) => bytesOf(camera, 1e9));
    await expect(looking).rejects.toThrow();
    expect(await ended).toBe(0);
  });
});

/** The first bytes of an answer that does not end. */
async function bytesOf(answer: Response, least: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of answer.body ?? []) {
    pieces.push(piece);
    length += piece.length;
    if (length >= least) break;
  }
  return Buffer.concat(pieces);
}

/** What a page of another site gets that had its own name point here. */
function statusFor(url: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = httpRequest(`${url}/now`, { headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.once("error", reject).end();
  });
}
