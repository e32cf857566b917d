import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AnswerSchema } from "../../service/contract/answer.ts";
import type { RawRequest } from "../../service/inference/engine.ts";
import { RemoteAnswer } from "../../service/inference/remote-answer.ts";
import { EventReader } from "../../service/inference/remote-events.ts";
import { saidIn, statusFault, waitOf } from "../../service/inference/remote-fault.ts";
import { modelIn } from "../../service/inference/remote-probe.ts";
import { needsOf, promptBody, rawBody } from "../../service/inference/remote-request.ts";

const STRICT = { model: "m", llama: false, template: false };
const LLAMA = { model: "m", llama: true, template: true };

describe("the reader of events", () => {
  it("gives the same events however the stream is cut and its lines end", () => {
    const datum = fc.string({ unit: "grapheme", maxLength: 20 }).map((text) => JSON.stringify({ text }));
    const end = fc.constantFrom("\n", "\r\n", "\r");
    fc.assert(
      fc.property(fc.array(datum), end, fc.array(fc.nat(400), { maxLength: 30 }), (data, line, cuts) => {
        const stream = data
          .map((one) => `event: x${line}data: ${one}${line}${line}: ping${line}${line}`)
          .join("");
        const places = [...new Set(cuts.filter((at) => at < stream.length))].sort((a, b) => a - b);
        const reader = new EventReader();
        const read = [...places, stream.length].flatMap((to, index) =>
          reader.push(stream.slice(places[index - 1] ?? 0, to)),
        );
        // Of a lone \r at the very end nobody knows whether its \n still comes.
        expect(line === "\r" ? [...read, ...reader.push(" ")] : read).toEqual(data);
      }),
    );
  });

  it("takes data of several lines as one, and none where there is none", () => {
    const reader = new EventReader();
    expect(reader.push('data:{"a":\ndata: 1}\n\nevent: end\n\n')).toEqual(['{"a":\n1}']);
  });

  it("throws before an event fills the memory", () => {
    const reader = new EventReader();
    const push = () => {
      for (let count = 0; count < 100; count += 1) reader.push(`data: ${"x".repeat(100_000)}\n`);
    };
    expect(push).toThrow(/too long/);
  });
});

describe("an answer's account", () => {
  it("is by the server's usage and the clock here", () => {
    const answer = new RemoteAnswer({ asked: 100, keep: true, usage: false });
    answer.push('data: {"choices":[{"delta":{"content":"```json\\n{}"}}]}\n\n', 150);
    answer.push('data: {"choices":[{"delta":{"content":"\\n```"},"finish_reason":"stop"}]}\n\n', 180);
    const last = 'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4}}\n\ndata: [DONE]\n\n';
    expect(answer.push(last, 190)).toBe("data: [DONE]\n\n");
    expect(answer.complete).toBe(true);
    expect(answer.reply(200)).toEqual({
      text: "{}",
      tokens: { prompt: 9, cached: 0, answer: 4 },
      prompt: 50,
      decode: 50,
    });
  });

  it("is none where the stream ends before the answer does", () => {
    const answer = new RemoteAnswer({ asked: 0, keep: true, usage: false });
    answer.push('data: {"choices":[{"delta":{"content":"I"}}]}\n\n', 1);
    expect(() => answer.reply(2)).toThrow(/ended in the middle/);
  });
});

describe("a status", () => {
  it.each([
    [301, "denied", "ENGINE_UNAVAILABLE"],
    [400, "refused", "ENGINE_REFUSED"],
    [401, "denied", "ENGINE_UNAVAILABLE"],
    [404, "denied", "ENGINE_UNAVAILABLE"],
    [413, "refused", "ENGINE_REFUSED"],
    [422, "refused", "ENGINE_REFUSED"],
    [429, "busy", "ENGINE_UNAVAILABLE"],
    [500, "broken", "ENGINE_FAILED"],
    [501, "cannot", "ENGINE_REFUSED"],
    [502, "broken", "ENGINE_FAILED"],
    [503, "busy", "ENGINE_UNAVAILABLE"],
    [504, "broken", "ENGINE_FAILED"],
    [529, "busy", "ENGINE_UNAVAILABLE"],
  ] as const)("%i is %s", (status, kind, code) => {
    expect(statusFault(status, "", undefined, 0)).toMatchObject({ kind, code });
  });

  it("has a time to wait, in seconds or as a date, of five minutes at most", () => {
    expect(statusFault(429, "", "7", 0).more.wait).toBe(7_000);
    const now = Date.parse("2026-11-01T10:00:00Z");
    expect(waitOf("Sun, 01 Nov 2026 10:00:20 GMT", now)).toBe(20_000);
    expect(waitOf("Sun, 01 Nov 2026 09:00:00 GMT", now)).toBe(0);
    expect(waitOf("999999", now)).toBe(300_000);
    for (const none of [undefined, "soon", "-"]) expect(waitOf(none, now)).toBeUndefined();
  });

  it.each([
    ['{"error":{"message":"a"}}', "a"],
    ['{"error":"b"}', "b"],
    ['{"object":"error","message":"c"}', "c"],
    ['{"detail":"Not Found"}', "Not Found"],
    ["plain\u001b[31m\ntext", "plain [31m text"],
    ["<!DOCTYPE html><html>", ""],
    ["null", "null"],
  ])("of %j says %j", (text, said) => {
    expect(saidIn(text)).toBe(said);
  });
});

describe("a server's list of models", () => {
  const list = JSON.stringify({
    data: [{ id: "a", owned_by: "vllm" }, { id: "b", owned_by: "llamacpp" }, 7],
  });
  it("gives the wanted one, or the first", () => {
    expect(modelIn(list, undefined)).toEqual({ model: "a", llama: false });
    expect(modelIn(list, "b")).toEqual({ model: "b", llama: true });
  });

  it.each([
    [list, "c", /no model c, but a, b/],
    ["{}", undefined, /lists no model/],
    ["<html>", undefined, /lists no model/],
    ['{"data":[null,{"id":"a\\nb"}]}', undefined, /lists no model/],
  ])("that has none is told: %j", (text, wanted, why) => {
    expect(() => modelIn(text, wanted)).toThrow(why);
  });
});

describe("a request", () => {
  const schema: AnswerSchema = {
    light: { type: "enum", values: ["red", "green"] },
    count: { type: "integer", minimum: 0, maximum: 9 },
    note: { type: "string", maxLength: 400 },
  };

  it("for llama-server has the grammar, for others the schema and no field of llama-server's", () => {
    const own = JSON.parse(promptBody({ question: "?", schema }, "question-first", LLAMA));
    expect(own).toMatchObject({ model: "m", stream: true, cache_prompt: true, grammar: expect.any(String) });
    expect(own).not.toHaveProperty("response_format");
    const plain = JSON.parse(promptBody({ question: "?", schema }, "question-first", STRICT));
    expect(Object.keys(plain).toSorted()).toEqual(
      [
        "max_tokens",
        "messages",
        "model",
        "response_format",
        "stream",
        "stream_options",
        "temperature",
      ].toSorted(),
    );
    expect(plain.max_tokens).toBeLessThanOrEqual(4096);
    expect(plain.response_format.json_schema.schema).toEqual({
      type: "object",
      properties: {
        light: { type: "string", enum: ["red", "green"] },
        count: { type: "integer", minimum: 0, maximum: 9 },
        note: { type: "string", maxLength: 400 },
      },
      required: ["light", "count", "note"],
      additionalProperties: false,
    });
  });

  it("of the gateway names the server's model, and asks for an account that its client may not want", () => {
    const given = { messages: [], cache_prompt: true, response_format: { type: "json_object", schema: {} } };
    const { body, usage } = rawBody(JSON.stringify(given), STRICT);
    expect(usage).toBe(false);
    expect(JSON.parse(body)).toEqual({
      model: "m",
      messages: [],
      stream: true,
      stream_options: { include_usage: true },
      response_format: { type: "json_object" },
    });
  });

  it("says what it needs of a server", () => {
    const raw = (fields: object): RawRequest => ({
      path: "/v1/chat/completions",
      body: JSON.stringify(fields),
      sink: { begun: false, begin: () => undefined, take: () => undefined },
    });
    const parts = [{ type: "text" }, { type: "image_url" }, { type: "input_audio" }];
    const needs = (fields: object) => [...needsOf(raw(fields))];
    expect(needs({ messages: [{ content: "image_url" }] })).toEqual([]);
    expect(needs({ messages: [{ content: parts }] })).toEqual(["image", "audio"]);
    expect(needs({ messages: [], response_format: { type: "json_schema" } })).toEqual(["schema"]);
    expect(needs({ messages: [], response_format: { type: "text" } })).toEqual([]);
    expect(needs({ messages: [], tools: [{}] })).toEqual(["tools"]);
    expect(needs({ messages: [], tools: [{}], tool_choice: "none" })).toEqual([]);
    expect([...needsOf({ question: "?", schema, images: [] })]).toEqual(["schema"]);
  });
});
