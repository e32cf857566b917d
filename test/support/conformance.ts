import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Fastify, { type FastifyInstance } from "fastify";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CellCamera } from "../../device/simulator/camera/camera.ts";
import { frameTruth } from "../../device/simulator/course/seen.ts";
import { Timeline } from "../../device/simulator/course/timeline.ts";
import { DEFAULT_SIZE } from "../../device/simulator/sim-source.ts";
import type { Running } from "../../service/api/openai/models.ts";
import { gatewayRoutes } from "../../service/api/openai/routes.ts";
import type { AnswerSchema } from "../../service/contract/answer.ts";
import type { Engine, EngineStamp, Prompt } from "../../service/inference/engine.ts";
import { Inference } from "../../service/inference/inference.ts";
import { prepareImage } from "../../service/inference/media-check.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { counting } from "./api-openai.ts";
import { anySignal } from "./engine-bench.ts";
import { picture, tone } from "./engine-media.ts";
import { SQUARE_AND_WIDE } from "./image-shapes.ts";
import { until } from "./until.ts";

/** An engine of two slots that is up, and what it says of itself. */
export interface Subject {
  readonly engine: Engine;
  readonly running: Running;
  readonly stamp: EngineStamp;
  /** Process of the model. */
  pid(): number;
  dispose(): Promise<void>;
}

const CAPACITY = 3;
const SCENE: AnswerSchema = {
  person: { type: "boolean" },
  light: { type: "enum", values: ["off", "green", "amber", "red"] },
  display: { type: "integer", minimum: 0, maximum: 99 },
};
const HEARD: AnswerSchema = {
  sound: { type: "enum", values: ["silence", "noise", "alarm", "speech"] },
  words: { type: "string", maxLength: 16 },
};

/** A picture of the simulated cell, and whether a person is in it. */
async function cell(at: number): Promise<{ jpeg: Buffer; person: unknown }> {
  const timeline = new Timeline(7);
  const { width, height } = DEFAULT_SIZE;
  const raw = Buffer.from(new CellCamera(timeline, DEFAULT_SIZE).picture(at).rgba);
  const input = ["-f", "rawvideo", "-pix_fmt", "rgba", "-s", `${width}x${height}`, "-i", "pipe:0"];
  const png = execFileSync("ffmpeg", ["-v", "error", ...input, "-f", "apng", "-frames:v", "1", "pipe:1"], {
    input: raw,
  });
  const { person } = frameTruth(timeline.sceneAt(at), at) as { person?: unknown };
  return { jpeg: await prepareImage(png, SQUARE_AND_WIDE), person };
}

/** What every engine has to do alike, through the queue and the gateway as programs and watches use it. */
export function conformance(name: string, begin: () => Promise<Subject>): void {
  describe(`conformance: ${name}`, () => {
    let subject: Subject;
    let inference: Inference;
    let app: FastifyInstance;
    let url = "";
    const folder = mkdtempSync(join(tmpdir(), "perch-test-"));

    beforeAll(async () => {
      subject = await begin();
      const { engine, running } = subject;
      const shared = { clock: systemClock, logger: silentLogger };
      const capacity = CAPACITY;
      inference = new Inference({ ...shared, engine, capacity, data: folder, metrics: new Metrics() });
      app = Fastify({ forceCloseConnections: true });
      app.register(gatewayRoutes, {
        ...shared,
        inference,
        running: () => running,
        image: () => engine.image,
      });
      await engine.ready(anySignal());
      await inference.start();
      url = await app.listen({ host: "127.0.0.1", port: 0 });
    });
    afterAll(async () => {
      await app.close();
      await inference.stop();
      await subject.dispose();
      rmSync(folder, { recursive: true });
    });

    const client = () => new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
    const ask = (prompt: Prompt, signal = anySignal()) =>
      inference.submit({ prompt, lane: "watch", deadline: systemClock.monotonic() + 30_000, signal });
    const underWay = () => inference.health().detail?.underWay;
    /** Does something while the model stands still. */
    const frozen = async <T>(act: () => Promise<T>): Promise<T> => {
      process.kill(subject.pid(), "SIGSTOP");
      try {
        return await act();
      } finally {
        process.kill(subject.pid(), "SIGCONT");
      }
    };

    it("text: answers, counts its tokens, and says who answered", async () => {
      const { data, response } = await client()
        .chat.completions.create({
          model: "perch",
          messages: [{ role: "user", content: "Describe the image." }],
          max_tokens: 6,
          temperature: 0,
        })
        .withResponse();
      expect(data.choices[0]?.message.content).not.toBe("");
      expect(data.choices[0]?.finish_reason).toMatch(/^(length|stop)$/);
      expect(data.usage?.prompt_tokens).toBeGreaterThan(2);
      const { ladder, level, model, server } = subject.stamp;
      expect(Object.fromEntries(response.headers)).toMatchObject({
        "x-perch-ladder": ladder,
        "x-perch-level": level,
        "x-perch-model": model,
        ...(server !== undefined && { "x-perch-server": server }),
      });
      expect(response.headers.has("x-perch-server")).toBe(server !== undefined);
    });

    it("image: sees what is there, and accounts for it", async () => {
      const found = [];
      for (const at of [1_000, 20_000, 40_000, 60_000]) {
        const { jpeg, person } = await cell(at);
        const { reply, stamp } = await ask({
          question: "Describe the image.",
          images: [jpeg],
          schema: SCENE,
        });
        expect(stamp).toEqual(subject.stamp);
        expect(reply.tokens.prompt).toBeGreaterThan(25);
        expect(reply.tokens.answer).toBeGreaterThan(3);
        expect(reply.decode).toBeGreaterThan(0);
        found.push([JSON.parse(reply.text).person, person]);
      }
      expect(new Set(found.map(([, truth]) => truth)).size).toBe(2);
      expect(found.map(([seen]) => seen)).toEqual(found.map(([, truth]) => truth));
    });

    it("audio: hears an alarm", async () => {
      const { reply } = await ask({ question: "Describe the sound.", audio: tone(440, 1.5), schema: HEARD });
      expect(Object.keys(JSON.parse(reply.text))).toEqual(Object.keys(HEARD));
      const { choices } = await client().chat.completions.create({
        model: "perch",
        temperature: 0,
        messages: [
          {
            role: "user",
            content: [
              {
                type: "input_audio",
                input_audio: { format: "wav", data: tone(440, 1.5).toString("base64") },
              },
              { type: "text", text: "Describe the sound." },
            ],
          },
        ],
      });
      expect(JSON.parse(choices[0]?.message.content ?? "")).toMatchObject({
        sound: JSON.parse(reply.text).sound,
      });
    });

    it("both: a picture and a sound in one question", async () => {
      const { reply } = await ask({
        question: "Describe the image and sound.",
        images: [picture()],
        audio: tone(440, 1.5),
        schema: { ...SCENE, ...HEARD },
      });
      expect(Object.keys(JSON.parse(reply.text))).toEqual([...Object.keys(SCENE), ...Object.keys(HEARD)]);
    });

    it("schema: any of the contract, and any that a client hands in", async () => {
      const { reply } = await ask({
        question: "Describe the image.",
        images: [picture()],
        schema: {
          temperature: { type: "integer", minimum: -40, maximum: 85 },
          share: { type: "number", minimum: 0, maximum: 1 },
          odd: { type: "enum", values: ['a "b"', "c\\d", "ü, 語"] },
          note: { type: "string", maxLength: 40 },
        },
      });
      const answer = JSON.parse(reply.text);
      expect(answer.temperature).toBeGreaterThanOrEqual(-40);
      expect(answer.temperature).toBeLessThanOrEqual(85);
      expect(answer.share).toBeLessThanOrEqual(1);
      expect(['a "b"', "c\\d", "ü, 語"]).toContain(answer.odd);
      expect(answer.note.length).toBeLessThanOrEqual(40);
      const { choices } = await client().chat.completions.create(counting(5));
      expect(JSON.parse(choices[0]?.message.content ?? "")).toHaveLength(5);
    });

    it("stream: the same answer piece by piece, with usage only for who wants it", async () => {
      const body = counting(20, { messages: [{ role: "user" as const, content: "Count." }], seed: 7 });
      const whole = await client().chat.completions.create(body);
      for (const include_usage of [true, false]) {
        let said = "";
        let pieces = 0;
        let accounts = 0;
        const stream = await client().chat.completions.create({
          ...body,
          stream: true,
          stream_options: { include_usage },
        });
        for await (const chunk of stream) {
          said += chunk.choices[0]?.delta.content ?? "";
          pieces += 1;
          if (chunk.usage) accounts += 1;
        }
        expect(said).toBe(whole.choices[0]?.message.content);
        expect(pieces).toBeGreaterThan(20);
        expect(accounts).toBe(include_usage ? 1 : 0);
      }
      const raw = await fetch(`${url}/v1/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ ...body, stream: true }),
      });
      expect((await raw.text()).endsWith("data: [DONE]\n\n")).toBe(true);
    });

    it("tools: are offered, and none is called that was not", async () => {
      const { choices } = await client().chat.completions.create({
        model: "perch",
        max_tokens: 20,
        messages: [{ role: "user", content: "Describe the image." }],
        tools: [
          { type: "function", function: { name: "look", parameters: { type: "object", properties: {} } } },
        ],
      });
      for (const call of choices[0]?.message.tool_calls ?? [])
        expect(call).toMatchObject({ function: { name: "look" } });
    });

    it("cancel: frees both slots for the next, from a stream and from a question", async () => {
      const given = new AbortController();
      const { signal } = given;
      const stream = await client().chat.completions.create({ ...counting(290), stream: true }, { signal });
      await stream[Symbol.asyncIterator]().next();
      await frozen(async () => {
        const chat = client()
          .chat.completions.create(counting(290), { signal })
          .catch((error: unknown) => error);
        await until(() => underWay() === 2 || underWay() === 1);
        given.abort();
        await until(() => underWay() === 0);
        expect(await chat).toBeInstanceOf(OpenAI.APIUserAbortError);
        const asked = new AbortController();
        const question = ask({ question: "Describe the image.", maxTokens: 900 }, asked.signal);
        await until(() => underWay() === 1);
        asked.abort();
        await expect(question).rejects.toMatchObject({ code: "CANCELLED" });
        expect(underWay()).toBe(0);
      });
      const next = await Promise.all([1, 2, 3].map(() => client().chat.completions.create(counting(3))));
      expect(next).toHaveLength(3);
    });

    it("errors: are the request's own, and the next is answered", async () => {
      await expect(ask({ question: "?", images: [Buffer.from("none")] })).rejects.toMatchObject({
        code: "MEDIA_INVALID",
      });
      await expect(ask({ question: "Describe the image. ".repeat(2000) })).rejects.toMatchObject({
        code: "ENGINE_REFUSED",
        message: expect.stringMatching(/context/),
      });
      const tooLong = client().chat.completions.create({
        model: "perch",
        messages: [{ role: "user", content: "Describe the image. ".repeat(2000) }],
      });
      await expect(tooLong).rejects.toMatchObject({ status: 400, code: "context_length_exceeded" });
      const unknown = client().chat.completions.create({ ...counting(3), model: "gpt-4o" });
      await expect(unknown).rejects.toMatchObject({ status: 404, code: "model_not_found" });
      await client().chat.completions.create(counting(3));
    });

    it("overload: what is accepted is answered, and the rest is told to come again", async () => {
      let later = 0;
      const send = (seed: number) =>
        client()
          .chat.completions.create(counting(10, { seed }))
          .then(
            ({ choices }) => JSON.parse(choices[0]?.message.content ?? "").length as number,
            (error: unknown) => {
              later += 1;
              return error instanceof OpenAI.RateLimitError ? "later" : String(error);
            },
          );
      const asked = await frozen(async () => {
        const first = [send(1), send(2)];
        await until(() => underWay() === 2);
        const more = Array.from({ length: 12 }, (_, seed) => send(seed));
        await until(() => later >= 12 - CAPACITY - 1);
        return [...first, ...more];
      });
      const outcomes = await Promise.all(asked);
      const answered = outcomes.filter((outcome) => outcome === 10).length;
      expect(answered).toBeGreaterThanOrEqual(2 + CAPACITY);
      expect(outcomes.filter((outcome) => outcome === "later")).toHaveLength(14 - answered);
    });
  });
}
