import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { backup } from "../../service/cli/backup.ts";
import { fetchBackup } from "../../service/cli/backup-fetch.ts";
import { RunningService } from "../../service/cli/service.ts";
import { loadConfig } from "../../service/config/config.ts";
import type { Backup } from "../../service/contract/api-record.ts";
import { Database } from "../../service/kernel/sqlite.ts";
import { MIGRATIONS } from "../../service/record/migrations.ts";
import { restoreRecord } from "../../service/record/restoring.ts";
import { accessFolder, Served } from "../support/access-served.ts";
import { builtArguments, told } from "../support/perch-command.ts";
import { entry, event, observation } from "../support/record-entries.ts";
import { openRecord, testFolder } from "../support/record-opened.ts";
import { until } from "../support/until.ts";

const ID = "20261103T080000000Z";

/** A folder with a configuration of a service that listens on a port. */
async function configured(port: string | number, data: string) {
  const folder = await accessFolder();
  const file = join(folder, "perch.yaml");
  writeFileSync(file, `node: here\ndata: ${data}\nhttp: { port: ${port} }\nfeeds: []\nwatches: []\n`);
  const perch = (...words: string[]) =>
    told(folder, "", builtArguments("backup", ...words, "--config", "perch.yaml"));
  return { folder, file, perch };
}

/** A service with a backup of random bytes, behind what cuts each connection, or lets it hang, after so many bytes that come. */
async function servedBehind(cutAfter: readonly number[], how: "cut" | "hang" = "cut") {
  const service = await Served.start();
  const bytes = randomBytes(3_000_000);
  mkdirSync(join(service.data, "backups"));
  writeFileSync(join(service.data, "backups", `${ID}.db`), bytes);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const noted = { id: ID, at: "2026-11-03T08:00:00.000Z", bytes: bytes.length, sha256 };
  writeFileSync(join(service.data, "backups", `${ID}.json`), JSON.stringify(noted));
  const ranges: (string | undefined)[] = [];
  const proxy = createServer((client) => {
    const upstream = connect(Number(new URL(service.url).port), "127.0.0.1");
    const most = cutAfter[ranges.length] ?? Number.POSITIVE_INFINITY;
    let come = 0;
    client.on("data", (piece) => {
      const [, range] = /^range: (.*)\r$/im.exec(String(piece)) ?? [];
      ranges.push(range);
      upstream.write(piece);
    });
    upstream.on("data", (piece) => {
      come += piece.length;
      if (come <= most) client.write(piece);
      else if (how === "hang") upstream.pause();
      else client.end(piece.subarray(0, Math.max(0, piece.length - (come - most))));
    });
    for (const socket of [client, upstream]) {
      socket.on("error", () => undefined);
      socket.on("close", () => {
        client.destroy();
        upstream.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void proxy.close());
  const { port } = proxy.address() as { port: number };
  const { folder, file } = await configured(port, service.data);
  const to = join(folder, "fetched.db");
  const signal = new AbortController();
  const wanted = { id: ID, bytes: bytes.length, sha256, to, signal: signal.signal };
  const fetched = (over: Partial<typeof wanted> = {}) =>
    fetchBackup(new RunningService(loadConfig(file)), { ...wanted, ...over });
  return { service, bytes, ranges, folder, to, unfinished: `${to}.${ID}.unfinished`, fetched, signal };
}

describe("perch backup", () => {
  it("makes one by the running service, lists it, brings it here, removes it, and puts it back", async () => {
    const service = await Served.start();
    const { port } = new URL(service.url);
    const { folder, perch } = await configured(port, service.data);
    expect((await perch("list")).out).toBe("there are no backups; perch backup create makes one\n");
    await service.record.write(entry(observation("o1"), event("e1")));
    const created = await perch("create", "--json");
    const made = JSON.parse(created.out) as Backup;
    expect([created.code, made]).toMatchObject([0, { state: "done", scheduled: false }]);
    expect((await perch("list")).out).toMatch(new RegExp(`^${made.id}  \\S+ \\S+  asked for  [\\d.]+ kB\n$`));
    const fetched = await perch("fetch", "--out", "copy.db");
    expect(fetched).toMatchObject({ code: 0, out: expect.stringContaining(`sha256 ${made.sha256}`) });
    const copy = join(folder, "copy.db");
    expect(createHash("sha256").update(readFileSync(copy)).digest("hex")).toBe(made.sha256);
    expect(statSync(copy).mode & 0o777).toBe(0o600);
    // Nothing is written over.
    expect(await perch("fetch", made.id, "--out", "copy.db")).toMatchObject({
      ...{ code: 2, err: expect.stringContaining("copy.db is there already") },
    });
    expect((await perch("remove", made.id)).out).toBe(`the backup ${made.id} is removed\n`);
    expect(await perch("remove", made.id)).toMatchObject({
      ...{ code: 1, err: expect.stringContaining(`there is no backup ${made.id}`) },
    });
    await service.record.write(entry(observation("o2"), event("e2")));
    expect(await perch("restore", "copy.db")).toMatchObject({
      ...{ code: 1, err: expect.stringContaining("stop it, then restore") },
    });
    expect(service.record.queries.events()).toHaveLength(2);
    await service.stop();
    expect((await perch("list")).err).toContain("no service answers");
    const { code, out } = await perch("restore", "copy.db");
    expect([code, out]).toEqual([0, expect.stringContaining("the record is put back from copy.db")]);
    expect(out).toContain("accounts, tokens, changes made by HTTP and the configuration are not in a backup");
    const [, kept = ""] = /the one that was there is (\S+):/.exec(out) ?? [];
    const record = await openRecord(service.data);
    expect(record.queries.events().map(({ id }) => id)).toEqual(["e1"]);
    expect(record.queries.audit()[0]).toMatchObject({
      what: "put back the record from copy.db",
      from: "command line",
    });
    await record.stop();
    // And back again.
    expect((await perch("restore", kept)).code).toBe(0);
    const again = await openRecord(service.data);
    expect(again.queries.events().map(({ id }) => id)).toEqual(["e2", "e1"]);
  });

  it.each([
    [[], {}, "perch backup what?"],
    [["make"], {}, "perch backup make?"],
    [["remove"], {}, "remove which?"],
    [["restore"], {}, "restore which?"],
    [["create", "x"], {}, 'does not take "x"'],
    [["fetch", "x", "y"], {}, 'does not take "y"'],
    [["list"], { out: "f" }, "--out belongs to perch backup fetch"],
    [["fetch"], { json: true }, "--json belongs to"],
  ])("refuses %j with %j", async (words, options, message) => {
    const { file } = await configured(1, join(await testFolder(), "data"));
    await expect(backup({ ...options, words, config: file })).rejects.toThrow(message);
  });
});

describe("a backup that is fetched", () => {
  it("goes on over connections that break, from where it was", async () => {
    const { fetched, ranges, to, bytes, unfinished } = await servedBehind([1_000_000, 1_500_000]);
    await fetched();
    expect(readFileSync(to).equals(bytes)).toBe(true);
    expect(existsSync(unfinished)).toBe(false);
    const from = ranges.map((range) => Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1]));
    expect(from).toHaveLength(3);
    expect(from[0]).toBe(0);
    // A connection that is cut may lose the last of what it was sent.
    expect(from[1]).toBeGreaterThan(0);
    expect(from[2]).toBeGreaterThan(from[1] ?? 0);
  });

  it("is kept where it cannot go on, and goes on when it is asked for again", async () => {
    const { fetched, to, bytes, unfinished, signal, ranges } = await servedBehind([500_000], "hang");
    const ended = fetched();
    await until(() => existsSync(unfinished) && statSync(unfinished).size > 0);
    signal.abort();
    await expect(ended).rejects.toThrow(/aborted/);
    expect(existsSync(to)).toBe(false);
    const { size } = statSync(unfinished);
    await fetched({ signal: new AbortController().signal });
    expect(ranges).toEqual(["bytes=0-", `bytes=${size}-`]);
    expect(readFileSync(to).equals(bytes)).toBe(true);
  });

  it("is not taken where it is not what the service made", async () => {
    const { fetched, to, bytes, unfinished, service } = await servedBehind([]);
    writeFileSync(unfinished, Buffer.alloc(1_000_000));
    await expect(fetched()).rejects.toThrow(/is not what the service has made/);
    expect([existsSync(to), existsSync(unfinished)]).toEqual([false, false]);
    // More than there is cannot be the beginning of it.
    writeFileSync(unfinished, Buffer.alloc(bytes.length + 1));
    await fetched();
    expect(readFileSync(to).equals(bytes)).toBe(true);
    await expect(fetched({ to: join(to, "no", "such") })).rejects.toThrow(/cannot be written/);
    const another = `${to}-2`;
    await expect(fetched({ to: another, id: "20261104T080000000Z" })).rejects.toThrow(/there is no backup/);
    await service.stop();
  });
});

describe("a record that is put back", () => {
  const backedUp = async () => {
    const folder = await testFolder();
    const record = await openRecord(folder);
    await record.write(entry(observation("o1"), event("e1")));
    record.backups.begin();
    while (record.backups.list()[0]?.state !== "done")
      await new Promise((resolve) => setTimeout(resolve, 20));
    const { path } = record.backups.file(record.backups.list()[0]?.id ?? "");
    await record.stop();
    return path;
  };
  const eventsIn = async (data: string) => {
    const record = await openRecord(data);
    const ids = record.queries.events().map(({ id }) => id);
    await record.stop();
    return ids;
  };

  it("is refused where it is damaged, newer, foreign, in use or not there, and nothing is changed", async () => {
    const good = await backedUp();
    const data = await testFolder();
    const record = await openRecord(data);
    await record.write(entry(observation("here"), event("here")));
    await record.stop();
    const before = readdirSync(data).sort();
    const bytes = readFileSync(good);
    const file = join(await testFolder(), "given.db");
    const refused = (of: Buffer | string, message: RegExp) => {
      writeFileSync(file, of);
      expect(() => restoreRecord(data, file, 0)).toThrow(message);
    };
    refused("no database at all".repeat(100), /given\.db cannot be put back: it is no database/);
    refused(
      Buffer.concat([bytes.subarray(0, bytes.length / 2), randomBytes(bytes.length / 2)]),
      /it is damaged/,
    );
    refused(bytes.subarray(0, bytes.length - 4096), /it is damaged/);
    refused("", /it is no record of Perch/);
    writeFileSync(file, bytes);
    const db = new Database(file);
    db.pragma(`user_version = ${MIGRATIONS.length + 1}`);
    expect(() => restoreRecord(data, file, 0)).toThrow(/given\.db is version \d+, written by a newer Perch/);
    db.exec(`PRAGMA user_version = 1; DROP TABLE outbox`);
    expect(() => restoreRecord(data, file, 0)).toThrow(/no record of Perch/);
    db.close();
    writeFileSync(`${file}-wal`, "more");
    expect(() => restoreRecord(data, file, 0)).toThrow(/is a database in use/);
    expect(() => restoreRecord(data, `${file}-not`, 0)).toThrow(/there is no file/);
    expect(readdirSync(data).sort()).toEqual(before);
    expect(await eventsIn(data)).toEqual(["here"]);
  });

  it("is brought up from an older version, into a folder that was not there", async () => {
    const file = join(await testFolder(), "old.db");
    const db = new Database(file);
    db.exec(MIGRATIONS[0] ?? "");
    db.pragma("user_version = 1");
    db.close();
    const data = join(await testFolder(), "new", "data");
    expect(restoreRecord(data, file, 0)).toEqual({ version: 1, newest: MIGRATIONS.length, kept: undefined });
    expect(await eventsIn(data)).toEqual([]);
  });

  it("takes the place of one that is damaged, whose log is kept beside it", async () => {
    const good = await backedUp();
    const data = await testFolder();
    writeFileSync(join(data, "perch.db"), "damaged".repeat(1_000));
    writeFileSync(join(data, "perch.db-wal"), "its log");
    const { kept = "" } = restoreRecord(data, good, Date.parse("2026-11-03T08:00:00Z"));
    expect(kept).toBe(join(data, "perch.db.before-20261103T080000000Z"));
    expect(readFileSync(kept, "utf8")).toMatch(/^damaged/);
    expect(readFileSync(`${kept}-wal`, "utf8")).toBe("its log");
    expect(statSync(join(data, "perch.db")).mode & 0o777).toBe(0o600);
    // What an interrupted one left goes at the next start.
    writeFileSync(join(data, "perch.db.restoring"), "half");
    expect(await eventsIn(data)).toEqual(["e1"]);
    expect(existsSync(join(data, "perch.db.restoring"))).toBe(false);
  });

  it("has what the one that was there had in its log, when that is put back again", async () => {
    const good = await backedUp();
    const data = await testFolder();
    const record = await openRecord(data);
    await record.write(entry(observation("o9"), event("e9")));
    await record.stop();
    // As after a power cut: what was committed last is in the log only.
    const db = new Database(join(data, "perch.db"));
    db.pragma("wal_autocheckpoint = 0");
    db.exec("UPDATE event SET title = 'only in the log'");
    const files = ["perch.db", "perch.db-wal"].map((name) => [name, readFileSync(join(data, name))] as const);
    db.close();
    const cut = await testFolder();
    for (const [name, bytes] of files) writeFileSync(join(cut, name), bytes);
    const { kept = "" } = restoreRecord(cut, good, 0);
    expect(await eventsIn(cut)).toEqual(["e1"]);
    restoreRecord(cut, kept, 1);
    const again = await openRecord(cut);
    expect(again.queries.events()).toMatchObject([{ id: "e9", title: "only in the log" }]);
  });
});
