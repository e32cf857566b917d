import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Agent, request } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeJpeg } from "../../device/simulator/jpeg.ts";
import { Camera } from "../../device/simulator/scene.ts";
import { Soundtrack } from "../../device/simulator/sound.ts";
import { HUM_AFTER, HUM_BEFORE, type SoundSegment, Timeline } from "../../device/simulator/timeline.ts";
import type { Truth } from "../../service/contract/media.ts";
import { systemCode } from "../../service/kernel/errors.ts";
import { packageRoot } from "../../service/kernel/paths.ts";

/** A fixed hour, so that every run asks the same. */
const BEGIN = 1_760_040_000_000;
const PREROLL = 200;
const TAIL = 100;
const IMAGE_FIELDS = {
  person: { type: "boolean" },
  light: { type: "string", enum: ["off", "green", "amber", "red"] },
  display: { type: "integer", minimum: 0, maximum: 99 },
};
const SOUND_FIELDS = {
  sound: { type: "string", enum: ["silence", "noise", "alarm", "speech"] },
  words: { type: "string", maxLength: 16 },
};

const folder = mkdtempSync(join(tmpdir(), "perch-model-"));
const socketPath = join(folder, "engine.sock");
const agent = new Agent({ connect: { socketPath }, keepAliveTimeout: 1 });
const timeline = new Timeline(7);
const camera = new Camera(timeline);
const soundtrack = new Soundtrack(timeline);
let engine: ChildProcess;

beforeAll(async () => {
  const weights = join(packageRoot, "device/simulator/model/weights");
  const model = ["-m", join(weights, "small-Q8_0.gguf"), "--mmproj", join(weights, "mmproj-small-Q8_0.gguf")];
  const image = ["--image-min-tokens", "25", "--image-max-tokens", "25", "-ub", "256"];
  const size = ["-c", "2048", "-np", "2", "-t", "1", "--swa-full"];
  engine = spawn(
    join(packageRoot, "build/engine/llama-server"),
    [...model, ...image, ...size, "--host", socketPath, "--no-webui"],
    { stdio: "ignore", env: { ...process.env, OMP_WAIT_POLICY: "passive" } },
  );
  await ready();
});

afterAll(async () => {
  engine.kill();
  await agent.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("the small model", () => {
  it("sees what the simulated camera shows", async () => {
    const moments = Array.from({ length: 60 }, (_, i) => BEGIN + i * 17_300);
    const answered = await Promise.all(
      moments.map(async (at) => ({
        truth: sceneTruth(at),
        answer: await ask("Describe the image.", IMAGE_FIELDS, [imageAt(at)]),
      })),
    );
    for (const field of Object.keys(IMAGE_FIELDS)) expect(share(answered, field)).toBeGreaterThan(0.95);
  });

  it("hears what the simulated microphone hears", async () => {
    const clips = soundsOf(5).map((segment) => clipOf(segment));
    const quiet = soundsOf(1)
      .slice(0, -1)
      .map(({ to }) => ({ from: to + 20, to: to + 1420 }));
    const answered = await Promise.all(
      [...clips, ...quiet].map(async ({ from, to }) => ({
        truth: heard(from, to),
        answer: await ask("Describe the sound.", SOUND_FIELDS, [soundOf(from, to)]),
      })),
    );
    expect(answered.length).toBeGreaterThan(60);
    expect(share(answered, "sound")).toBeGreaterThan(0.95);
    expect(share(answered, "words")).toBeGreaterThan(0.9);
  });

  it("does both at once", async () => {
    const answered = await Promise.all(
      soundsOf(3).map(async (segment) => {
        const { from, to } = clipOf(segment);
        const answer = await ask("Describe the image and sound.", { ...IMAGE_FIELDS, ...SOUND_FIELDS }, [
          imageAt(segment.from),
          soundOf(from, to),
        ]);
        return { truth: { ...sceneTruth(segment.from), ...heard(from, to) }, answer };
      }),
    );
    const right = answered.filter(({ truth, answer }) =>
      Object.keys(truth).every((field) => truth[field] === answer[field]),
    );
    expect(answered.length).toBeGreaterThan(30);
    expect(right.length / answered.length).toBeGreaterThan(0.92);
  });
});

interface Answered {
  readonly truth: Truth;
  readonly answer: Truth;
}

/** Share of the answers whose field is as the truth has it. */
function share(answered: readonly Answered[], field: string): number {
  return answered.filter(({ truth, answer }) => truth[field] === answer[field]).length / answered.length;
}

function sceneTruth(at: number): Truth {
  return { ...timeline.sceneAt(at).truth };
}

function soundsOf(minutes: number): SoundSegment[] {
  return Array.from({ length: minutes }, (_, i) => timeline.stretchAt(BEGIN + i * 60_000).sounds).flat();
}

/** What a gate would cut out: the loud part, with a little before and after it. */
function clipOf({ from, to, kind }: SoundSegment): { from: number; to: number } {
  const [before, after] = kind.sound === "noise" ? [HUM_BEFORE, HUM_AFTER] : [0, 0];
  return { from: from + before - PREROLL, to: to - after + TAIL };
}

function heard(from: number, to: number): Truth {
  const truth = timeline.soundTruth(from, to);
  if (!truth) throw new Error(`the clip from ${from} to ${to} should hold one sound`);
  return truth;
}

function imageAt(at: number): object {
  const data = encodeJpeg(camera.picture(at)).toString("base64");
  return { type: "image_url", image_url: { url: `data:image/jpeg;base64,${data}` } };
}

function soundOf(from: number, to: number): object {
  const samples = soundtrack.between(from, to);
  const head = Buffer.alloc(44);
  head.write("RIFF", 0);
  head.writeUInt32LE(36 + samples.byteLength, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(16_000, 24);
  head.writeUInt32LE(32_000, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write("data", 36);
  head.writeUInt32LE(samples.byteLength, 40);
  const data = Buffer.concat([head, Buffer.from(samples.buffer)]).toString("base64");
  return { type: "input_audio", input_audio: { format: "wav", data } };
}

async function ask(question: string, properties: object, media: readonly object[]): Promise<Truth> {
  const schema = {
    type: "object",
    properties,
    required: Object.keys(properties),
    additionalProperties: false,
  };
  const { body, statusCode } = await request("http://engine/v1/chat/completions", {
    dispatcher: agent,
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      messages: [{ role: "user", content: [...media, { type: "text", text: question }] }],
      max_tokens: 60,
      temperature: 0,
      response_format: { type: "json_schema", json_schema: { name: "answer", strict: true, schema } },
    }),
  });
  const reply = await body.text();
  if (statusCode !== 200) throw new Error(`the engine answered ${statusCode}: ${reply}`);
  return JSON.parse(JSON.parse(reply).choices[0].message.content);
}

async function ready(): Promise<void> {
  const failed = new Promise<never>((_, reject) => {
    engine.once("error", reject);
    engine.once("exit", (code) => reject(new Error(`the engine ended with ${code}`)));
  });
  while ((await Promise.race([health(), failed])) !== 200)
    await new Promise((resolve) => setTimeout(resolve, 100));
}

/** Its HTTP status, or undefined while nobody listens. */
async function health(): Promise<number | undefined> {
  try {
    const { body, statusCode } = await request("http://engine/health", { dispatcher: agent });
    await body.dump();
    return statusCode;
  } catch (error) {
    if (["ENOENT", "ECONNREFUSED"].includes(systemCode(error) ?? "")) return undefined;
    throw error;
  }
}
