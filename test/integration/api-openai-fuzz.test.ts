import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isObject } from "../../service/kernel/config-schema.ts";
import { ServedGateway } from "../support/api-openai.ts";
import { picture, tone } from "../support/engine-media.ts";
import { mostly, schema, words } from "../support/fuzz.ts";
import { Leaks } from "../support/leaks.ts";

/** Requests; PERCH_FUZZ sets another number. */
const RUNS = Number(process.env.PERCH_FUZZ ?? 400);

let served: ServedGateway;
beforeAll(async () => {
  served = await ServedGateway.begin();
});
afterAll(() => served.dispose());

const jpeg = `data:image/jpeg;base64,${picture().toString("base64")}`;
const part = fc.oneof(
  { weight: 20, arbitrary: fc.record({ type: fc.constant("text"), text: mostly(words) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("image_url"),
      image_url: fc.record({
        url: mostly(
          fc.constantFrom(jpeg, jpeg.slice(0, 900), "http://127.0.0.1:1/a.png", "data:image/png;base64,AAAA"),
        ),
      }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("input_audio"),
      input_audio: fc.record({
        data: mostly(fc.constantFrom(tone(440, 0.2).toString("base64"), "AAAA")),
        format: fc.constant("wav"),
      }),
    }),
  },
  { weight: 1, arbitrary: fc.jsonValue() },
);
const call = fc.record({
  id: mostly(words),
  type: fc.constant("function"),
  function: fc.record({
    name: mostly(fc.constantFrom("look", "a.b")),
    arguments: mostly(fc.oneof(fc.json(), words)),
  }),
});
const texts = fc.oneof(
  words,
  fc.array(fc.record({ type: fc.constant("text"), text: words }), { minLength: 1, maxLength: 3 }),
);
const message = fc.oneof(
  fc.record({ role: fc.constantFrom("system", "developer"), content: mostly(texts) }),
  fc.record({
    role: fc.constant("user"),
    content: mostly(fc.oneof(words, fc.array(part, { minLength: 1, maxLength: 3 }))),
    name: words,
  }),
  fc.record({ role: fc.constant("assistant"), content: mostly(fc.oneof(texts, fc.constant(null))) }),
  fc.record({
    role: fc.constant("assistant"),
    tool_calls: mostly(fc.array(call, { minLength: 1, maxLength: 2 })),
  }),
  fc.record({
    role: fc.constant("tool"),
    content: mostly(texts),
    tool_call_id: mostly(fc.constantFrom("a", "<bos>")),
  }),
);
const tool = fc.record({
  type: mostly(fc.constant("function")),
  function: fc.record(
    {
      name: mostly(fc.constantFrom("look", "listen")),
      description: words,
      parameters: mostly(schema.filter(isObject)),
    },
    { requiredKeys: ["name"] },
  ),
});
const body = fc.record(
  {
    model: mostly(fc.constant("perch")),
    messages: mostly(fc.array(message, { minLength: 1, maxLength: 4 })),
    max_tokens: fc.integer({ min: 1, max: 6 }),
    temperature: mostly(fc.double({ min: 0, max: 2, noNaN: true })),
    top_p: mostly(fc.double({ min: 0, max: 1, noNaN: true })),
    top_k: mostly(fc.nat({ max: 1e6 })),
    min_p: mostly(fc.double({ min: 0, max: 1, noNaN: true })),
    seed: mostly(fc.maxSafeInteger()),
    presence_penalty: mostly(fc.double({ min: -2, max: 2, noNaN: true })),
    stop: mostly(
      fc.array(
        words.filter((word) => word !== ""),
        { maxLength: 4 },
      ),
    ),
    stream: mostly(fc.boolean()),
    tools: mostly(fc.array(tool, { maxLength: 3 })),
    tool_choice: mostly(fc.constantFrom("auto", "none", "required")),
    parallel_tool_calls: mostly(fc.boolean()),
    response_format: mostly(
      fc.oneof(
        fc.constantFrom({ type: "text" }, { type: "json_object" }),
        fc.record({
          type: fc.constant("json_schema"),
          json_schema: fc.record({ name: words, schema: schema.filter(isObject) }),
        }),
      ),
    ),
    reasoning_effort: mostly(fc.constantFrom("none", "low")),
    mystery: fc.jsonValue(),
  },
  { requiredKeys: ["model", "messages", "max_tokens"] },
);

describe("any request", () => {
  it(
    `is answered or refused as wrong, and the engine lives (${RUNS} of them)`,
    async () => {
      const leaks = new Leaks(RUNS, () => served.engine.pid ?? 0);
      await fc.assert(
        fc.asyncProperty(
          fc.oneof({ weight: 20, arbitrary: body }, { weight: 1, arbitrary: fc.jsonValue() }),
          async (given) => {
            const response = await served.post(JSON.stringify(given) ?? "null");
            const text = await response.text();
            if (response.status !== 200) {
              expect(response.status).toBeLessThan(500);
              expect(Object.keys(JSON.parse(text).error).sort()).toEqual([
                "code",
                "message",
                "param",
                "type",
              ]);
            }
            expect(text).not.toMatch(/data: \{"error":\{"message":"(?!the model did not write)|\.gguf/);
            leaks.note();
          },
        ),
        { numRuns: RUNS, ...(process.env.PERCH_SEED && { seed: Number(process.env.PERCH_SEED) }) },
      );
      expect(await served.bench.metrics.total(served.bench.metrics.restarts)).toBe(0);
      expect(served.inference.health().detail).toEqual({ waiting: 0, underWay: 0 });
      await leaks.expectNone();
    },
    60_000 + RUNS * 200,
  );
});
