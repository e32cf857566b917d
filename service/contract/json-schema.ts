type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/**
 * A contract schema as JSON Schema 2020-12 for editors: the formats that only Perch knows are gone, and a
 * key with a default may be left out.
 */
export function publicSchema(schema: object, title: string): object {
  // Through JSON, so that only what is written to the file is looked at.
  const plain = JSON.parse(JSON.stringify(schema)) as Json;
  const body = cleaned(plain);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title,
    ...(typeof body === "object" && !Array.isArray(body) ? body : {}),
  };
}

/** The same as a part of a larger document, which has its own title and dialect. */
export function schemaFragment(schema: object): object {
  const { $schema: _schema, title: _title, ...rest } = publicSchema(schema, "") as Record<string, unknown>;
  return rest;
}

function cleaned(node: Json): Json {
  if (Array.isArray(node)) return node.map(cleaned);
  if (typeof node !== "object" || node === null) return node;
  const object = node as { readonly [key: string]: Json };
  const kept = Object.entries(object).filter(([key, value]) => !isPrivate(key, value));
  const result = Object.fromEntries(kept.map(([key, value]) => [key, cleaned(value)]));
  if (isObject(object.properties) && Array.isArray(object.required)) {
    const properties = object.properties;
    const required = object.required.filter((key) => !hasDefault(properties[String(key)]));
    if (required.length > 0) result.required = required;
    else delete result.required;
  }
  return result;
}

/** `discriminator` is OpenAPI's word; the tags' constants say the same. */
const isPrivate = (key: string, value: Json): boolean =>
  (key === "format" && typeof value === "string" && value.startsWith("perch-")) ||
  (key === "discriminator" && isObject(value));

const hasDefault = (schema: Json | undefined): boolean => isObject(schema) && schema.default !== undefined;

const isObject = (value: Json | undefined): value is { readonly [key: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);
