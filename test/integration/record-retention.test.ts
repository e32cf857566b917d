import { stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { FakeClock } from "../support/fake-clock.ts";
import { entry, event, observation, THEN } from "../support/record-entries.ts";
import { openRecord, testFolder } from "../support/record-opened.ts";

const DAY = 86_400_000;
const ended = (id: string, at: number) =>
  event(id, { phase: "end", sequence: 1, ended: new Date(at + 1000).toISOString() }, at);

describe("age", () => {
  test("removes observations and ended events that are older, what they were found by too", async () => {
    const record = await openRecord(await testFolder(), { age: 7 * DAY }, new FakeClock(THEN));
    const note = { answer: { note: "a ladder" } };
    await record.write(entry(observation("old", note, THEN - 8 * DAY), ended("old-event", THEN - 8 * DAY)));
    await record.write(entry(observation("new", note, THEN - 6 * DAY), ended("new-event", THEN - 6 * DAY)));
    await record.retain();
    expect(record.queries.observations().map(({ id }) => id)).toEqual(["new"]);
    expect(record.queries.events().map(({ id }) => id)).toEqual(["new-event"]);
    const found = record.queries.search("ladder");
    expect(found.observations.map(({ id }) => id)).toEqual(["new"]);
    expect(record.queries.search("blocked").events.map(({ id }) => id)).toEqual(["new-event"]);
  });

  test("leaves open events, however old, and every event message that waits", async () => {
    const clock = new FakeClock(THEN);
    const record = await openRecord(await testFolder(), { age: 7 * DAY }, clock);
    await record.write({
      ...entry(undefined, event("open"), ended("over", THEN)),
      thumbnail: Buffer.from("jpeg"),
    });
    clock.advance(400 * DAY);
    await record.retain();
    expect(record.openEvents().map(({ id }) => id)).toEqual(["open"]);
    expect(record.queries.events().map(({ id }) => id)).toEqual(["open"]);
    expect(record.queries.thumbnail("open")?.toString()).toBe("jpeg");
    expect(record.queries.thumbnail("over")).toBeUndefined();
    expect(record.outbox.read(0, 10).map(({ id }) => id)).toEqual([1, 2]);
  });

  test("takes messages of mere observations out of the outbox unsent, and counts them", async () => {
    const clock = new FakeClock(THEN);
    const record = await openRecord(await testFolder(), { age: 7 * DAY }, clock);
    await record.write(entry(observation("o1"), event("e1")));
    clock.advance(8 * DAY);
    await record.write(entry(observation("o2", {}, clock.now())));
    await record.retain();
    expect(record.outbox.read(0, 10).map(({ id }) => id)).toEqual([2, 3]);
    expect(record.outbox.pending()).toBe(2);
    expect(record.health().detail).toMatchObject({ expired: 1 });
  });

  test("is looked at every minute", async () => {
    const clock = new FakeClock(THEN);
    const record = await openRecord(await testFolder(), { age: DAY }, clock);
    await record.write(entry(observation("o1")));
    clock.advance(DAY + 60_000);
    while (record.queries.counts().observations > 0) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(60_000);
    }
    expect(record.queries.observations()).toEqual([]);
  });
});

describe("bytes", () => {
  test("are kept by removing the oldest, not more of them than need be, and the file shrinks", async () => {
    const folder = await testFolder();
    const before = await openRecord(folder, { bytes: 1e9 }, new FakeClock(THEN));
    const note = "many different words stand here ".repeat(60);
    const writes = Array.from({ length: 4000 }, (_, n) =>
      before.write(entry(observation(`o${n}`, { answer: { note: `${n} ${note}` } }, THEN + n))),
    );
    await Promise.all(writes);
    await before.outbox.acknowledge(Array.from({ length: 4000 }, (_, n) => n + 1));
    await before.stop();
    expect((await stat(join(folder, "perch.db"))).size).toBeGreaterThan(8e6);

    const record = await openRecord(folder, { bytes: 8e6 }, new FakeClock(THEN));
    await record.retain();
    const left = record.queries.observations({ limit: 10_000 }).map(({ id }) => Number(id.slice(1)));
    expect(left[0]).toBe(3999);
    expect(left.length).toBeLessThan(4000);
    expect(left.length).toBeGreaterThan(1000);
    expect(left).toEqual(left.map((_, n) => 3999 - n));
    await record.stop();
    expect((await stat(join(folder, "perch.db"))).size).toBeLessThan(8e6);
  });

  test("are exceeded rather than lose an open event or an event message that waits", async () => {
    const record = await openRecord(await testFolder(), { bytes: 200_000 }, new FakeClock(THEN));
    const title = "blocked ".repeat(100);
    await Promise.all(
      Array.from({ length: 300 }, (_, n) =>
        record.write(entry(observation(`o${n}`), event(`open${n}`, { title }), ended(`over${n}`, THEN))),
      ),
    );
    await record.retain();
    const counts = record.queries.counts();
    expect(counts).toEqual({ observations: 0, events: 300, openEvents: 300, outbox: 900 });
  });
});
