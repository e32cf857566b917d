import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isObject } from "../../service/kernel/config-schema.ts";
import { ServedGateway } from "../support/api-openai.ts";
import { picture, tone } from "../support/engine-media.ts";
import { mostly, schema, words } from "../support/fuzz.ts";
import { Leaks } from "../support/leaks.ts";

/** Requests of each kind; PERCH_FUZZ sets another number. */
const RUNS = Math.ceil(Number(process.env.PERCH_FUZZ ?? 400) / 4);

let served: ServedGateway;
beforeAll(async () => {
  served = await ServedGateway.begin();
});
afterAll(() => served.dispose());

const object = schema.filter(isObject);
const rarely = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(mostly(arbitrary), { nil: null, freq: 1 });
const base64 = picture().toString("base64");
const id = fc.constantFrom("a", "<bos>", "");
const name = fc.constantFrom("look", "a.b", "<x>");
const short = { model: mostly(fc.constant("perch")), stream: mostly(fc.boolean()) };

const part = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({ type: fc.constantFrom("input_text", "output_text"), text: mostly(words) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("input_image"),
      image_url: mostly(fc.constantFrom(`data:image/jpeg;base64,${base64}`, "http://127.0.0.1:1/a.png")),
    }),
  },
  { weight: 1, arbitrary: fc.jsonValue() },
);
const content = mostly(fc.oneof(words, fc.array(part, { maxLength: 3 })));
const item = fc.oneof(
  fc.record({ role: fc.constantFrom("user", "assistant", "system", "developer"), content }),
  fc.record({ type: fc.constant("function_call"), call_id: id, name, arguments: mostly(fc.json()) }),
  fc.record({ type: fc.constant("function_call_output"), call_id: id, output: content }),
  fc.record({ type: mostly(fc.constantFrom("reasoning", "item_reference")) }),
);
const response = fc.record({
  ...short,
  input: mostly(fc.oneof(words, fc.array(item, { maxLength: 4 }))),
  instructions: rarely(words),
  max_output_tokens: fc.integer({ min: 1, max: 6 }),
  temperature: rarely(fc.double({ min: 0, max: 2, noNaN: true })),
  tools: rarely(
    fc.array(fc.record({ type: mostly(fc.constant("function")), name, parameters: mostly(object) }), {
      maxLength: 2,
    }),
  ),
  tool_choice: rarely(fc.oneof(fc.constantFrom("auto", "none", "required"), fc.record({ type: name, name }))),
  text: rarely(
    fc.record({
      format: mostly(fc.record({ type: fc.constantFrom("json_schema", "json_object"), schema: object })),
    }),
  ),
  store: rarely(fc.boolean()),
});

const block = fc.oneof(
  { weight: 9, arbitrary: fc.record({ type: fc.constant("text"), text: mostly(words) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("image"),
      source: mostly(
        fc.record({
          type: fc.constantFrom("base64", "url"),
          media_type: mostly(fc.constant("image/png")),
          data: mostly(fc.constant(base64)),
        }),
      ),
    }),
  },
  fc.record({
    type: fc.constant("tool_use"),
    id,
    name,
    input: mostly(fc.dictionary(words, fc.jsonValue(), { maxKeys: 2 })),
  }),
  fc.record({
    type: fc.constant("tool_result"),
    tool_use_id: id,
    content: mostly(words),
    is_error: mostly(fc.boolean()),
  }),
  fc.record({ type: mostly(fc.constantFrom("thinking", "document")) }),
);
const message = fc.record({
  ...short,
  max_tokens: fc.integer({ min: 1, max: 6 }),
  messages: mostly(
    fc.array(
      fc.record({
        role: mostly(fc.constantFrom("user", "assistant")),
        content: mostly(fc.oneof(words, fc.array(block, { maxLength: 3 }))),
      }),
      { minLength: 1, maxLength: 4 },
    ),
  ),
  system: rarely(words),
  stop_sequences: rarely(fc.array(words, { maxLength: 3 })),
  tools: rarely(fc.array(fc.record({ name, input_schema: mostly(object) }), { maxLength: 2 })),
  tool_choice: rarely(fc.record({ type: fc.constantFrom("auto", "any", "tool", "none"), name })),
  thinking: rarely(fc.record({ type: fc.constantFrom("enabled", "disabled"), budget_tokens: fc.nat() })),
});

/** A form, as it should be or not, cut off or not. */
const form = fc
  .tuple(
    fc.array(
      fc.record({
        name: fc.constantFrom(
          "file",
          "model",
          "language",
          "response_format",
          "stream",
          "temperature",
          "prompt",
          "x[]",
        ),
        value: fc.oneof(fc.constantFrom("perch", "en", "vtt", "true", "0.5"), words),
      }),
      { maxLength: 5 },
    ),
    fc.option(fc.oneof(fc.constant(tone(440, 0.2)), fc.uint8Array({ maxLength: 300 }))),
    fc.option(fc.nat({ max: 400 }), { freq: 2 }),
  )
  .map(([fields, file, cut]) => {
    const line = (disposition: string) => `--x\r\ncontent-disposition: form-data; ${disposition}\r\n\r\n`;
    const pieces = fields.map((field) => Buffer.from(`${line(`name="${field.name}"`)}${field.value}\r\n`));
    const sound = file
      ? [Buffer.from(line('name="file"; filename="a"')), Buffer.from(file), Buffer.from("\r\n")]
      : [];
    return Buffer.concat([...pieces, ...sound, Buffer.from("--x--\r\n")]).subarray(0, cut ?? undefined);
  });

describe("any request in other words", () => {
  const enginePid = () => served.engine.pid ?? 0;
  const judge = async (given: Response, keys: readonly string[]) => {
    const text = await given.text();
    expect(text).not.toMatch(/\.gguf|went wrong in Perch/);
    if (given.status === 200) return;
    expect(given.status).toBeLessThan(500);
    expect(Object.keys(JSON.parse(text).error).toSorted()).toEqual(keys);
  };
  const OPENAI = ["code", "message", "param", "type"];
  const seed = process.env.PERCH_SEED ? { seed: Number(process.env.PERCH_SEED) } : {};

  it.each([
    ["/v1/responses", response, OPENAI],
    ["/v1/messages", message, ["message", "type"]],
  ] as const)(
    `%s: is answered or refused as wrong, and the engine lives (${RUNS} of them)`,
    async (path, body, keys) => {
      const leaks = new Leaks(RUNS, enginePid);
      await fc.assert(
        fc.asyncProperty(
          fc.oneof(
            { weight: 20, arbitrary: body as fc.Arbitrary<unknown> },
            { weight: 1, arbitrary: fc.jsonValue() },
          ),
          async (given) => {
            await judge(await served.post(JSON.stringify(given) ?? "null", {}, path), keys);
            leaks.note();
          },
        ),
        { numRuns: RUNS, ...seed },
      );
      expect(await served.bench.metrics.total(served.bench.metrics.restarts)).toBe(0);
      expect(served.inference.health().detail).toEqual({ waiting: 0, underWay: 0 });
      await leaks.expectNone();
    },
    60_000 + RUNS * 200,
  );

  it(
    `a form is answered or refused as wrong (${RUNS} of them)`,
    async () => {
      const headers = { "content-type": "multipart/form-data; boundary=x" };
      const leaks = new Leaks(RUNS, enginePid);
      await fc.assert(
        fc.asyncProperty(form, async (given) => {
          await judge(await served.post(given, headers, "/v1/audio/transcriptions"), OPENAI);
          leaks.note();
        }),
        { numRuns: RUNS, ...seed },
      );
      expect(await served.bench.metrics.total(served.bench.metrics.restarts)).toBe(0);
      await leaks.expectNone();
    },
    60_000 + RUNS * 200,
  );
});
