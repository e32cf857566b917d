import fc from "fast-check";
import { mostly, words } from "./fuzz.ts";

/** What is read of a JSON schema of the API's description. */
export interface Described {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Described>>;
  readonly required?: readonly string[];
  readonly items?: Described;
  readonly anyOf?: readonly Described[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly pattern?: string;
  readonly patternProperties?: Readonly<Record<string, Described>>;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxLength?: number;
}

/** Values as a schema describes them, and now and then others. `known` are texts that mean something to the box. */
export function valuesOf(schema: Described, known: readonly string[]): fc.Arbitrary<unknown> {
  return mostly(rightOf(schema, known));
}

function rightOf(schema: Described, known: readonly string[]): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((one) => valuesOf(one, known)));
  const { minimum = -1e6, maximum = 1e6, minItems = 0, maxItems = 3 } = schema;
  switch (schema.type) {
    case "boolean":
      return fc.boolean();
    case "integer":
      return fc.integer({ min: Math.ceil(minimum), max: Math.floor(maximum) });
    case "number":
      return fc.double({ min: minimum, max: maximum, noNaN: true });
    case "string":
      return textOf(schema, known);
    case "array": {
      const most = Math.max(minItems, Math.min(maxItems, 3));
      return fc.array(valuesOf(schema.items ?? {}, known), { minLength: minItems, maxLength: most });
    }
    case "object":
      return objectOf(schema, known);
    default:
      return fc.jsonValue();
  }
}

function textOf({ pattern, maxLength = 40 }: Described, known: readonly string[]): fc.Arbitrary<string> {
  const some = fc.oneof(fc.constantFrom(...known), words, fc.string({ maxLength: Math.min(maxLength, 80) }));
  if (pattern === undefined) return some;
  return fc.oneof(
    { weight: 8, arbitrary: fc.stringMatching(new RegExp(pattern)) },
    { weight: 2, arbitrary: some },
  );
}

function objectOf(schema: Described, known: readonly string[]): fc.Arbitrary<unknown> {
  const { properties = {}, required = [], patternProperties = {} } = schema;
  const fields = Object.fromEntries(
    Object.entries(properties).map(([name, of]) => [name, valuesOf(of, known)]),
  );
  const named = fc.record(fields, { requiredKeys: [...required] });
  const [pattern] = Object.entries(patternProperties);
  if (!pattern) return named;
  const more = fc.dictionary(fc.stringMatching(new RegExp(pattern[0])), valuesOf(pattern[1], known), {
    minKeys: 1,
    maxKeys: 3,
  });
  return fc.tuple(named, more).map(([one, other]) => ({ ...other, ...one }));
}
