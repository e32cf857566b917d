import { createCanvas, loadImage } from "@napi-rs/canvas";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { entry, event, observation, THEN } from "../support/record-entries.ts";
import { openRecord, testFolder } from "../support/record-opened.ts";

/** A JPEG that does not compress well. */
async function noisyJpeg(width: number, height: number): Promise<Buffer> {
  const canvas = createCanvas(width, height);
  const context = canvas.getContext("2d");
  for (let n = 0; n < 4000; n += 1) {
    context.fillStyle = `hsl(${(n * 137) % 360} 80% ${(n * 31) % 100}%)`;
    context.fillRect((n * 61) % width, (n * 89) % height, 9, 9);
  }
  return await canvas.encode("jpeg", 95);
}

describe("events and observations", () => {
  test("are listed newest first and narrowed by each condition", async () => {
    const record = await openRecord(await testFolder());
    const later = { rule: "open", phase: "update", sequence: 1 } as const;
    await record.write(entry(observation("o1"), event("e1")));
    await record.write(entry(observation("o2", { watch: "line" }, THEN + 10), event("e2", later, THEN + 10)));
    await record.write(entry(observation("o3", {}, THEN + 20), event("e3", { watch: "line" }, THEN + 20)));
    const events = (filter: object) => record.queries.events(filter).map(({ id }) => id);
    expect(events({})).toEqual(["e3", "e2", "e1"]);
    expect(events({ since: THEN + 10 })).toEqual(["e3", "e2"]);
    expect(events({ watch: "line" })).toEqual(["e3"]);
    expect(events({ rule: "open", watch: "door" })).toEqual(["e2"]);
    expect(events({ phase: "start", limit: 1 })).toEqual(["e3"]);
    const observations = (filter: object) => record.queries.observations(filter).map(({ id }) => id);
    expect(observations({ watch: "door" })).toEqual(["o3", "o1"]);
    expect(observations({ since: THEN + 10, limit: 1 })).toEqual(["o3"]);
    expect(record.queries.counts()).toEqual({ observations: 3, events: 3, openEvents: 3, outbox: 6 });
  });
});

describe("search", () => {
  test("finds words of answers and of titles, in any order and case, the last one by its beginning", async () => {
    const record = await openRecord(await testFolder());
    await record.write(entry(observation("o1"), event("e1")));
    await record.write(entry(observation("o2", { answer: { note: "ein Café mit Tür" } })));
    const found = (text: string) => record.queries.search(text).observations.map(({ id }) => id);
    expect(found("CRATE blue")).toEqual(["o1"]);
    expect(found("blo")).toEqual(["o1"]);
    expect(found("person")).toEqual(["o1"]);
    expect(found("cafe tur")).toEqual(["o2"]);
    expect(found("blue café")).toEqual([]);
    expect(record.queries.search("door is").events.map(({ id }) => id)).toEqual(["e1"]);
  });

  test.each([
    '"',
    "a OR",
    "NOT",
    "words:x",
    "x NEAR/2 y",
    "^a*",
    "(",
    "'; DROP TABLE event; --",
    "a\u0000b",
    "\ud800",
    "",
    "-",
  ])("takes %j for mere text", async (text) => {
    const record = await openRecord(await testFolder());
    await record.write(entry(observation("o1"), event("e1")));
    expect(() => record.queries.search(text)).not.toThrow();
    expect(record.queries.counts().events).toBe(1);
  });

  test("takes any text at all for mere text", async () => {
    const record = await openRecord(await testFolder());
    await record.write(entry(observation("o1"), event("e1")));
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 40 }), (text) => {
        record.queries.search(text);
      }),
      { numRuns: 500 },
    );
  });
});

describe("the picture of an event", () => {
  test("is kept as it came where it is small enough, the first one for good", async () => {
    const record = await openRecord(await testFolder());
    await record.write({ ...entry(observation("o1"), event("e1")), thumbnail: Buffer.from("first") });
    await record.write({
      ...entry(observation("o2"), event("e1", { sequence: 1 })),
      thumbnail: Buffer.from("2nd"),
    });
    expect(record.queries.thumbnail("e1")?.toString()).toBe("first");
    expect(record.queries.thumbnail("unknown")).toBeUndefined();
  });

  test("is made smaller where it is too large", async () => {
    const folder = await testFolder();
    const record = await openRecord(folder, { thumbnail: 24_000 });
    const thumbnail = await noisyJpeg(1280, 720);
    expect(thumbnail.length).toBeGreaterThan(24_000);
    await record.write({ ...entry(observation("o1"), event("e1")), thumbnail });
    await record.stop();
    const kept = (await openRecord(folder)).queries.thumbnail("e1") ?? Buffer.alloc(0);
    expect(kept.length).toBeLessThanOrEqual(24_000);
    expect(await loadImage(kept)).toMatchObject({ width: 320, height: 180 });
  });

  test("is left out where it is no picture, where none is wanted, and where there is no event", async () => {
    const folder = await testFolder();
    const record = await openRecord(folder, { thumbnail: 10 });
    await record.write({
      ...entry(observation("o1"), event("e1")),
      thumbnail: Buffer.from("no picture at all"),
    });
    await record.write({ ...entry(observation("o2")), thumbnail: Buffer.from("small") });
    await record.stop();
    const second = await openRecord(folder, { thumbnail: 0 });
    await second.write({ ...entry(observation("o3"), event("e3")), thumbnail: Buffer.from("small") });
    expect([second.queries.thumbnail("e1"), second.queries.thumbnail("e3")]).toEqual([undefined, undefined]);
    expect(second.health().state).toBe("ok");
  });
});
