import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Database } from "../../service/kernel/sqlite.ts";
import { MIGRATIONS, migrate } from "../../service/record/migrations.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { entry, event, observation } from "../support/record-entries.ts";
import { openRecord, recordIn, testFolder } from "../support/record-opened.ts";

const version = (db: Database) => db.pragma("user_version", { simple: true });

describe("a database of another version", () => {
  test("that is older is brought up step by step and keeps its rows", async () => {
    const folder = await testFolder();
    const record = await openRecord(folder);
    await record.write(entry(observation("o1"), event("e1")));
    await record.stop();
    const db = new Database(join(folder, "perch.db"));
    migrate(db, [...MIGRATIONS, "ALTER TABLE observation ADD COLUMN remark TEXT NOT NULL DEFAULT 'none'"]);
    expect(version(db)).toBe(MIGRATIONS.length + 1);
    expect(db.prepare("SELECT id, remark FROM observation").all()).toEqual([{ id: "o1", remark: "none" }]);
    db.close();
  });

  test("stays at the last step that worked where one fails", async () => {
    const folder = await testFolder();
    const db = new Database(join(folder, "perch.db"));
    const broken = "CREATE TABLE half (id INTEGER); CREATE TABLE observation (id INTEGER);";
    expect(() => migrate(db, [...MIGRATIONS, broken])).toThrow("already exists");
    expect(version(db)).toBe(MIGRATIONS.length);
    expect(db.prepare("SELECT name FROM sqlite_schema WHERE name = 'half'").all()).toEqual([]);
    db.close();
  });

  test("that a newer Perch wrote is refused, untouched, and says what to do", async () => {
    const folder = await testFolder();
    const db = new Database(join(folder, "perch.db"));
    db.pragma("user_version = 99");
    db.close();
    const record = recordIn(folder);
    await expect(record.start()).rejects.toMatchObject({
      code: "DATA_NEWER",
      message: expect.stringMatching(/version 99.*newer Perch/),
    });
    await record.stop();
    const again = new Database(join(folder, "perch.db"));
    expect(version(again)).toBe(99);
    expect(again.prepare("SELECT name FROM sqlite_schema").all()).toEqual([]);
    again.close();
  });
});

describe("a file that is no database", () => {
  const NOTES = "These are somebody's notes.\n".repeat(200);

  test("is left alone; the part says to move it away, and works once that is done", async () => {
    const folder = await testFolder();
    const path = join(folder, "perch.db");
    await writeFile(path, NOTES);
    const clock = new FakeClock();
    const record = await openRecord(folder, {}, clock);
    expect(record.health()).toMatchObject({
      state: "degraded",
      reason: expect.stringMatching(/perch\.db is damaged.*move it.*away/),
    });
    expect(() => record.openEvents()).toThrow("damaged");
    const write = record.write(entry(observation("o1")));
    expect(await readFile(path, "utf8")).toBe(NOTES);

    await rename(path, join(folder, "notes.txt"));
    clock.advance(15_000);
    await write;
    expect(record.health().state).toBe("ok");
    expect(record.queries.counts().observations).toBe(1);
  });

  test("found damaged after a run that was cut off is noticed at the start", async () => {
    const folder = await testFolder();
    const path = join(folder, "perch.db");
    const first = await openRecord(folder);
    for (let n = 0; n < 200; n += 1) void first.write(entry(observation(`o${n}`)));
    await first.stop();
    const bytes = await readFile(path);
    bytes.fill(0xa5, 4096 * 4, 4096 * 20);
    await writeFile(path, bytes);
    // A log that was left behind is how a run that did not end cleanly shows.
    await writeFile(`${path}-wal`, Buffer.alloc(32));
    const record = await openRecord(folder);
    expect(record.health()).toMatchObject({ state: "degraded", reason: expect.stringContaining("damaged") });
  });
});

describe("a folder", () => {
  test("where a file stands in the way degrades the part until it is out of the way", async () => {
    const folder = join(await testFolder(), "data");
    await writeFile(folder, "in the way");
    const clock = new FakeClock();
    const record = await openRecord(folder, {}, clock);
    expect(record.health()).toMatchObject({ state: "degraded", reason: expect.stringContaining(folder) });
    const restored = record.whenOpen().then(() => record.openEvents());
    const write = record.write(entry(observation("o1"), event("e1")));
    await rm(folder);
    clock.advance(15_000);
    await write;
    expect(await restored).toHaveLength(1);
  });

  test("that was taken away from under the record is made again, and what is written then is kept", async () => {
    const folder = join(await testFolder(), "data");
    await mkdir(folder);
    const clock = new FakeClock();
    const record = await openRecord(folder, {}, clock);
    await record.write(entry(observation("o1")));
    await rm(folder, { recursive: true });
    const write = record.write(entry(observation("o2")));
    while (record.health().state === "ok") await new Promise((resolve) => setImmediate(resolve));
    expect(record.health().reason).toContain("removed or replaced");
    clock.advance(15_000);
    await write;
    await record.stop();
    expect((await openRecord(folder)).queries.observations().map(({ id }) => id)).toEqual(["o2"]);
  });
});
