import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Event, Observation } from "../../service/contract/observation.ts";
import { Database } from "../../service/kernel/sqlite.ts";
import type { Position } from "../../service/record/keyset.ts";
import { MIGRATIONS, migrate } from "../../service/record/migrations.ts";
import type { EventsWanted, ObservationsWanted } from "../../service/record/pages.ts";
import type { Record } from "../../service/record/record.ts";
import { entry, event, observation, THEN } from "../support/record-entries.ts";
import { openRecord, testFolder } from "../support/record-opened.ts";

const NOTES = ["a blue crate", "a green ladder", "two blue ladders"];
const SEVERITIES = ["info", "warning", "alarm"] as const;
/** Some at the same moment, and not in the order in which they are recorded. */
const timeOf = (n: number) => THEN + ((n * 7) % 20) * 1000;
const pick = <T>(of: readonly T[], n: number): T => of[n % of.length] as T;

function someEvent(n: number): Event {
  const over = { watch: pick(["door", "line"], n), rule: pick(["open", "blocked", "idle"], n) };
  const ended = n % 4 === 0 ? {} : { phase: "end" as const, ended: new Date(THEN + 99_000).toISOString() };
  return event(`e${n}`, { ...over, severity: pick(SEVERITIES, n >> 1), ...ended }, timeOf(n));
}
function someObservation(n: number): Observation {
  const over = { watch: pick(["door", "line"], n), feeds: pick([["hall"], ["hall", "mic"], ["mic"]], n) };
  return observation(`o${n}`, { ...over, answer: { note: pick(NOTES, n) } }, timeOf(n));
}

const COUNT = 60;
async function filled(): Promise<Record> {
  const record = await openRecord(await testFolder());
  for (let n = 0; n < COUNT; n += 1) await record.write(entry(someObservation(n), someEvent(n)));
  for (let n = 0; n < COUNT; n += 5)
    await record.write({
      events: [],
      messages: [],
      acknowledgement: {
        event: `e${n}`,
        acknowledged: { at: new Date(THEN).toISOString(), by: "somebody" },
      },
    });
  return record;
}

/** Every id, page by page. */
async function paged(
  read: (page: { after?: Position | undefined; limit: number }) => Promise<{
    items: { id: string }[];
    next: Position | undefined;
  }>,
  limit: number,
): Promise<string[]> {
  const ids: string[] = [];
  let after: Position | undefined;
  for (;;) {
    const { items, next } = await read({ after, limit });
    expect(items.length).toBeLessThanOrEqual(limit);
    ids.push(...items.map(({ id }) => id));
    if (!next) return ids;
    expect(items).toHaveLength(limit);
    after = next;
  }
}

/** Numbers in the order of a list. */
function ordered(numbers: number[], { order, text }: EventsWanted | ObservationsWanted): number[] {
  const sorted = numbers.sort((a, b) => (text === undefined ? timeOf(a) - timeOf(b) : 0) || a - b);
  return order === "asc" ? sorted : sorted.reverse();
}

const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined });
const moment = maybe(fc.integer({ min: -1, max: 21 }).map((second) => THEN + second * 1000));
const shared = {
  since: moment,
  until: moment,
  watch: maybe(fc.constantFrom("door", "line", "none")),
  order: fc.constantFrom("asc" as const, "desc" as const),
};
const numbers = Array.from({ length: COUNT }, (_, n) => n);
const inTime = (n: number, { since, until }: { since?: number | undefined; until?: number | undefined }) =>
  (since === undefined || timeOf(n) >= since) && (until === undefined || timeOf(n) < until);

describe("pages", () => {
  test("of events have what was asked for, each once, in order, however long a page is", async () => {
    const record = await filled();
    const wanted = fc.record({
      ...shared,
      rule: maybe(fc.constantFrom("open", "idle")),
      severity: maybe(fc.constantFrom(...SEVERITIES)),
      phase: maybe(fc.constantFrom("start" as const, "end" as const)),
      open: maybe(fc.boolean()),
      acknowledged: maybe(fc.boolean()),
      text: maybe(fc.constantFrom("door blocked", "li", "idle", "-", "nothing")),
    });
    const fits = (n: number, { text, open, phase, ...one }: EventsWanted): boolean => {
      const { watch, rule, severity, phase: now } = someEvent(n);
      const words = `the door is blocked ${watch} ${rule}`.split(" ");
      const asked = text?.match(/\w+/g);
      return (
        inTime(n, one) &&
        (one.watch ?? watch) === watch &&
        (one.rule ?? rule) === rule &&
        (one.severity ?? severity) === severity &&
        (phase ?? now) === now &&
        (open ?? now !== "end") === (now !== "end") &&
        (one.acknowledged ?? n % 5 === 0) === (n % 5 === 0) &&
        (text === undefined ||
          (asked ?? []).every((word, at) =>
            words.some((has) => (at + 1 === asked?.length ? has.startsWith(word) : has === word)),
          )) &&
        text !== "-"
      );
    };
    await fc.assert(
      fc.asyncProperty(wanted, fc.integer({ min: 1, max: 70 }), async (one, limit) => {
        const ids = await paged((page) => record.pages.events(one, page), limit);
        const expected = ordered(
          numbers.filter((n) => fits(n, one)),
          one,
        );
        expect(ids).toEqual(expected.map((n) => `e${n}`));
        const whole: string[] = [];
        for await (const chunk of record.pages.allEvents(one)) whole.push(...chunk.map(({ id }) => id));
        expect(whole).toEqual(ids);
      }),
      { numRuns: 400 },
    );
  });

  test("of observations have what was asked for, each once, in order, however long a page is", async () => {
    const record = await filled();
    const wanted = fc.record({
      ...shared,
      feed: maybe(fc.constantFrom("hall", "mic", "ha")),
      text: maybe(fc.constantFrom("blue", "BLUE lad", "ladder", "ladders", "blue green")),
    });
    const fits = (n: number, { feed, text, ...one }: ObservationsWanted): boolean => {
      const { watch, feeds } = someObservation(n);
      const words = pick(NOTES, n).split(" ");
      const asked = text?.toLowerCase().split(" ") ?? [];
      return (
        inTime(n, one) &&
        (one.watch ?? watch) === watch &&
        (feed === undefined || feeds.includes(feed)) &&
        asked.every((word, at) =>
          words.some((has) => (at + 1 === asked.length ? has.startsWith(word) : has === word)),
        )
      );
    };
    await fc.assert(
      fc.asyncProperty(wanted, fc.integer({ min: 1, max: 70 }), async (one, limit) => {
        const ids = await paged((page) => record.pages.observations(one, page), limit);
        const expected = ordered(
          numbers.filter((n) => fits(n, one)),
          one,
        );
        expect(ids).toEqual(expected.map((n) => `o${n}`));
      }),
      { numRuns: 300 },
    );
  });

  test("have what a version before this one recorded", async () => {
    const folder = await testFolder();
    const before = new Database(join(folder, "perch.db"));
    migrate(before, MIGRATIONS.slice(0, 3));
    before
      .prepare(
        `INSERT INTO event (id, sequence, node, watch, rule, title, severity, phase, started, at, observation, answer)
         VALUES ('old', 0, 'n', 'door', 'open', 'It is open', 'alarm', 'start', ?, ?, '', '{}')`,
      )
      .run(THEN, THEN);
    before.close();
    const record = await openRecord(folder);
    const unseen = { acknowledged: false, severity: "alarm", order: "desc" } as const;
    expect((await record.pages.events(unseen, { limit: 5 })).items).toMatchObject([
      { id: "old", acknowledged: null, picture: false },
    ]);
    // What was recorded before is no change.
    expect([record.changes.newest(), record.changes.oldest()]).toEqual([0, undefined]);
  });

  test("go on where they were while rows come and go", async () => {
    const record = await openRecord(await testFolder());
    for (let n = 0; n < 30; n += 1) await record.write(entry(undefined, event(`e${n}`, {}, THEN + n)));
    const first = await record.pages.events({ order: "desc" }, { limit: 10 });
    expect(first.items.map(({ id }) => id)).toEqual(Array.from({ length: 10 }, (_, n) => `e${29 - n}`));
    for (let n = 30; n < 40; n += 1) await record.write(entry(undefined, event(`e${n}`, {}, THEN + n)));
    // The row that the place is named after goes, too.
    const gone = event("e20", { sequence: 1, phase: "end", at: new Date(0).toISOString() }, THEN + 20);
    await record.write(entry(undefined, gone));
    await record.retain();
    expect(record.pages.event("e20")).toBeUndefined();
    const rest = await record.pages.events({ order: "desc" }, { limit: 500, after: first.next });
    expect(rest.items.map(({ id }) => id)).toEqual(Array.from({ length: 20 }, (_, n) => `e${19 - n}`));
    expect(rest.next).toBeUndefined();
  });

  test("are found in many rows of which few fit, with turns for others in between", async () => {
    const record = await openRecord(await testFolder());
    // Among them those that a step of 2,000 rows ends with, from either end.
    const ends = [1000, 1999, 3000, 3999, 5000, 5999, 7000, 7999];
    const rare = (n: number): Partial<Event> => (ends.includes(n) ? { severity: "alarm" } : {});
    const written = Array.from({ length: 9_000 }, (_, n) =>
      record.write({ events: [event(`e${n}`, rare(n), THEN + n)], messages: [] }),
    );
    await Promise.all(written);
    let turns = 0;
    const counting = setInterval(() => (turns += 1), 0);
    const wanted = { watch: "door", severity: "alarm" as const };
    const all = ends.map((n) => `e${n}`);
    for (const text of [undefined, "door"])
      for (const limit of [3, 9]) {
        const found = (order: "asc" | "desc") =>
          paged((page) => record.pages.events({ ...wanted, text, order }, page), limit);
        expect(await found("asc")).toEqual(all);
        expect(await found("desc")).toEqual(all.toReversed());
      }
    clearInterval(counting);
    expect(turns).toBeGreaterThan(0);
    const over = new AbortController();
    const given = record.pages.events({ ...wanted, order: "desc" }, { limit: 9, signal: over.signal });
    over.abort();
    await expect(given).rejects.toThrow(/abort/);
  });
});
