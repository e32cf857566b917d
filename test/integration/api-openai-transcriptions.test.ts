import { execFile } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type OpenAI from "openai";
import { toFile } from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { wavHeader, wavOf } from "../../service/inference/media-check.ts";
import { soundOf } from "../../service/inference/sound-file.ts";
import { systemCode } from "../../service/kernel/errors.ts";
import { ServedGateway } from "../support/api-openai.ts";
import { cellSound } from "../support/cell-media.ts";
import { ffmpeg, tone } from "../support/engine-media.ts";
import { until } from "../support/until.ts";

const RATE = 16_000;
const folder = mkdtempSync(join(tmpdir(), "perch-test-"));
let served: ServedGateway;
let client: OpenAI;
beforeAll(async () => {
  served = await ServedGateway.begin();
  client = served.client;
});
afterAll(async () => {
  expect(served.made[0]?.health().detail?.restarts).toBe(0);
  await served.dispose();
  rmSync(folder, { recursive: true });
});

/** Words of the cell's voices, the first of them at 2 s and one every 16 s, in silence: 50 s. */
function spoken(): { wav: Buffer; words: string[] } {
  const { file, heard } = cellSound(60);
  const all = readFileSync(file).subarray(44);
  const words: string[] = [];
  const whole = Buffer.alloc(50 * RATE * 2);
  for (const { from, to, what } of heard) {
    if (what.sound !== "speech" || words.length === 3 || what.loudness === "quiet") continue;
    const piece = all.subarray(from * 32, to * 32);
    piece.copy(whole, (2 + 16 * words.length) * RATE * 2);
    words.push(what.word);
  }
  return { wav: Buffer.concat([wavHeader(whole.length), whole]), words };
}
const { wav, words } = spoken();
const file = (bytes = wav, name = "words.wav") => toFile(bytes, name);
/** Files of uploads that this process has open. */
const openUploads = () =>
  readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.includes(join(served.bench.data, "uploads")) ? [path] : [];
    } catch (error) {
      // Closed since the list was read.
      if (systemCode(error) === "ENOENT") return [];
      throw error;
    }
  });
const left = () => readdirSync(join(served.bench.data, "uploads"));

describe("the official client", () => {
  it("gets the words of long sound, each from its own clip, and their times", async () => {
    const { data, response } = await client.audio.transcriptions
      .create({ file: await file(), model: "perch", response_format: "verbose_json", language: "en" })
      .withResponse();
    expect(words).toHaveLength(3);
    expect(data.text.split(" ")).toEqual(words);
    expect(data.duration).toBeCloseTo(50, 1);
    for (const [index, segment] of (data.segments ?? []).entries()) {
      expect(segment.text).toBe(words[index]);
      expect(segment.start).toBeGreaterThan(1.7 + 16 * index);
      expect(segment.start).toBeLessThan(2.2 + 16 * index);
      expect(segment.end - segment.start).toBeLessThan(1.5);
    }
    expect(data.segments).toHaveLength(3);
    expect(response.headers.get("x-perch-level")).toBe("one");
    expect(left()).toEqual([]);
  });

  it("gets json, text and vtt", async () => {
    const json = await client.audio.transcriptions.create({ file: await file(), model: "perch@one" });
    expect(json).toEqual({ text: words.join(" "), usage: { type: "duration", seconds: 50 } });
    const text = await client.audio.transcriptions.create({
      file: await file(),
      model: "perch",
      response_format: "text",
      prompt: words.join(", "),
      temperature: 0,
    });
    expect(String(text)).toBe(`${words.join(" ")}\n`);
    const vtt = await client.audio.transcriptions.create({
      file: await file(),
      model: "perch",
      response_format: "vtt",
    });
    expect(String(vtt)).toMatch(/^WEBVTT\n\n00:00:01\.\d{3} --> 00:00:02\.\d{3}\n/);
  });

  it("streams the words as they are heard", async () => {
    const stream = await client.audio.transcriptions.create({
      file: await file(),
      model: "perch",
      stream: true,
    });
    const deltas: string[] = [];
    let done = "";
    for await (const event of stream) {
      if (event.type === "transcript.text.delta") deltas.push(event.delta);
      if (event.type === "transcript.text.done") done = event.text;
    }
    expect(deltas.map((delta) => delta.trim())).toEqual(words);
    expect(deltas.join("")).toBe(done);
  });

  it("that goes away stops it, and leaves no file", async () => {
    const given = new AbortController();
    const long = Buffer.alloc(120 * RATE * 2);
    for (let at = 0; at < 120; at += 1) tone(300 + at, 0.5).copy(long, at * RATE * 2, 44);
    const upload = client.audio.transcriptions.create(
      {
        file: await file(Buffer.concat([wavHeader(long.length), long])),
        model: "perch",
        stream: true,
      },
      { signal: given.signal },
    );
    for await (const { type } of await upload) if (type === "transcript.text.delta") break;
    given.abort();
    await until(() => served.inference.health().detail?.underWay === 0 && left().length === 0);
    expect(await served.bench.metrics.total(served.bench.metrics.answerTokens)).toBeLessThan(5_000);
  });
});

it("curl sends a file, and gets subtitles", async () => {
  const path = join(folder, "words.ogg");
  const source = join(folder, "words.wav");
  writeFileSync(source, wav);
  writeFileSync(path, ffmpeg("-i", source, "-c:a", "libopus", "-f", "ogg"));
  const { stdout } = await promisify(execFile)("curl", [
    ...["-s", `${served.url}/v1/audio/transcriptions`, "-F", `file=@${path}`],
    ...["-F", "model=perch", "-F", "response_format=srt"],
  ]);
  expect(stdout.match(/^\d+\n00:00:\d\d,\d{3} --> 00:00:\d\d,\d{3}\n\w+$/gm)).toHaveLength(3);
});

describe("what is not taken", () => {
  const form = (fields: Record<string, string>, bytes: Uint8Array | null = tone(440, 0.5)) => {
    const body = new FormData();
    for (const [name, value] of Object.entries(fields)) body.append(name, value);
    if (bytes) body.append("file", new Blob([bytes as Uint8Array<ArrayBuffer>]), "a.wav");
    return body;
  };
  const post = async (body: FormData | string, headers = {}) => {
    const to = `${served.url}/v1/audio/transcriptions`;
    const response = await fetch(to, { method: "POST", body, headers });
    const { error } = (await response.json()) as { error: { message: string; param: string; code: string } };
    return { status: response.status, ...error };
  };
  const two = () => {
    const body = form({ model: "perch" });
    body.append("file", new Blob([tone(440, 0.5) as Uint8Array<ArrayBuffer>]), "b.wav");
    return body;
  };

  it.each<[string, () => FormData | string, object]>([
    ["no file", () => form({ model: "perch" }, null), { status: 400, param: "file" }],
    ["an empty file", () => form({ model: "perch" }, Buffer.alloc(0)), { status: 400, param: "file" }],
    ["two files", two, { status: 400, param: "file" }],
    [
      "no sound",
      () => form({ model: "perch" }, Buffer.from("hello")),
      { status: 400, code: "invalid_media" },
    ],
    [
      "a cut off header",
      () => form({ model: "perch" }, wav.subarray(0, 30)),
      { status: 400, code: "invalid_media" },
    ],
    [
      "a playlist",
      () => form({ model: "perch" }, Buffer.from("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")),
      { status: 400, code: "invalid_media" },
    ],
    ["no model", () => form({}), { status: 400, message: "the key model is missing" }],
    ["an unknown model", () => form({ model: "whisper-1" }), { status: 404, code: "model_not_found" }],
    [
      "an unknown form",
      () => form({ model: "perch", response_format: "diarized_json" }),
      { status: 400, param: "response_format" },
    ],
    [
      "an unknown language",
      () => form({ model: "perch", language: "xx" }),
      { status: 400, param: "language" },
    ],
    [
      "times of words",
      () => form({ model: "perch", "timestamp_granularities[]": "word" }),
      { status: 400, param: "timestamp_granularities[0]" },
    ],
    [
      "subtitles as a stream",
      () => form({ model: "perch", response_format: "srt", stream: "true" }),
      { status: 400, param: "response_format" },
    ],
    ["no form", () => "{}", { status: 415 }],
  ])("%s", async (_, body, expected) => {
    expect(await post(body())).toMatchObject(expected);
    expect(left()).toEqual([]);
  });

  it("nor a form that ends in the middle", async () => {
    const headers = { "content-type": "multipart/form-data; boundary=x" };
    expect(
      await post('--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nabc', headers),
    ).toMatchObject({
      status: 400,
    });
    const file = 'content-disposition: form-data; name="file"; filename="a"\r\n\r\nabc';
    expect(await post(`--x\r\n${file}\r\n--x\r\n${file}`, headers)).toMatchObject({ status: 400 });
    expect(await post("--x", { "content-type": "multipart/form-data" })).toMatchObject({ status: 400 });
    expect(left()).toEqual([]);
  });

  it("nor a file whose client goes away: nothing of it stays, on the disk or open", async () => {
    const socket = connect(Number(new URL(served.url).port), "127.0.0.1");
    const head = "POST /v1/audio/transcriptions HTTP/1.1\r\nhost: a\r\ncontent-length: 9000000\r\n";
    socket.write(`${head}content-type: multipart/form-data; boundary=x\r\n\r\n`);
    socket.write('--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n');
    socket.write(Buffer.alloc(500_000));
    await until(() => left().length === 1 && openUploads().length === 1);
    socket.destroy();
    await until(() => left().length === 0 && openUploads().length === 0);
  });

  it("nor a file of more than 200 MB, of which nothing is read", async () => {
    const socket = connect(Number(new URL(served.url).port), "127.0.0.1");
    const head = "POST /v1/audio/transcriptions HTTP/1.1\r\nhost: a\r\ncontent-length: 300000000\r\n";
    socket.write(`${head}content-type: multipart/form-data; boundary=x\r\n\r\n`);
    const answer = await new Promise<string>((resolve) =>
      socket.once("data", (data) => resolve(String(data))),
    );
    socket.destroy();
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('"code":"body_too_large"');
  });
});

describe("a sound file", () => {
  const read = async (bytes: Buffer, longest: number) => {
    const path = join(folder, "sound");
    writeFileSync(path, bytes);
    let count = 0;
    const signal = new AbortController().signal;
    for await (const piece of soundOf(path, { longest, signal })) count += piece.length;
    return count / RATE;
  };
  const source = ["-f", "lavfi", "-i", "sine=f=440:r=8000:d=3", "-f"];

  it.each([
    ["that says how long it is", [...source, "wav"]],
    ["that does not", [...source, "adts"]],
  ])("%s is heard as far as it is taken", async (_, args) => {
    const bytes = ffmpeg(...args);
    expect(await read(bytes, 4)).toBeCloseTo(3, 0);
    await expect(read(bytes, 2)).rejects.toMatchObject({ code: "MEDIA_TOO_LARGE" });
  });
});

it("what a crash left of uploads is removed at the start", async () => {
  let there = "";
  const other = await ServedGateway.begin({
    between: (engine, { bench }) => {
      there = join(bench.data, "uploads");
      mkdirSync(there);
      writeFileSync(join(there, "left"), "x");
      return engine;
    },
  });
  try {
    expect(existsSync(there)).toBe(false);
    const silent = await file(wavOf(new Int16Array(RATE)));
    expect((await other.client.audio.transcriptions.create({ file: silent, model: "perch" })).text).toBe("");
    expect(readdirSync(there)).toEqual([]);
  } finally {
    await other.dispose();
  }
});
