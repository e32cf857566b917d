import { connect } from "node:net";
import Fastify from "fastify";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { limitBodyTime } from "../../service/api/body-time.ts";
import { ByteBudget, holdBodies } from "../../service/api/openai/held.ts";
import { ServedGateway } from "../support/api-openai.ts";
import { until } from "../support/until.ts";

let served: ServedGateway;
beforeAll(async () => {
  served = await ServedGateway.begin({ level: { slots: 1 } });
});
afterAll(() => served.dispose());

describe("what clients commonly ask for and is not here", () => {
  it.each([
    [
      "embeddings",
      (client: OpenAI) => client.embeddings.create({ model: "perch", input: "a" }),
      /made for it/,
    ],
    ["pictures", (client: OpenAI) => client.images.generate({ prompt: "a" }), /makes none/],
    [
      "speech",
      (client: OpenAI) => client.audio.speech.create({ model: "perch", voice: "ash", input: "a" }),
      /does not speak/,
    ],
    ["files", (client: OpenAI) => client.files.list(), /nothing is kept here/],
    ["an earlier response", (client: OpenAI) => client.responses.retrieve("resp_1"), /nothing is kept here/],
    ["moderations", (client: OpenAI) => client.moderations.create({ input: "a" }), /nothing is judged/],
  ])("%s: one answer says so, and is not asked for again", async (_, ask, says) => {
    let asked = 0;
    const client = new OpenAI({
      baseURL: `${served.url}/v1`,
      apiKey: "none",
      maxRetries: 2,
      fetch: (...given) => {
        asked += 1;
        return fetch(...given);
      },
    });
    const error: unknown = await ask(client).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ status: 501, code: "not_supported", message: expect.stringMatching(says) });
    expect(asked).toBe(1);
  });
});

describe("bodies", () => {
  /** A request of so many bytes, of which the head is sent. */
  function begin(bytes: number): { answer: Promise<string>; rest(): void; leave(): void } {
    const socket = connect(Number(new URL(served.url).port), "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${bytes}\r\n\r\n{`,
    );
    return {
      answer: new Promise((resolve) => socket.once("data", (data) => resolve(String(data)))),
      rest: () => socket.write(`${" ".repeat(bytes - 2)}}`),
      leave: () => socket.destroy(),
    };
  }

  it("that together are too large are refused before they are read, and taken once there is room", async () => {
    const four = Array.from({ length: 4 }, () => begin(31.9e6));
    let refused: Response | undefined;
    await until(async () => {
      refused = await served.post({ model: "perch", messages: [], padding: "x".repeat(1e6) });
      return refused.status === 429;
    });
    expect(refused?.headers.get("retry-after")).toBe("2");
    expect(await refused?.json()).toMatchObject({ error: { code: "too_much_at_once" } });
    // A small one finds its place.
    expect((await served.post({ model: "perch", messages: [] })).status).toBe(400);
    const [first, ...others] = four;
    first?.rest();
    expect(await first?.answer).toMatch(/^HTTP\/1\.1 400 /);
    const body = { model: "perch", messages: [], padding: "x".repeat(20e6) };
    await until(async () => (await served.post(body)).status === 400);
    for (const { leave } of others) leave();
    await until(async () =>
      (await Promise.all([served.post(body), served.post(body)])).every(({ status }) => status === 400),
    );
  });

  it("that do not say how large they are count as what they turn out to be", async () => {
    const budget = new ByteBudget(100, "requests");
    const app = Fastify();
    holdBodies(app, budget, 60);
    const held: number[] = [];
    app.addContentTypeParser(
      "text/x",
      { parseAs: "string" },
      async (request: { held: { shrink(to: number): void } | null }, body: string) => {
        held.push(budget.taken);
        request.held?.shrink(body.length);
        held.push(budget.taken);
        return body;
      },
    );
    app.post("/", async () => "");
    const url = await app.listen({ host: "127.0.0.1", port: 0 });
    const stream = new Blob(["12345"]).stream();
    const send = { method: "POST", body: stream, headers: { "content-type": "text/x" }, duplex: "half" };
    expect((await fetch(url, send as RequestInit)).status).toBe(200);
    expect(held).toEqual([60, 5]);
    await until(() => budget.taken === 0);
    await app.close();
  });

  it("that do not arrive in time are refused", async () => {
    const app = Fastify();
    limitBodyTime(app);
    app.post("/", { config: { bodyTime: 50 } }, async ({ body }) => body);
    const { port } = new URL(await app.listen({ host: "127.0.0.1", port: 0 }));
    const ask = async (sent: string) => {
      const socket = connect(Number(port), "127.0.0.1");
      let answer = "";
      const ended = new Promise((resolve) => socket.once("close", resolve));
      socket.on("data", (data) => {
        answer += String(data);
      });
      socket.write(
        `POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n${sent}`,
      );
      await until(() => answer.includes("\r\n\r\n"));
      return { answer, ended, socket };
    };
    const late = await ask('{"a":');
    expect(late.answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(late.answer).toContain("the request did not arrive within 0.05 s");
    await late.ended;
    const whole = await ask('{"a":"b"}');
    expect(whole.answer).toMatch(/^HTTP\/1\.1 200 /);
    whole.socket.destroy();
    await app.close();
  });
});
