import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateObject, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CallStream } from "../../service/api/openai/call.ts";
import { ServedGateway } from "../support/api-openai.ts";

let served: ServedGateway;
beforeAll(async () => {
  served = await ServedGateway.begin();
});
afterAll(() => served.dispose());

const FEEDS = ["camera", "hall"];
/** Its parameters refer into themselves, which has to hold wherever they are put. */
const LOOK = {
  type: "object" as const,
  properties: { feed: { $ref: "#/$defs/feed" }, times: { type: "integer" as const, minimum: 1, maximum: 9 } },
  required: ["feed", "times"],
  additionalProperties: false,
  $defs: { feed: { type: "string" as const, enum: FEEDS } },
};
const look = { type: "function" as const, function: { name: "look", parameters: LOOK } };
const halt = { type: "function" as const, function: { name: "halt", description: "Stops." } };
const ask = (more: object = {}) => ({
  model: "perch",
  messages: [{ role: "user" as const, content: "Look." }],
  temperature: 0,
  max_tokens: 200,
  ...more,
});

function expectLook(text: string | undefined): void {
  const given = JSON.parse(text ?? "");
  expect(Object.keys(given)).toEqual(["feed", "times"]);
  expect(FEEDS).toContain(given.feed);
  expect(given.times).toBeGreaterThanOrEqual(1);
  expect(given.times).toBeLessThanOrEqual(9);
}

describe("the official client", () => {
  it("gets a call where one is required, and an answer to what it returned", async () => {
    const { client } = served;
    const body = ask({ tools: [look, halt], tool_choice: "required" });
    const first = await client.chat.completions.create({ ...body, stream: false });
    const [choice] = first.choices;
    expect(choice?.finish_reason).toBe("tool_calls");
    expect(choice?.message.content).toBeNull();
    const [call, ...more] = choice?.message.tool_calls ?? [];
    expect(more).toEqual([]);
    if (call?.type !== "function" || !choice) throw new Error("there is no call");
    expect(["look", "halt"]).toContain(call.function.name);
    const second = await client.chat.completions.create({
      ...ask({ tools: [look, halt] }),
      stream: false,
      messages: [
        ...body.messages,
        choice.message,
        { role: "tool", tool_call_id: call.id, content: '{"seen":"a person"}' },
      ],
    });
    expect(second.choices[0]?.message.content).not.toBe("");
    expect(second.choices[0]?.message.tool_calls).toBeUndefined();
  });

  it("runs the tool that is named, with arguments as its schema has them", async () => {
    const ran: string[] = [];
    const runner = served.client.chat.completions.runTools({
      ...ask({ tool_choice: { type: "function", function: { name: "look" } } }),
      tools: [
        {
          type: "function",
          function: {
            name: "look",
            description: "Looks.",
            parameters: LOOK,
            function: (given: string) => {
              ran.push(given);
              return "a person";
            },
          },
        },
      ],
    });
    await runner.done();
    expect(ran).toHaveLength(1);
    expectLook(ran[0]);
  });

  it("streams the same call as it gets whole", async () => {
    const body = ask({ tools: [halt, look], tool_choice: { type: "function", function: { name: "look" } } });
    const whole = await served.client.chat.completions.create({ ...body, stream: false });
    const stream = served.client.chat.completions.stream({
      ...body,
      stream_options: { include_usage: true },
    });
    let pieces = 0;
    stream.on("tool_calls.function.arguments.delta", () => {
      pieces += 1;
    });
    const message = await stream.finalMessage();
    const [streamed] = message.tool_calls ?? [];
    const [call] = whole.choices[0]?.message.tool_calls ?? [];
    if (streamed?.type !== "function" || call?.type !== "function") throw new Error("there is no call");
    expect(streamed.function.arguments).toBe(call.function.arguments);
    expectLook(streamed.function.arguments);
    expect(pieces).toBeGreaterThan(1);
    expect((await stream.totalUsage()).completion_tokens).toBe(whole.usage?.completion_tokens);
  });

  it("says where a tool asks for what cannot be held, and that a call was cut off", async () => {
    const impossible = {
      type: "function",
      function: {
        name: "look",
        parameters: { type: "object", properties: { a: { $ref: "#/nothing" } } },
      },
    };
    const refused = await served.post(ask({ tools: [impossible], tool_choice: "required" }));
    expect([refused.status, await refused.json()]).toEqual([
      400,
      { error: expect.objectContaining({ param: "tools", code: "unsupported_schema" }) },
    ]);
    const cut = await served.post(ask({ tools: [look], tool_choice: "required", max_tokens: 3 }));
    expect(await cut.json()).toMatchObject({
      choices: [{ finish_reason: "length", message: { content: expect.any(String) } }],
    });
  });
});

describe("the AI SDK", () => {
  const model = () =>
    createOpenAICompatible({
      name: "perch",
      baseURL: `${served.url}/v1`,
      apiKey: "none",
      supportsStructuredOutputs: true,
      includeUsage: true,
    })("perch");
  const short = { temperature: 0, maxOutputTokens: 12, maxRetries: 0 };

  it("writes text, whole and as a stream", async () => {
    const whole = await generateText({ model: model(), prompt: "Describe the image.", ...short });
    const stream = streamText({ model: model(), prompt: "Describe the image.", ...short });
    expect(await stream.text).toBe(whole.text);
    expect(whole.usage.outputTokens).toBe(12);
    expect((await stream.usage).outputTokens).toBe(12);
    expect(whole.response.modelId).toBe("perch@one");
    expect(whole.finishReason).toBe("length");
  });

  it("calls a tool and goes on with what it returned", async () => {
    const ran: unknown[] = [];
    const tools = {
      look: tool({
        description: "Looks.",
        inputSchema: jsonSchema<{ feed: string; times: number }>(LOOK),
        execute: async (given) => {
          ran.push(given);
          return { seen: "a person" };
        },
      }),
    };
    const result = streamText({
      model: model(),
      prompt: "Look.",
      tools,
      temperature: 0,
      maxOutputTokens: 200,
      stopWhen: stepCountIs(2),
      prepareStep: ({ stepNumber }) => ({ toolChoice: stepNumber === 0 ? "required" : "none" }),
    });
    expect(await result.text).not.toBe("");
    expect((await result.steps).map(({ finishReason }) => finishReason)[0]).toBe("tool-calls");
    expect(ran).toHaveLength(1);
    expectLook(JSON.stringify(ran[0]));
  });

  it("makes an object of a schema", async () => {
    const { object } = await generateObject({
      model: model(),
      prompt: "Who is there?",
      schema: jsonSchema<{ who: string }>({
        type: "object",
        properties: { who: { type: "string", enum: ["nobody", "somebody"] } },
        required: ["who"],
        additionalProperties: false,
      }),
      temperature: 0,
      maxOutputTokens: 100,
    });
    expect(["nobody", "somebody"]).toContain(object.who);
  });
});

describe("a stream that is held to a call", () => {
  const event = (delta: object, finish: string | null = null) =>
    `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
  const through = (text: string, size: number) => {
    const calls = new CallStream();
    const pieces = text.match(new RegExp(`[^]{1,${size}}`, "g")) ?? [];
    const told = [...pieces.map((content) => event({ content })), event({}, "stop")].map((one) =>
      calls.take(one),
    );
    const chunks = told
      .join("")
      .split("\n\n")
      .filter((one) => one !== "")
      .map((one) => JSON.parse(one.slice(6)).choices[0]);
    return {
      name: chunks.flatMap(({ delta }) => delta.tool_calls?.[0].function.name ?? []),
      arguments: chunks.map(({ delta }) => delta.tool_calls?.[0].function.arguments ?? "").join(""),
      content: chunks.map(({ delta }) => delta.content ?? "").join(""),
      finish: chunks.at(-1).finish_reason,
    };
  };
  const ARGUMENTS = String.raw`{"a": "}\"{", "b": [{"c": "\\"}], "d": {}}`;

  it.each([1, 2, 7, 1000])("finds its name and its arguments in pieces of %i characters", (size) => {
    expect(through(`\n{ "name" :"lo\\"ok", "arguments":  ${ARGUMENTS} }\n`, size)).toEqual({
      name: ['lo"ok'],
      arguments: ARGUMENTS,
      content: "",
      finish: "tool_calls",
    });
  });

  it("tells what is no call as it was said", () => {
    expect(through("Hello, nobody held me to it.", 5)).toEqual({
      name: [],
      arguments: "",
      content: "Hello, nobody held me to it.",
      finish: "stop",
    });
  });
});
