import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ServedAppliance } from "../support/appliance-served.ts";
import { picture } from "../support/engine-media.ts";
import { type Described, valuesOf } from "../support/fuzz-described.ts";
import { Leaks } from "../support/leaks.ts";
import { CELL_FEEDS, SCENE_WATCH, SOUND_WATCH } from "../support/perch.ts";

/** Requests; PERCH_FUZZ sets another number. */
const RUNS = Number(process.env.PERCH_FUZZ ?? 400);

interface Operation {
  readonly summary: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: "path" | "query" | "header";
    readonly required?: boolean;
    readonly schema: Described;
  }[];
  readonly requestBody?: {
    readonly content: { readonly "application/json"?: { readonly schema: Described } };
  };
}

/** What never ends, takes its time by design, or stops the model for what comes after. */
const LEFT_OUT = ["/api/live", "/api/feeds/{id}/live.mjpeg", "/api/feeds/{id}/clip.wav", "/api/governor"];

let perch: ServedAppliance;
let operations: { method: string; path: string; operation: Operation }[] = [];
beforeAll(async () => {
  perch = new ServedAppliance({ feeds: CELL_FEEDS, watches: [SCENE_WATCH, SOUND_WATCH] });
  await perch.start();
  await perch.ready();
  const { body } = await perch.ask("/api/openapi.json");
  const { paths } = body as { paths: Record<string, Record<string, Operation>> };
  operations = Object.entries(paths)
    .filter(([path]) => path.startsWith("/api/") && !LEFT_OUT.includes(path))
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        method: method.toUpperCase(),
        path,
        operation,
      })),
    );
});
afterAll(() => perch.dispose());

const KNOWN = ["camera", "microphone", "scene", "sound", "anna", "2026-11-25", picture().toString("base64")];
const NAMES = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...KNOWN.slice(0, 5)) },
  { weight: 1, arbitrary: fc.constantFrom("..", "%00", "a/b", "%zz", "constructor", "__proto__", "") },
  { weight: 1, arbitrary: fc.string({ unit: "grapheme", maxLength: 80 }) },
);

/** One request of an operation, as fetch takes it. */
function requestOf({ method, path, operation }: (typeof operations)[number]) {
  const { parameters = [], requestBody } = operation;
  const inQuery = parameters.filter((one) => one.in === "query");
  const query = fc.record(
    Object.fromEntries(inQuery.map(({ name, schema }) => [name, valuesOf(schema, KNOWN)])),
    {
      requiredKeys: [],
    },
  );
  const schema = requestBody?.content["application/json"]?.schema;
  const json = schema ? valuesOf(schema, KNOWN) : fc.constant(undefined);
  return fc.record({
    method: fc.constant(method),
    path: fc.array(NAMES, { minLength: 3, maxLength: 3 }).map((names) => {
      let at = 0;
      return path.replace(/\{[^}]+\}/g, () => encoded(names[at++ % names.length] ?? ""));
    }),
    query,
    body: json,
    raw: fc.option(fc.constantFrom("{", "", "[1", '"\\ud800"', "null"), { freq: 30 }),
  });
}

/** Some names are encoded already, or wrongly. */
const encoded = (name: string): string => (/^[\w.%/-]*$/.test(name) ? name : encodeURIComponent(name));

const anyRequest = () =>
  fc.nat(operations.length - 1).chain((index) => {
    const operation = operations[index];
    if (!operation) throw new Error("there is no such operation");
    return requestOf(operation);
  });

describe("the box's own API", () => {
  it(
    "answers anything that its description allows, and anything else, without a fault of its own",
    async () => {
      expect(operations.length).toBeGreaterThan(30);
      const seen = new Map<number, number>();
      const leaks = new Leaks(RUNS);
      await fc.assert(
        fc.asyncProperty(anyRequest(), async ({ method, path, query, body, raw }) => {
          const asked = Object.entries(query).filter(([, value]) => value !== undefined);
          const search = new URLSearchParams(
            asked.map(([key, value]): [string, string] => [key, String(value)]),
          );
          const sent =
            method === "GET" ? undefined : (raw ?? (body === undefined ? undefined : JSON.stringify(body)));
          const response = await fetch(`${perch.url}${path}?${search}`, {
            method,
            headers: {
              authorization: `Bearer ${perch.token("admin")}`,
              ...(sent !== undefined && { "content-type": "application/json" }),
            },
            ...(sent !== undefined && { body: sent }),
          });
          const text = await response.text();
          seen.set(response.status, (seen.get(response.status) ?? 0) + 1);
          // A camera that was switched off, and a password that is hashed elsewhere, are no faults of the service.
          if (response.status >= 500)
            expect([response.status, text]).toEqual([503, expect.stringContaining('"error"')]);
          if (response.status >= 400)
            expect(JSON.parse(text)).toMatchObject({ error: expect.stringMatching(/\S/) });
          leaks.note();
        }),
        { numRuns: RUNS },
      );
      // Or it would only have shown that everything is refused.
      expect(seen.get(200) ?? 0).toBeGreaterThan(RUNS / 20);
      expect(seen.get(400) ?? 0).toBeGreaterThan(0);
      const parts = Object.entries(perch.health()).filter(([name]) => name !== "changes" && name !== "feeds");
      expect(parts.filter(([, { state }]) => state !== "ok")).toEqual([]);
      await leaks.expectNone();
    },
    60_000 + RUNS * 100,
  );
});
