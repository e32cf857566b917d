import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AnswerField, AnswerSchema } from "../../service/contract/answer.ts";
import { PerchError } from "../../service/kernel/errors.ts";
import { compileCondition, isFieldName } from "../../service/watch/condition.ts";
import { parseAnswer } from "../../service/watch/parse-answer.ts";
import { uuidv7 } from "../../service/watch/uuid.ts";

const SCHEMA: AnswerSchema = {
  person: { type: "boolean" },
  count: { type: "integer", minimum: 0, maximum: 9 },
  heat: { type: "number", minimum: -10, maximum: 99.5 },
  light: { type: "enum", values: ["off", "red"] },
  words: { type: "string", maxLength: 5 },
};
const ANSWER = { person: true, count: 3, heat: 30, light: "red", words: "help" };

/** The fault that is thrown. */
function faultOf(call: () => unknown): PerchError {
  try {
    call();
  } catch (error) {
    if (error instanceof PerchError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("an answer that is parsed", () => {
  it("has every field of the schema, in its order, and nothing else", () => {
    const text = JSON.stringify({ words: "", extra: 1, light: "off", heat: -10, count: 9, person: false });
    const answer = parseAnswer(` ${text}\n`, SCHEMA);
    expect(Object.entries(answer)).toEqual([
      ["person", false],
      ["count", 9],
      ["heat", -10],
      ["light", "off"],
      ["words", ""],
    ]);
  });

  const wrong: [keyof typeof ANSWER, unknown[]][] = [
    ["person", [1, "true", null, undefined, {}]],
    ["count", [-1, 10, 1.5, "3", true, null, undefined, 2 ** 53, [3]]],
    ["heat", [-10.1, 99.6, "30", null, undefined, false]],
    ["light", ["green", "", "RED", 1, null, undefined, ["red"]]],
    ["words", ["helped", 5, null, undefined, ["help"]]],
  ];
  it.each(wrong)("is refused where %s has a value that its field does not take", (name, values) => {
    for (const value of values) {
      const fault = faultOf(() => parseAnswer(JSON.stringify({ ...ANSWER, [name]: value }), SCHEMA));
      expect(fault.code).toBe("ANSWER_INVALID");
      expect(fault.message).toMatch(new RegExp(`^the model's answer has no valid ${name}: `));
    }
  });

  it("is refused where a number has no end", () => {
    const field: AnswerField = { type: "number" };
    expect(faultOf(() => parseAnswer('{"heat":1e999}', { heat: field })).code).toBe("ANSWER_INVALID");
  });

  it("counts characters as people do, not by UTF-16", () => {
    const text = JSON.stringify({ ...ANSWER, words: "🔥🔥🔥🔥🔥" });
    expect(parseAnswer(text, SCHEMA).words).toBe("🔥🔥🔥🔥🔥");
  });

  it("does not take what every object has for a field", () => {
    const fields: [string, AnswerField][] = [
      ["constructor", { type: "boolean" }],
      ["toString", { type: "string", maxLength: 99 }],
    ];
    const schema = Object.fromEntries(fields);
    expect(faultOf(() => parseAnswer("{}", schema)).message).toContain("no valid constructor");
    expect(parseAnswer('{"constructor":true,"toString":"x"}', schema)).toEqual({
      constructor: true,
      toString: "x",
    });
  });

  it.each([
    ["", "is not JSON"],
    ["{", "is not JSON"],
    ["I see a person.", "is not JSON"],
    ["null", "is not an object"],
    ["[]", "is not an object"],
    ["3", "is not an object"],
  ])("is refused where the text is %j", (text, why) => {
    const fault = faultOf(() => parseAnswer(text, SCHEMA));
    expect(fault.code).toBe("ANSWER_INVALID");
    expect(fault.message).toBe(`the model's answer ${why}: ${JSON.stringify(text)}`);
  });

  it("is quoted shortened in the fault", () => {
    expect(faultOf(() => parseAnswer("x".repeat(9000), SCHEMA)).message.length).toBeLessThan(200);
  });

  it("is parsed or refused, whatever the model writes", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(faultOf(() => parseAnswer(text, SCHEMA)).code).toBe("ANSWER_INVALID");
      }),
    );
  });
});

describe("a condition", () => {
  const holds = (expression: string, answer = {}) =>
    compileCondition(expression, SCHEMA)({ ...ANSWER, ...answer });

  it.each([
    "person",
    "!person || count > 2",
    "count == 3 && count != 4 && count >= 3",
    "count in [1, 2, 3]",
    "count > 2.5",
    "count % 2 == 1",
    "heat == 30.0 && heat > 29",
    "heat in [30.0]",
    'light == "red" && !(light in ["off"])',
    'words in ["help", "fire"]',
    'words.startsWith("he") && words.contains("el") && size(words) == 4',
    'words.matches("^h.*p$")',
    "person ? count > 0 : false",
  ])("holds: %s", (expression) => {
    expect(holds(expression)).toBe(true);
  });

  it("holds or not by the answer", () => {
    const condition = compileCondition('person && words in ["help"]', SCHEMA);
    expect(condition(ANSWER)).toBe(true);
    expect(condition({ ...ANSWER, words: "no" })).toBe(false);
    expect(condition({ ...ANSWER, person: false })).toBe(false);
  });

  it.each([
    ["persn", "Unknown variable: persn"],
    ["count", "must be true or false, but is of type int"],
    ['"true"', "must be true or false, but is of type string"],
    ["person &&", "Unexpected token: EOF"],
    ["person == 1", "no such overload: bool == int"],
    ["light == 1", "no such overload: string == int"],
    [
      "heat == 30",
      "no such overload: double == int; beside a field of type number write 30.0, beside an integer 30",
    ],
    ['words.matches("(")', "Invalid regular expression: ("],
  ])("is refused with the reason: %s", (expression, message) => {
    const fault = faultOf(() => compileCondition(expression, SCHEMA));
    expect([fault.code, fault.message]).toEqual(["CONFIG_INVALID", message]);
  });

  it("is refused where it is longer or deeper than anyone can read", () => {
    for (const expression of [
      Array(600).fill("person").join(" && "),
      `${"(".repeat(200)}person${")".repeat(200)}`,
    ])
      expect(faultOf(() => compileCondition(expression, SCHEMA)).code).toBe("CONFIG_INVALID");
  });

  it("does not hold for an answer that makes it undecidable, and goes on with the next", () => {
    const condition = compileCondition("10 / count > 2", SCHEMA);
    expect([0, 3, 9].map((count) => condition({ ...ANSWER, count }))).toEqual([false, true, false]);
  });

  it("has words of its own, which no field can be called by", () => {
    const names = ["person", "count2", "constructor", "size", "in", "true", "null", "type", "for", "string"];
    expect(names.filter(isFieldName)).toEqual(["person", "count2", "constructor", "size"]);
  });
});

describe("an id", () => {
  it("is a UUID of version 7 with the time in front", () => {
    const id = uuidv7(0x0123_4567_89ab);
    expect(id).toMatch(/^01234567-89ab-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it("sorts by time, and two of one moment differ", () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31), fc.integer({ min: 1, max: 2 ** 31 }), (since, later) => {
        const at = 1_700_000_000_000 + since;
        expect(uuidv7(at) < uuidv7(at + later)).toBe(true);
        expect(uuidv7(at)).not.toBe(uuidv7(at));
      }),
    );
  });
});
