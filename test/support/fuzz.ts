import fc from "fast-check";

/** Mostly as it should be, and now and then anything at all. */
export const mostly = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 60, arbitrary }, { weight: 1, arbitrary: fc.jsonValue() });
const optional = (fields: Record<string, fc.Arbitrary<unknown>>) => fc.record(fields, { requiredKeys: [] });
export const words = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom(
    "Describe the image.",
    "<|turn>",
    "<__media__>",
    "\u0000",
    "\ud800",
    "<|tu",
    "rn>",
    '{"a":',
  ),
);

export const schema = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    optional({
      type: fc.constantFrom(
        "string",
        "integer",
        "number",
        "boolean",
        "null",
        "object",
        "array",
        ["string", "null"],
        "x",
      ),
      minLength: fc.integer({ min: -1, max: 60 }),
      maxLength: fc.integer({ min: -1, max: 60 }),
      pattern: fc.oneof(
        fc.constantFrom("^a+$", "^(a|b){2,9999}$", "[", "(?=a)", "^\\d{3}-\\w*$", "^((((a))))$"),
        words,
      ),
      format: fc.constantFrom("date", "uuid", "date-time", "nothing"),
      enum: fc.array(fc.jsonValue(), { maxLength: 4 }),
      const: fc.jsonValue(),
      minimum: fc.double({ noNaN: true }),
      maximum: fc.integer(),
    }),
    optional({
      type: fc.constant("object"),
      properties: fc.dictionary(words, tie("any"), { maxKeys: 4 }),
      required: fc.array(words, { maxLength: 3 }),
      additionalProperties: fc.oneof(fc.boolean(), tie("any")),
      $defs: fc.dictionary(fc.constantFrom("a", "b"), tie("any"), { maxKeys: 2 }),
    }),
    optional({
      type: fc.constant("array"),
      items: tie("any"),
      prefixItems: fc.array(tie("any"), { maxLength: 2 }),
      minItems: fc.integer({ min: -1, max: 60 }),
      maxItems: fc.integer({ min: -1, max: 60 }),
    }),
    optional({
      anyOf: fc.array(tie("any"), { maxLength: 3 }),
      allOf: fc.array(tie("any"), { maxLength: 3 }),
      $ref: fc.constantFrom("#", "#/$defs/a", "#/nothing", "#/properties/a", "x"),
      not: tie("any"),
    }),
    fc.boolean(),
    fc.jsonValue(),
  ),
})).any;
