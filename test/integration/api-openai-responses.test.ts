import { setTimeout as wait } from "node:timers/promises";
import type OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { counting, ServedGateway } from "../support/api-openai.ts";
import { picture, tone } from "../support/engine-media.ts";
import { until } from "../support/until.ts";

let served: ServedGateway;
let client: OpenAI;
beforeAll(async () => {
  served = await ServedGateway.begin();
  client = served.client;
});
afterAll(() => served.dispose());

const image = `data:image/jpeg;base64,${picture().toString("base64")}`;
const LOOK = {
  type: "function" as const,
  name: "look",
  description: "Looks.",
  strict: true,
  parameters: {
    type: "object",
    properties: { feed: { type: "string", enum: ["camera", "hall"] } },
    required: ["feed"],
    additionalProperties: false,
  },
};
const ask = (input: OpenAI.Responses.ResponseInput | string, more: object = {}) => ({
  model: "perch",
  input,
  temperature: 0,
  max_output_tokens: 40,
  ...more,
});
/** Numbers, each a token by itself: it takes a while, and cannot end early. */
const numbers = (count: number) => {
  const { response_format, ...more } = counting(count);
  const { schema } = response_format.json_schema;
  return {
    model: more.model,
    temperature: 0,
    input: more.messages[0]?.content ?? "",
    text: { format: { type: "json_schema" as const, name: "numbers", schema } },
  };
};

describe("the official client", () => {
  it("gets a response, with what it asked and what it took", async () => {
    const { data, response } = await client.responses
      .create(ask("Describe the image.", { instructions: "Be brief.", metadata: { line: "3" } }))
      .withResponse();
    expect(data).toMatchObject({
      object: "response",
      model: "perch@one",
      error: null,
      instructions: "Be brief.",
      metadata: { line: "3" },
      store: false,
      previous_response_id: null,
      output: [{ type: "message", role: "assistant", content: [{ type: "output_text", annotations: [] }] }],
    });
    expect(data.output_text).not.toBe("");
    expect(data.usage?.total_tokens).toBe((data.usage?.input_tokens ?? 0) + (data.usage?.output_tokens ?? 0));
    expect(data.usage?.input_tokens).toBeGreaterThan(5);
    expect(response.headers.get("x-perch-level")).toBe("one");
  });

  it("sees and hears, and goes on with a conversation that it brings back", async () => {
    const first = await client.responses.create(
      ask([
        {
          role: "user",
          content: [
            { type: "input_image", image_url: image, detail: "auto" },
            { type: "input_text", text: "Describe the image." },
          ],
        },
      ]),
    );
    expect(first.output_text).toMatch(/^\{"/);
    const sound = {
      type: "input_audio",
      input_audio: { data: tone(440, 0.5).toString("base64"), format: "wav" },
    };
    const second = await client.responses.create(
      ask([
        { role: "user", content: "Describe." },
        ...(first.output as OpenAI.Responses.ResponseInput),
        {
          role: "user",
          content: [
            sound,
            { type: "input_text", text: "Describe the sound." },
          ] as OpenAI.Responses.ResponseInputContent[],
        },
      ]),
    );
    expect(second.output_text).not.toBe("");
  });

  it("streams the same text as it gets whole, in events that its own reader puts together", async () => {
    const body = numbers(20);
    const whole = await client.responses.create(body);
    const stream = client.responses.stream(body);
    const types: string[] = [];
    let said = "";
    let expected = 0;
    for await (const event of stream) {
      expect(event.sequence_number).toBe(expected);
      expected += 1;
      if (types.at(-1) !== event.type) types.push(event.type);
      if (event.type === "response.output_text.delta") said += event.delta;
    }
    expect(types).toEqual([
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.content_part.added",
      "response.output_text.delta",
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.completed",
    ]);
    expect(JSON.parse(said)).toHaveLength(20);
    const final = await stream.finalResponse();
    expect(final.output_text).toBe(said);
    expect(whole.output_text).toBe(said);
    expect(final.usage).toEqual({ ...whole.usage, input_tokens_details: expect.anything() });
  });

  it("says where an answer was cut off", async () => {
    const cut = await client.responses.create({ ...numbers(20), max_output_tokens: 5 });
    expect(cut).toMatchObject({
      status: "incomplete",
      incomplete_details: { reason: "max_output_tokens" },
      output: [{ status: "incomplete" }],
    });
    const stream = await client.responses.create({ ...numbers(20), max_output_tokens: 5, stream: true });
    let last = "";
    for await (const { type } of stream) last = type;
    expect(last).toBe("response.incomplete");
  });

  it.each(["required", { type: "function", name: "look" }] as const)(
    "calls a function (%s) and goes on with what it returned",
    async (tool_choice) => {
      const input: OpenAI.Responses.ResponseInput = [{ role: "user", content: "Look." }];
      const body = ask(input, { tools: [LOOK], tool_choice, max_output_tokens: 200 });
      const stream = client.responses.stream(body);
      let written = "";
      stream.on("response.function_call_arguments.delta", ({ delta }) => {
        written += delta;
      });
      const { output } = await stream.finalResponse();
      const [call] = output;
      if (call?.type !== "function_call") throw new Error("there is no call");
      expect(["camera", "hall"]).toContain(JSON.parse(call.arguments).feed);
      expect(written).toBe(call.arguments);
      const next = await client.responses.create(
        ask([
          ...input,
          ...(output as OpenAI.Responses.ResponseInput),
          {
            type: "function_call_output",
            call_id: call.call_id,
            output: [
              { type: "input_text", text: "this" },
              { type: "input_image", image_url: image, detail: "auto" },
            ],
          },
        ]),
      );
      expect(next.output_text).not.toBe("");
    },
  );

  it("that goes away frees its slot", async () => {
    const stream = await client.responses.create({ ...numbers(290), stream: true });
    for await (const { type } of stream) if (type === "response.output_text.delta") break;
    await until(() => served.inference.health().detail?.underWay === 0);
  });

  it("is told in its stream when the engine fails under it", async () => {
    const stream = await client.responses.create({ ...numbers(290), stream: true });
    const read = (async () => {
      for await (const { type } of stream)
        if (type === "response.output_text.delta") process.kill(served.made[0]?.pid ?? 0, "SIGKILL");
    })();
    await expect(read).rejects.toMatchObject({ code: "engine_failed" });
    await wait(0);
    expect((await client.responses.create(ask("Hello."))).output_text).not.toBe("");
  });
});

describe("what is not taken", () => {
  const user = (...content: object[]) => [{ role: "user", content }];
  it.each<[string, object, string, number?]>([
    ["store", { store: true }, "store"],
    ["previous_response_id", { previous_response_id: "resp_1" }, "previous_response_id"],
    ["conversation", { conversation: "conv_1" }, "conversation"],
    ["background", { background: true }, "background"],
    ["truncation", { truncation: "auto" }, "truncation"],
    ["item_reference", { input: [{ type: "item_reference", id: "msg_1" }] }, "input[0]"],
    ["no input", { input: [] }, "input"],
    ["only thoughts", { input: [{ type: "reasoning", summary: [] }] }, "input"],
    ["a tool of OpenAI's", { tools: [{ type: "web_search" }] }, "tools[0].type"],
    [
      "a tool that is not there",
      { tools: [LOOK], tool_choice: { type: "function", name: "x" } },
      "tool_choice",
    ],
    ["a choice among none", { tool_choice: "required" }, "tool_choice"],
    [
      "an address",
      { input: user({ type: "input_image", image_url: "http://127.0.0.1/a.png" }) },
      "input[0].content[0].image_url",
    ],
    ["a file", { input: user({ type: "input_file", file_id: "a" }) }, "input[0].content[0].type"],
    [
      "a picture by its number",
      { input: user({ type: "input_image", file_id: "a" }) },
      "input[0].content[0]",
    ],
    ["an unknown item", { input: [{ type: "computer_call" }] }, "input[0].type"],
    [
      "a picture of the assistant's",
      { input: [{ role: "assistant", content: [{ type: "input_image", image_url: image }] }] },
      "input[0].content",
    ],
    [
      "a schema that points outside",
      { text: { format: { type: "json_schema", schema: { $ref: "x" } } } },
      "text.format.schema",
    ],
    ["an unknown model", { model: "gpt-5" }, "model", 404],
  ])("%s", async (_, more, param, status = 400) => {
    const response = await served.post({ ...ask("Hello."), ...more }, {}, "/v1/responses");
    const { error } = (await response.json()) as { error: { param: string } };
    expect([response.status, error.param]).toEqual([status, param]);
  });
});
