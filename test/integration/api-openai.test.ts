import type OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { counting, ServedGateway } from "../support/api-openai.ts";
import { shippedLevel } from "../support/engine-bench.ts";
import { picture, tone } from "../support/engine-media.ts";

let served: ServedGateway;
let client: OpenAI;
beforeAll(async () => {
  served = await ServedGateway.begin();
  client = served.client;
});
afterAll(() => served.dispose());

const dataUrl = (bytes: Buffer, type = "image/jpeg") => `data:${type};base64,${bytes.toString("base64")}`;
const image = (seed = 1) => ({ type: "image_url" as const, image_url: { url: dataUrl(picture(seed)) } });
const sound = {
  type: "input_audio" as const,
  input_audio: { data: tone(440, 0.5).toString("base64"), format: "wav" as const },
};
const text = (words: string) => ({ type: "text" as const, text: words });
const ask = (...content: OpenAI.ChatCompletionContentPart[]) => ({
  model: "perch",
  messages: [{ role: "user" as const, content }],
  temperature: 0,
  max_completion_tokens: 40,
});

describe("the official client", () => {
  it("lists the model of the moment, and the level that runs", async () => {
    const { data } = await client.models.list();
    expect(data.map(({ id, owned_by }) => [id, owned_by])).toEqual([
      ["perch", "perch"],
      ["perch@one", "perch"],
    ]);
    expect(await client.models.retrieve("perch@one")).toMatchObject({ id: "perch@one", object: "model" });
    await expect(client.models.retrieve("gpt-4o")).rejects.toMatchObject({
      status: 404,
      code: "model_not_found",
    });
  });

  it.each(["perch", "perch@one", "perch-small"])(
    "chats with %s and sees which level answered",
    async (model) => {
      const { data, response } = await client.chat.completions
        .create({ ...ask(image(), text("Describe the image.")), model })
        .withResponse();
      expect(data).toMatchObject({
        object: "chat.completion",
        model: "perch@one",
        choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", refusal: null } }],
      });
      expect(data.id).toMatch(/^chatcmpl-/);
      expect(data.choices[0]?.message.content).toMatch(/^\{"/);
      expect(data.usage?.prompt_tokens).toBeGreaterThan(25);
      expect(data.usage?.prompt_tokens_details?.cached_tokens).toBeGreaterThanOrEqual(0);
      expect(data.usage?.total_tokens).toBe(
        (data.usage?.prompt_tokens ?? 0) + (data.usage?.completion_tokens ?? 0),
      );
      const headers = Object.fromEntries(response.headers);
      expect(headers).toMatchObject({
        "x-perch-level": "one",
        "x-perch-ladder": "perch-small",
        "x-perch-model": shippedLevel().text.sha256.slice(0, 16),
        "x-perch-queue-ms": expect.stringMatching(/^\d+$/),
      });
    },
  );

  it("hears", async () => {
    const { choices } = await client.chat.completions.create(ask(sound, text("Describe the sound.")));
    expect(choices[0]?.message.content).toMatch(/^\{"/);
  });

  it("sees pictures in every format, and several", async () => {
    const png = await import("../support/engine-media.ts").then(({ ffmpeg }) =>
      ffmpeg("-f", "lavfi", "-i", "testsrc=s=300x200", "-frames:v", "1", "-f", "apng"),
    );
    const { choices } = await client.chat.completions.create(
      ask(
        { type: "image_url", image_url: { url: dataUrl(png, "image/png"), detail: "low" } },
        image(2),
        text("Describe the image."),
      ),
    );
    expect(choices[0]?.message.content).toMatch(/^\{"/);
  });

  it("streams the same answer that it gets whole, with usage at the end where it wants it", async () => {
    const body = counting(20, { seed: 7 });
    const whole = await client.chat.completions.create(body);
    const stream = await client.chat.completions.create({
      ...body,
      stream: true,
      stream_options: { include_usage: true },
    });
    let said = "";
    let pieces = 0;
    let usage: OpenAI.CompletionUsage | null | undefined;
    for await (const chunk of stream) {
      expect(chunk).toMatchObject({ object: "chat.completion.chunk", model: "perch@one" });
      said += chunk.choices[0]?.delta.content ?? "";
      pieces += 1;
      usage = chunk.usage ?? usage;
    }
    expect(said).toBe(whole.choices[0]?.message.content);
    expect(pieces).toBeGreaterThan(20);
    expect(usage?.completion_tokens).toBe(whole.usage?.completion_tokens);
    expect(usage?.prompt_tokens_details?.cached_tokens).toBeGreaterThan(0);
  });

  it("holds an answer to a schema", async () => {
    const { choices } = await client.chat.completions.create({
      ...ask(image(), text("Who is there?")),
      max_completion_tokens: 300,
      response_format: {
        type: "json_schema",
        json_schema: {
          name: "answer",
          strict: true,
          schema: {
            type: "object",
            properties: { who: { type: "string", enum: ["nobody", "somebody"] }, sure: { type: "boolean" } },
            required: ["who", "sure"],
            additionalProperties: false,
          },
        },
      },
    });
    const answer = JSON.parse(choices[0]?.message.content ?? "");
    expect(Object.keys(answer)).toEqual(["who", "sure"]);
    expect(["nobody", "somebody"]).toContain(answer.who);
  });

  it("gets an object for json_object, whatever the model would say", async () => {
    const { choices } = await client.chat.completions.create({
      model: "perch",
      messages: [{ role: "user", content: "zzz" }],
      max_tokens: 200,
      temperature: 0,
      response_format: { type: "json_object" },
    });
    expect(choices[0]?.message.content?.trimStart()).toMatch(/^\{/);
  });

  it("stops at a word and at its number of tokens, and says which", async () => {
    const stopped = await client.chat.completions.create(counting(30, { stop: [","] }));
    expect(stopped.choices[0]).toMatchObject({
      finish_reason: "stop",
      message: { content: expect.stringMatching(/^\s*\[\s*\d\d$/) },
    });
    const short = await client.chat.completions.create(counting(30, { max_tokens: 5 }));
    expect(short.choices[0]?.finish_reason).toBe("length");
    expect(short.usage?.completion_tokens).toBe(5);
  });

  it("offers tools, and shows what they answered", async () => {
    const look = {
      type: "function" as const,
      function: {
        name: "look",
        description: "Looks.",
        parameters: { type: "object", properties: { feed: { type: "string", maxLength: 100_000 } } },
      },
    };
    const answer = await client.chat.completions.create({
      model: "perch",
      messages: [
        { role: "developer", content: "Be brief." },
        { role: "user", content: "Look.", name: "somebody" },
        {
          role: "assistant",
          content: null,
          tool_calls: [
            { id: "call_1", type: "function", function: { name: "look", arguments: '{"feed":"cell"}' } },
          ],
        },
        { role: "tool", tool_call_id: "call_1", content: "a person" },
      ],
      tools: [look],
      tool_choice: { type: "function", function: { name: "look" } },
      parallel_tool_calls: false,
      max_tokens: 20,
    });
    expect(answer.choices).toHaveLength(1);
  });

  it("continues a text", async () => {
    const body = { model: "perch", prompt: '{"person":', temperature: 0, max_tokens: 4 };
    const whole = await client.completions.create(body);
    expect(whole).toMatchObject({
      object: "text_completion",
      model: "perch@one",
      choices: [{ index: 0, finish_reason: expect.stringMatching(/^(length|stop)$/) }],
    });
    let said = "";
    for await (const chunk of await client.completions.create({ ...body, stream: true }))
      said += chunk.choices[0]?.text ?? "";
    expect(said).toBe(whole.choices[0]?.text);
  });

  it("answers the same for the same seed", async () => {
    const one = () =>
      client.chat.completions.create(
        counting(10, {
          messages: [{ role: "user", content: "Count." }],
          temperature: 1,
          top_p: 0.9,
          seed: -3_000_000_000,
        }),
      );
    const [a, b] = [await one(), await one()];
    expect(a.choices[0]?.message.content).toBe(b.choices[0]?.message.content);
  });
});
