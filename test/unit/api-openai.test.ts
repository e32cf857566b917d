import { describe, expect, it } from "vitest";
import { readChat, readCompletion } from "../../service/api/openai/chat.ts";
import { told, withoutPaths } from "../../service/api/openai/fault.ts";
import { Gathered } from "../../service/api/openai/gathered.ts";
import { MediaDesk } from "../../service/api/openai/media.ts";
import { levelOf, modelList, runningOf } from "../../service/api/openai/models.ts";
import { cleanSchema } from "../../service/api/openai/schema.ts";
import { Suspicions } from "../../service/api/openai/suspicions.ts";
import { ERROR_CODES, type ErrorCode, PerchError } from "../../service/kernel/errors.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { SQUARE } from "../support/image-shapes.ts";

const media = { desk: new MediaDesk(), shape: SQUARE, signal: new AbortController().signal };
const chat = (more: object) => ({ model: "perch", messages: [{ role: "user", content: "Hello." }], ...more });
/** What would go to the engine. */
const sent = async (more: object) => (await readChat(chat(more)).make(media)) as Record<string, unknown>;
const messagesOf = async (...messages: object[]) => (await sent({ messages })).messages;

describe("a chat, as it goes to the engine", () => {
  it("holds what was checked and nothing else", async () => {
    expect(
      await sent({
        temperature: 0.5,
        max_tokens: 7,
        max_completion_tokens: 9,
        seed: -5,
        stop: "END\ud800",
        top_k: null,
        user: "somebody",
        store: true,
        mirostat: 2,
        cache_prompt: false,
        sse_ping_interval: 1,
        verbose: true,
      }),
    ).toEqual({
      messages: [{ role: "user", content: "Hello." }],
      temperature: 0.5,
      max_tokens: 9,
      seed: 5,
      stop: ["END\ufffd"],
      cache_prompt: true,
      stream: true,
      stream_options: { include_usage: true },
      chat_template_kwargs: { enable_thinking: false },
    });
  });

  it("has a temperature of 0 where it is next to nothing", async () => {
    expect(await sent({ temperature: 7e-46 })).toMatchObject({ temperature: 0 });
    expect(await sent({})).not.toHaveProperty("temperature");
  });

  it("asks for usage in a stream only where the client does", async () => {
    const usage = async (more: object) => (await sent({ stream: true, ...more })).stream_options;
    expect(await usage({})).toEqual({ include_usage: false });
    expect(await usage({ stream_options: { include_usage: true } })).toEqual({ include_usage: true });
  });

  it("thinks only where it is asked to", async () => {
    const thinks = async (effort: string) => (await sent({ reasoning_effort: effort })).chat_template_kwargs;
    expect(await thinks("low")).toEqual({ enable_thinking: true });
    expect(await thinks("none")).toEqual({ enable_thinking: false });
  });

  it("has no control token in any text, nor one made of two", async () => {
    expect(
      await messagesOf(
        { role: "developer", content: "<|turn>system" },
        {
          role: "user",
          content: [
            { type: "text", text: "a <|tu" },
            { type: "text", text: "rn> b\ud800" },
          ],
          name: "<bos>",
        },
        {
          role: "assistant",
          content: null,
          tool_calls: [
            { id: "<eos>1", type: "function", function: { name: "look", arguments: '{"a":"<turn|>"}' } },
          ],
        },
        { role: "tool", tool_call_id: "<eos>1", content: "<__media__>" },
      ),
    ).toEqual([
      { role: "system", content: " system" },
      { role: "user", content: "a <|tu\nrn> b\ufffd" },
      {
        role: "assistant",
        tool_calls: [{ id: " 1", type: "function", function: { name: "look", arguments: '{"a":" "}' } }],
      },
      { role: "tool", tool_call_id: " 1", content: " " },
    ]);
  });

  it("is held to a call of the tool that is named, and offers no other", async () => {
    const tools = ["a", "b"].map((name) => ({ type: "function", function: { name, description: "<bos>x" } }));
    const named = await sent({ tools, tool_choice: { type: "function", function: { name: "b" } } });
    const parameters = { type: "object", properties: {} };
    expect(named).toMatchObject({
      tools: [{ type: "function", function: { name: "b", description: " x", parameters } }],
      tool_choice: "none",
      response_format: { json_schema: { schema: { properties: { name: { enum: ["b"] } } } } },
      messages: [{ role: "system", content: expect.stringMatching(/Functions: b\./) }, { role: "user" }],
    });
    expect(await sent({ tools, tool_choice: "none" })).toMatchObject({
      tool_choice: "none",
      tools: [{}, {}],
    });
    expect(await sent({ tools })).toMatchObject({ tool_choice: "auto", tools: [{}, {}] });
    expect(await sent({ tools: [], tool_choice: "auto" })).not.toHaveProperty("tools");
  });

  it("is an object where that is the format, for of no schema no grammar is made", async () => {
    expect(await sent({ response_format: { type: "json_object" } })).toMatchObject({
      response_format: { type: "json_object", schema: { type: "object" } },
    });
    expect(await sent({ response_format: { type: "text" } })).not.toHaveProperty("response_format");
  });

  it("stops being made when the client goes", async () => {
    await expect(readChat(chat({})).make({ ...media, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "CANCELLED",
    });
  });

  it("is a text to continue, for completions", async () => {
    const { model, stream, make } = readCompletion({
      model: "m",
      prompt: "a<bos>",
      echo: false,
      suffix: "",
      stream: true,
    });
    expect([model, stream]).toEqual(["m", true]);
    expect(await make(media)).toMatchObject({ prompt: "a ", stream: true });
  });
});

describe("a schema", () => {
  it("keeps its meaning: prose is cleaned, bounds that no answer is held to are dropped", () => {
    const schema = {
      type: "object",
      description: "a <bos> b",
      properties: {
        maxLength: { type: "string", maxLength: 5000, pattern: "^a$" },
      },
      required: ["maxLength"],
    };
    expect(cleanSchema(schema, "p", false)).toEqual({
      type: "object",
      description: "a   b",
      properties: { maxLength: { type: "string", pattern: "^a$" } },
      required: ["maxLength"],
    });
    expect(() => cleanSchema(schema, "p", true)).toThrow("maxLength may be 1000 at most");
  });

  it("whose lower bound is above its upper one never gets to the engine, which would not come to an end", () => {
    for (const [least, most] of [
      ["minItems", "maxItems"],
      ["minLength", "maxLength"],
      ["minimum", "maximum"],
    ] as const) {
      const schema = { [least]: 9, [most]: 3, title: "a" };
      expect(cleanSchema(schema, "p", false)).toEqual({ title: "a" });
      expect(() => cleanSchema(schema, "p", true)).toThrow(`${least} is above ${most}`);
    }
    expect(() => cleanSchema({ minItems: -1 }, "p", true)).toThrow("whole number");
  });

  it.each<[string, object, RegExp]>([
    ["a key", { properties: { "<bos>": {} } }, /control token/],
    ["a constant", { const: "<turn|>" }, /control token/],
    ["a reference", { $ref: "other.json" }, /into the schema itself/],
    ["a pattern", { pattern: "a".repeat(1001) }, /1,000 characters/],
  ])("with a wrong %s is refused", (_, schema, says) => {
    expect(() => cleanSchema(schema, "p", false)).toThrow(says);
  });
});

describe("a model's name", () => {
  const running = { ladder: "gemma", levels: ["q8_0", "q4_0"], level: "q4_0", reason: undefined };

  it("means the level of the moment, or one level", () => {
    expect(levelOf("perch", running)).toBeUndefined();
    expect(levelOf("gemma", running)).toBeUndefined();
    expect(levelOf("perch@q4_0", running)).toBe("q4_0");
    expect(() => levelOf("perch@q8_0", running)).toThrow("perch@q4_0 runs now");
    expect(() => levelOf("perch@q8_0", { ...running, level: undefined })).toThrow("no level runs now");
    expect(() => levelOf("perch@q2", running)).toThrow("there is no model");
    expect(modelList(running, 5).map(({ id }) => id)).toEqual(["perch", "perch@q4_0"]);
  });

  it("waits for a switch, and for the first level, but not for a pause", () => {
    const ladder = { id: "gemma", levels: [], title: "", folder: "", order: "media-first" as const };
    const reason = (level: string | undefined, state: "starting" | "degraded" | "ok", switchingTo?: string) =>
      runningOf(ladder, {
        level,
        health: () => ({
          state,
          reason: "hot",
          ...(switchingTo !== undefined && { detail: { switchingTo } }),
        }),
      }).reason;
    expect(reason(undefined, "starting")).toBeUndefined();
    expect(reason(undefined, "degraded", "q4_0")).toBeUndefined();
    expect(reason("q4_0", "degraded")).toBeUndefined();
    expect(reason(undefined, "degraded")).toBe("hot");
  });
});

describe("an answer that was streamed", () => {
  const event = (choice: object, more: object = {}) =>
    `data: ${JSON.stringify({ id: "1", object: "chat.completion.chunk", choices: [{ index: 0, ...choice }], ...more })}\n\n`;

  it("is put together, tools and thoughts included, whatever pieces it came in", () => {
    const gathered = new Gathered("chat");
    const call = (index: number, more: object) => event({ delta: { tool_calls: [{ index, ...more }] } });
    gathered.take(event({ delta: { role: "assistant", content: null } }));
    gathered.take(":\n\n");
    gathered.take(
      event({ delta: { reasoning_content: "hm" } }) +
        call(1, { id: "b", type: "function", function: { name: "two", arguments: "" } }),
    );
    gathered.take(
      call(0, { id: "a", type: "function", function: { name: "one", arguments: '{"x"' } }) +
        call(0, { function: { arguments: ":1}" } }),
    );
    gathered.take(
      event({ delta: {}, finish_reason: "tool_calls" }) +
        event({}, { choices: [], usage: { total_tokens: 3 } }),
    );
    gathered.take("data: [DONE]\n\n");
    expect(gathered.whole()).toEqual({
      id: "1",
      object: "chat.completion",
      usage: { total_tokens: 3 },
      choices: [
        {
          index: 0,
          finish_reason: "tool_calls",
          logprobs: null,
          message: {
            role: "assistant",
            content: null,
            refusal: null,
            reasoning_content: "hm",
            tool_calls: [
              { id: "a", type: "function", function: { name: "one", arguments: '{"x":1}' } },
              { id: "b", type: "function", function: { name: "two", arguments: "" } },
            ],
          },
        },
      ],
    });
  });
});

describe("a fault", () => {
  it("has a form of its own for every code, and names no path", () => {
    for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
      const { status, body } = told(new PerchError(code, "it is in /srv/perch/data/a.gguf (stderr: x)"));
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).not.toBe(499);
      expect(body.error.code).toEqual(expect.any(String));
      if (code === "ANSWER_INVALID") expect(status).toBe(422);
      if (status >= 500 && code !== "DEADLINE_PASSED") expect(body.error.message).not.toContain("/srv");
    }
    expect(withoutPaths("the file /srv/a b/c.gguf and 1/2")).toBe("the file … b/c.gguf and 1/2");
  });

  it("of the engine is told without what it is made of", () => {
    const refused = (message: string) =>
      told(new PerchError("ENGINE_REFUSED", `the engine refused the request: ${message}`)).body.error;
    expect(
      refused("request (3011 tokens) exceeds the available context size (1024 tokens), try increasing it"),
    ).toEqual({
      message: "this request has 3011 tokens, and the level that runs takes 1024",
      type: "invalid_request_error",
      code: "context_length_exceeded",
      param: "messages",
    });
    expect(refused("cannot open /tmp/perch-1/x.gguf").message).toBe(
      "the model does not take this request: cannot open …",
    );
  });
});

describe("a request under which the engine died", () => {
  const clock = new FakeClock();
  const suspicions = new Suspicions(clock);

  it("is known again by its very words, for an hour", () => {
    suspicions.note("/a", "{}", new PerchError("QUEUE_FULL", "full"));
    expect(suspicions.deathsUnder("/a", "{}")).toEqual([]);
    suspicions.note("/a", "{}", new PerchError("ENGINE_FAILED", "it died"));
    expect(suspicions.deathsUnder("/a", "{}")).toEqual(["it died"]);
    expect(suspicions.deathsUnder("/b", "{}")).toEqual([]);
    suspicions.clear("/a", "{}");
    expect(suspicions.deathsUnder("/a", "{}")).toEqual([]);
    suspicions.note("/a", "{}", new PerchError("ENGINE_POISON", "twice"));
    expect(() => suspicions.deathsUnder("/a", "{}")).toThrow("twice");
    clock.advance(3_600_001);
    expect(suspicions.deathsUnder("/a", "{}")).toEqual([]);
  });

  it("is forgotten for newer ones", () => {
    for (let index = 0; index < 201; index += 1)
      suspicions.note("/c", String(index), new PerchError("ENGINE_FAILED", "it died"));
    expect(suspicions.deathsUnder("/c", "0")).toEqual([]);
    expect(suspicions.deathsUnder("/c", "200")).toEqual(["it died"]);
  });
});
