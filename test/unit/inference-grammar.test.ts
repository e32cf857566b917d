import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AnswerSchema } from "../../service/contract/answer.ts";
import { grammarOf, integerRange, mostTokens } from "../../service/inference/grammar.ts";

/** The generator's GBNF as a regular expression: literals, [a-b], {n} and " | " are all that occurs. */
const regexOf = (gbnf: string) =>
  new RegExp(
    `^(?:${gbnf
      .replaceAll('"."', "\\.")
      .replace(/"([^"]*)"/g, (_, text: string) => text.replaceAll(".", "\\."))
      .replaceAll(" ", "")})$`,
  );

const bound = fc.oneof(
  fc.integer({ min: -120, max: 120 }),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.constantFrom(0, 9, 10, 99, 100, -1, -10, 999_999_999),
);

describe("integer ranges", () => {
  it("admit exactly the integers within the bounds", () => {
    fc.assert(
      fc.property(bound, bound, bound, (a, b, value) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        const regex = regexOf(integerRange(low, high));
        for (const candidate of [value, low, high, low - 1, high + 1, low + 1, high - 1]) {
          if (!Number.isSafeInteger(candidate)) continue;
          // -0 is an integer within the bounds too, and is written "0".
          expect(regex.test(String(candidate)), `${candidate} in ${low}..${high}`).toBe(
            candidate >= low && candidate <= high,
          );
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("admit every integer of small ranges and no other text", () => {
    for (let low = -25; low <= 25; low += 1) {
      for (let high = low; high <= 130; high += 7) {
        const regex = regexOf(integerRange(low, high));
        for (let value = -140; value <= 140; value += 1) {
          expect(regex.test(String(value))).toBe(value >= low && value <= high);
        }
        for (const wrong of ["", "-", "-0", "00", "01", "+1", "1.0", "1e1"])
          expect(regex.test(wrong)).toBe(false);
      }
    }
  });

  it("are short to read", () => {
    expect(integerRange(0, 99)).toBe(`[0-9] | [1-9] [0-9]`);
    expect(integerRange(-5, 250)).toBe(
      `"-" [1-5] | [0-9] | [1-9] [0-9] | "1" [0-9]{2} | "2" [0-4] [0-9] | "250"`,
    );
  });

  it("refuse an empty range by name", () => {
    expect(() => grammarOf({ count: { type: "integer", minimum: 5, maximum: 4 } })).toThrow(/^count: /);
  });
});

describe("number ranges", () => {
  const ruleOf = (field: { minimum?: number; maximum?: number }) => {
    const match = /"\{\\"n\\":" \((.*)\) "\}"/.exec(grammarOf({ n: { type: "number", ...field } }));
    return regexOf(match?.[1] ?? "nothing");
  };

  const exact = (text: string, value: number) => Math.abs(Number(text) - value) < 1e-9;

  it("admit exactly the numbers within the bounds, with two decimals or as many as the bounds have", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -200_000, max: 200_000 }),
        fc.integer({ min: -200_000, max: 200_000 }),
        fc.integer({ min: -200_000, max: 200_000 }),
        fc.constantFrom(0, 1, 2, 3),
        (a, b, value, decimals) => {
          const scale = 10 ** decimals;
          const [low, high] = [Math.min(a, b), Math.max(a, b)];
          const regex = ruleOf({ minimum: low / scale, maximum: high / scale });
          const written = [low, high, value].flatMap((bound) =>
            // Bounds of three decimals may need but two: 0.010 to 0.020.
            [2, 3]
              .map((digits) => (bound / scale).toFixed(digits))
              .filter((text) => exact(text, bound / scale)),
          );
          const right = written.filter((text) => regex.test(text)).map(Number);
          for (const found of right) expect(found * scale).toBeGreaterThanOrEqual(low - 1e-6);
          for (const found of right) expect(found * scale).toBeLessThanOrEqual(high + 1e-6);
          expect(right.some((found) => Math.abs(found * scale - low) < 1e-6)).toBe(true);
          expect(right.some((found) => Math.abs(found * scale - high) < 1e-6)).toBe(true);
        },
      ),
    );
  });

  it("admit one number where both bounds are it", () => {
    expect(ruleOf({ minimum: 0, maximum: 0 }).test("0.00")).toBe(true);
  });

  it("hold a share between 0 and 1", () => {
    const share = ruleOf({ minimum: 0, maximum: 1 });
    for (const yes of ["0.00", "0.07", "0.99", "1.00"]) expect(share.test(yes), yes).toBe(true);
    for (const no of ["1.01", "-0.00", "0", ".5", "00.10", "0.5"]) expect(share.test(no), no).toBe(false);
  });
});

describe("a schema's grammar", () => {
  const schema: AnswerSchema = {
    person: { type: "boolean" },
    light: { type: "enum", values: ["off", 'a "b" \\ c', "grün"] },
    words: { type: "string", maxLength: 16 },
  };

  it("keeps the order of the fields and escapes what JSON and GBNF escape", () => {
    const [root] = grammarOf(schema).split("\n");
    expect(root).toBe(
      String.raw`root ::= "{\"person\":" ("true" | "false") ",\"light\":" ("\"off\"" | "\"a \\\"b\\\" \\\\ c\"" | "\"grün\"") ",\"words\":" "\"" char{0,16} "\"" "}"`,
    );
  });

  it("bounds the tokens by the bytes of the longest answer", () => {
    const longest = JSON.stringify({ person: false, light: 'a "b" \\ c', words: "語".repeat(16) });
    expect(mostTokens(schema)).toBeGreaterThanOrEqual(Buffer.byteLength(longest) + 1);
    expect(mostTokens(schema)).toBeLessThan(Buffer.byteLength(longest) + 8);
  });
});
