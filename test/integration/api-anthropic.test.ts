import { execFile } from "node:child_process";
import { promisify } from "node:util";
import Anthropic from "@anthropic-ai/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { counting, ServedGateway } from "../support/api-openai.ts";
import { picture } from "../support/engine-media.ts";
import { until } from "../support/until.ts";

let served: ServedGateway;
let client: Anthropic;
beforeAll(async () => {
  served = await ServedGateway.begin();
  client = new Anthropic({ baseURL: served.url, apiKey: "none", maxRetries: 0 });
});
afterAll(() => served.dispose());

const image = {
  type: "image" as const,
  source: { type: "base64" as const, media_type: "image/jpeg" as const, data: picture().toString("base64") },
};
const LOOK = {
  name: "look",
  description: "Looks.",
  input_schema: {
    type: "object" as const,
    properties: { feed: { type: "string", enum: ["camera", "hall"] } },
    required: ["feed"],
  },
};
type Content = Anthropic.MessageParam["content"];
const ask = (content: Content, more: object = {}) => ({
  model: "perch",
  max_tokens: 40,
  temperature: 0,
  messages: [{ role: "user" as const, content }],
  ...more,
});
/** Numbers, each a token by itself: it takes a while, and cannot end early. */
const numbers = (count: number, more: object = {}) => {
  const { messages, response_format } = counting(count);
  const { schema } = response_format.json_schema;
  const output_config = { format: { type: "json_schema" as const, schema } };
  return ask(messages[0]?.content ?? "", { max_tokens: 900, output_config, ...more });
};
const textOf = ({ content }: Anthropic.Message): string =>
  content.map((block) => (block.type === "text" ? block.text : "")).join("");

describe("the official client", () => {
  it("gets a message, with what it took and which level answered", async () => {
    const { data, response } = await client.messages
      .create(ask([image, { type: "text", text: "Describe the image." }], { system: "Be brief." }))
      .withResponse();
    expect(data).toMatchObject({
      type: "message",
      role: "assistant",
      model: "perch@one",
      stop_reason: "end_turn",
      stop_sequence: null,
      content: [{ type: "text", text: expect.stringMatching(/^\{"/) }],
    });
    const { input_tokens, cache_read_input_tokens, output_tokens } = data.usage;
    expect(input_tokens + (cache_read_input_tokens ?? 0)).toBeGreaterThan(25);
    expect(output_tokens).toBeGreaterThan(5);
    expect(response.headers.get("x-perch-level")).toBe("one");
  });

  it("streams the same text as it gets whole, in the events that its own reader puts together", async () => {
    const body = numbers(20);
    const whole = await client.messages.create(body);
    const stream = client.messages.stream(body);
    const types: string[] = [];
    stream.on("streamEvent", ({ type }) => {
      if (types.at(-1) !== type) types.push(type);
    });
    const final = await stream.finalMessage();
    expect(types).toEqual([
      "message_start",
      "content_block_start",
      "content_block_delta",
      "content_block_stop",
      "message_delta",
      "message_stop",
    ]);
    expect(JSON.parse(textOf(final))).toHaveLength(20);
    expect(textOf(final)).toBe(textOf(whole));
    expect(final.usage.output_tokens).toBe(whole.usage.output_tokens);
    expect(final.usage.input_tokens + (final.usage.cache_read_input_tokens ?? 0)).toBe(
      whole.usage.input_tokens + (whole.usage.cache_read_input_tokens ?? 0),
    );
  });

  it("is told which stop ended an answer, and where it was cut off", async () => {
    const stopped = await client.messages.create(numbers(20, { stop_sequences: ["zzz", ","] }));
    expect(stopped).toMatchObject({ stop_reason: "stop_sequence", stop_sequence: "," });
    const ended = await client.messages.create(numbers(2, { stop_sequences: ["zzz"] }));
    expect(ended).toMatchObject({ stop_reason: "end_turn", stop_sequence: null });
    const cut = await client.messages.create(numbers(20, { max_tokens: 5 }));
    expect(cut.stop_reason).toBe("max_tokens");
  });

  it.each([{ type: "any" }, { type: "tool", name: "look" }] as const)(
    "uses a tool ($type) and goes on with what it returned",
    async (tool_choice) => {
      const body = ask("Look.", { tools: [LOOK], tool_choice, max_tokens: 200 });
      const whole = await client.messages.create(body);
      const streamed = await client.messages.stream(body).finalMessage();
      for (const { stop_reason, content } of [whole, streamed]) {
        expect(stop_reason).toBe("tool_use");
        expect(content).toEqual([
          { type: "tool_use", id: expect.any(String), name: "look", input: { feed: expect.any(String) } },
        ]);
      }
      const [use] = whole.content;
      if (use?.type !== "tool_use") throw new Error("no tool is used");
      const next = await client.messages.create({
        ...ask(""),
        messages: [
          ...body.messages,
          { role: "assistant", content: whole.content },
          {
            role: "user",
            content: [
              { type: "tool_result", tool_use_id: use.id, content: [{ type: "text", text: "This." }, image] },
              { type: "text", text: "Describe the image." },
            ],
          },
        ],
      });
      expect(textOf(next)).not.toBe("");
    },
  );

  it("counts tokens as an answer does, pictures too", async () => {
    const content: Content = [image, { type: "text", text: "Describe the image." }];
    const { max_tokens: _max, temperature: _temperature, ...asked } = ask(content, { system: "Be brief." });
    const counted = await client.messages.countTokens(asked);
    const { usage } = await client.messages.create(ask(content, { system: "Be brief." }));
    expect(counted.input_tokens).toBe(usage.input_tokens + (usage.cache_read_input_tokens ?? 0));
    const input = { model: "perch", instructions: "Be brief.", input: "Hello." };
    const here = await served.client.responses.inputTokens.count(input);
    const given = await served.client.responses.create({ ...input, max_output_tokens: 1 });
    expect(here).toEqual({ object: "response.input_tokens", input_tokens: given.usage?.input_tokens });
  });

  it("that goes away frees its slot", async () => {
    const stream = await client.messages.create({ ...numbers(290), stream: true });
    for await (const { type } of stream) if (type === "content_block_delta") break;
    await until(() => served.inference.health().detail?.underWay === 0);
  });

  it("is told in its stream when the engine fails under it, and is answered again", async () => {
    const stream = await client.messages.create({ ...numbers(290), stream: true });
    const read = (async () => {
      for await (const { type } of stream)
        if (type === "content_block_delta") process.kill(served.made[0]?.pid ?? 0, "SIGKILL");
    })();
    await expect(read).rejects.toMatchObject({ type: "overloaded_error" });
    expect(textOf(await client.messages.create(ask("Hello.")))).not.toBe("");
  });
});

it("curl gets a stream", async () => {
  const { stdout } = await promisify(execFile)("curl", [
    ...["-sN", `${served.url}/v1/messages`, "-H", "content-type: application/json"],
    ...["-H", "anthropic-version: 2023-06-01", "-d", JSON.stringify({ ...numbers(3), stream: true })],
  ]);
  const events = stdout.split("\n\n").filter((event) => event !== "");
  expect(events[0]).toMatch(/^event: message_start\ndata: \{"type":"message_start"/);
  expect(events.at(-1)).toBe('event: message_stop\ndata: {"type":"message_stop"}');
});

describe("what is not taken is told in Anthropic's form", () => {
  const user = (...content: object[]) => ({ messages: [{ role: "user", content }] });
  it.each<[string, object, string, RegExp, number?]>([
    ["no max_tokens", { max_tokens: null }, "invalid_request_error", /max_tokens is missing/],
    [
      "an address",
      user({ type: "image", source: { type: "url", url: "http://127.0.0.1/a" } }),
      "invalid_request_error",
      /^messages\[0\]\.content\[0\]\.source: nothing is fetched/,
    ],
    ["a document", user({ type: "document" }), "invalid_request_error", /type must be one of text, image/],
    [
      "no picture",
      user({ ...image, source: { ...image.source, data: "AAAA" } }),
      "invalid_request_error",
      /^messages\[0\]\.content\[0\]\.source\.data: /,
    ],
    [
      "a tool of Anthropic's",
      { tools: [{ type: "web_search_20250305", name: "web_search" }] },
      "invalid_request_error",
      /^tools\[0\]\.type: web_search/,
    ],
    [
      "a tool that is not there",
      { tools: [LOOK], tool_choice: { type: "tool", name: "x" } },
      "invalid_request_error",
      /tool_choice/,
    ],
    [
      "a schema that points outside",
      { output_config: { format: { type: "json_schema", schema: { $ref: "x" } } } },
      "invalid_request_error",
      /^output_config\.format/,
    ],
    ["an unknown model", { model: "claude-sonnet-4-5" }, "not_found_error", /there is no model/, 404],
    [
      "a use of a tool by the user",
      user({ type: "tool_use", id: "a", name: "look", input: {} }),
      "invalid_request_error",
      /holds no tool_use/,
    ],
    [
      "too many tokens",
      user({ type: "text", text: "word ".repeat(5_000) }),
      "invalid_request_error",
      /tokens, and the level that runs takes/,
    ],
  ])("%s", async (_, more, type, says, status = 400) => {
    const response = await served.post({ ...ask("Hello."), ...more }, {}, "/v1/messages");
    expect([response.status, await response.json()]).toEqual([
      status,
      { type: "error", error: { type, message: expect.stringMatching(says) } },
    ]);
  });

  it("nor is what is no JSON", async () => {
    const response = await served.post("{", {}, "/v1/messages");
    expect(await response.json()).toMatchObject({ type: "error", error: { type: "invalid_request_error" } });
  });
});
