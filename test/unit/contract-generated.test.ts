import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Value } from "typebox/value";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { Config } from "../../service/contract/config.ts";
import { generatedFiles } from "../../service/contract/generate.ts";
import { publicSchema } from "../../service/contract/json-schema.ts";
import { TOPIC_EXAMPLES } from "../../service/contract/topic-examples.ts";
import { TOPICS } from "../../service/contract/topics.ts";

const root = join(import.meta.dirname, "../..");

describe("files made of the contract", () => {
  it.each([...generatedFiles()])("%s is as the contract says: `npm run generate` writes it", (path, text) => {
    expect(readFileSync(join(root, path), "utf8")).toBe(text);
  });
});

describe("the schema for editors", () => {
  const schema = publicSchema(Config, "Config");
  const text = JSON.stringify(schema);

  it("takes the default configuration and the examples as they are written", () => {
    for (const file of [
      "perch.yaml",
      "examples/clinic-kiosk.yaml",
      "examples/factory-line.yaml",
      "examples/shared-cluster.yaml",
      "examples/workstation-gemma-4-12b.yaml",
    ]) {
      const written: unknown = parse(readFileSync(join(root, "config", file), "utf8"));
      expect([...Value.Errors(schema, written)], file).toEqual([]);
    }
  });

  it("asks only for what has no default", () => {
    expect(schema).toMatchObject({ required: ["node", "feeds", "watches"] });
    expect(Value.Check(schema, { node: "a", feeds: [], watches: [], mqtt: {} })).toBe(true);
    expect(Value.Check(schema, { node: "a", feeds: [] })).toBe(false);
    expect(Value.Check(schema, { node: "a", feeds: [], watches: [], mqt: {} })).toBe(false);
  });

  it("holds no format that only Perch knows", () => {
    expect(text).not.toContain("perch-duration");
    expect(text).not.toContain("perch-size");
    expect(text).not.toContain("perch-secret");
  });
});

describe("the page of topics", () => {
  it.each(TOPICS)("has an example of $path that its schema takes", ({ path, payload }) => {
    expect([...Value.Errors(payload, TOPIC_EXAMPLES[path])]).toEqual([]);
  });
});
