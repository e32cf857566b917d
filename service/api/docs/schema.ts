/** What the page reads of a JSON Schema. */
export interface Schema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly additionalProperties?: Schema | boolean;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly description?: string;
  readonly examples?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly format?: string;
}

/** One field of a body, and what it may hold. */
export interface Row {
  /** As in "rules[].when". */
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly text: string;
}

/** Deeper than this nobody reads on. */
const DEEPEST = 4;

/** The fields of a schema, those within others after them. */
export function rowsOf(schema: Schema, prefix = "", depth = 0): Row[] {
  if (depth >= DEEPEST) return [];
  const inner = schema.type === "array" || schema.items ? schema.items : undefined;
  if (inner) return rowsOf(inner, `${prefix}[]`, depth);
  const named = Object.entries(schema.properties ?? {}).map(([key, of]) => ({ key, of }));
  const any = anyNameOf(schema);
  return [...named, ...(any ? [{ key: "NAME", of: any }] : [])].flatMap(({ key, of }) => {
    const name = prefix === "" ? key : `${prefix}.${key}`;
    const required = (schema.required ?? []).includes(key);
    return [
      { name, type: typeText(of), required, text: textOf(of) },
      ...merged((of.anyOf ?? [of]).map((one) => rowsOf(one, name, depth + 1))),
    ];
  });
}

/** What is said of a value: its meaning, its bounds and its default. */
export function textOf(schema: Schema): string {
  const parts = [schema.description ?? "", boundsOf(schema)];
  if (schema.default !== undefined && !isEmpty(schema.default))
    parts.push(`Default: ${JSON.stringify(schema.default)}.`);
  return parts.filter(Boolean).join(" ");
}

/** "text", "whole number", "list of text", "one of a, b", "text or null". */
export function typeText(schema: Schema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return `one of ${schema.enum.map((value) => JSON.stringify(value)).join(", ")}`;
  if (schema.anyOf) return [...new Set(schema.anyOf.map(typeText))].join(" or ");
  if (Array.isArray(schema.type))
    return schema.type.map((type: string) => typeText({ ...schema, type })).join(" or ");
  switch (schema.type) {
    case "string":
      if (schema.format === "date-time") return "time";
      // As contract/units.ts has it.
      return schema.pattern?.endsWith("(ms|s|m|h|d)$") ? "duration" : "text";
    case "integer":
      return "whole number";
    case "boolean":
      return "true or false";
    case "array":
      return schema.items ? `list of ${typeText(schema.items)}` : "list";
    case "object":
      return "object";
    default:
      return String(schema.type ?? "anything");
  }
}

/** A value that the schema takes, with what it must have and little else. */
export function exampleOf(schema: Schema): unknown {
  const [given] = schema.examples ?? [];
  if (given !== undefined) return given;
  if (schema.default !== undefined) return schema.default;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  if (schema.anyOf?.[0]) return exampleOf(schema.anyOf[0]);
  switch (Array.isArray(schema.type) ? schema.type[0] : schema.type) {
    case "object":
      return Object.fromEntries(
        Object.entries(schema.properties ?? {}).flatMap(([key, of]) =>
          (schema.required ?? []).includes(key) ? [[key, exampleOf(of)]] : [],
        ),
      );
    case "array":
      return schema.items ? [exampleOf(schema.items)] : [];
    case "integer":
    case "number":
      return schema.minimum ?? 1;
    case "boolean":
      return true;
    case "null":
      return null;
    default:
      return "…";
  }
}

/** Of several forms that a value may have the fields of all, each once; a field that not all require may be left out. */
function merged(forms: readonly (readonly Row[])[]): Row[] {
  const [first, ...others] = forms;
  if (!first || others.length === 0) return [...(first ?? [])];
  const names = [...new Set(forms.flat().map(({ name }) => name))];
  return names.map((name) => {
    const rows = forms.flatMap((form) => form.filter((row) => row.name === name));
    return {
      name,
      type: [...new Set(rows.map(({ type }) => type))].join(" or ").replaceAll(" or one of ", ", "),
      required: rows.length === forms.length && rows.every(({ required }) => required),
      text: [...new Set(rows.map(({ text }) => text))].filter(Boolean).join(" "),
    };
  });
}

function anyNameOf({ additionalProperties, patternProperties }: Schema): Schema | undefined {
  const [pattern] = Object.values(patternProperties ?? {});
  if (pattern) return pattern;
  return typeof additionalProperties === "object" ? additionalProperties : undefined;
}

function boundsOf({ minimum, maximum, exclusiveMinimum, maxLength, minItems, maxItems }: Schema): string {
  const least = minimum ?? exclusiveMinimum;
  const above = minimum === undefined && exclusiveMinimum !== undefined ? "Above" : "From";
  const parts: string[] = [];
  if (least !== undefined && maximum !== undefined) parts.push(`${above} ${least} to ${maximum}.`);
  else if (maximum !== undefined) parts.push(`${maximum} at most.`);
  if (maxLength !== undefined) parts.push(`${maxLength} characters at most.`);
  if (maxItems !== undefined) parts.push(`${minItems ? `${minItems} to ` : "Up to "}${maxItems} of them.`);
  return parts.join(" ");
}

const isEmpty = (value: unknown): boolean =>
  typeof value === "object" && Object.keys(value ?? {}).length === 0;
