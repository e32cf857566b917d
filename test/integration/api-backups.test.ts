import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Backup } from "../../service/contract/api-record.ts";
import { iso } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Database } from "../../service/kernel/sqlite.ts";
import { Backups } from "../../service/record/backups.ts";
import { accessFolder, Served } from "../support/access-served.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { entry, event, observation } from "../support/record-entries.ts";
import { openRecord } from "../support/record-opened.ts";
import { until } from "../support/until.ts";

async function served() {
  const service = await Served.start();
  const admin = await service.adminToken();
  const list = async () => ((await service.ask("/api/backups", admin)).body as { backups: Backup[] }).backups;
  const ask = (method: string, path = "") => service.ask(`/api/backups${path}`, admin, { method });
  return { service, admin, list, ask };
}

describe("a backup", () => {
  it("is a checked copy made while the record is written to; it can be fetched, and serves as a record", async () => {
    const { service, admin, list, ask } = await served();
    await service.record.write(entry(observation("o1"), event("e1")));
    const { status, body } = await ask("POST");
    expect([status, body]).toMatchObject([202, { state: "running", bytes: null }]);
    const { id } = body as Backup;
    // One at a time, and it is not there before it is whole.
    expect((await ask("POST")).status).toBe(409);
    expect((await ask("GET", `/${id}`)).status).toBe(409);
    expect((await ask("DELETE", `/${id}`)).status).toBe(409);
    for (let n = 0; (await list())[0]?.state === "running"; n += 1)
      await service.record.write(entry(observation(`meanwhile-${n}`)));
    const [made] = await list();
    expect(made).toMatchObject({ id, state: "done", progress: 1, at: iso(service.clock.now()) });
    const response = await fetch(`${service.url}/api/backups/${id}`, {
      headers: { authorization: `Bearer ${admin}` },
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(bytes.length).toBe(made?.bytes);
    const hash = createHash("sha256").update(bytes);
    expect(response.headers.get("content-disposition")).toBe(`attachment; filename="perch-box-${id}.db"`);
    expect(response.headers.get("repr-digest")).toBe(`sha-256=:${hash.copy().digest("base64")}:`);
    expect(hash.digest("hex")).toBe(made?.sha256);
    const restored = await accessFolder();
    writeFileSync(join(restored, "perch.db"), bytes);
    const record = await openRecord(restored);
    expect(record.queries.events().map(({ id: own }) => own)).toEqual(["e1"]);
    expect(record.queries.search("crate", 10_000).observations.map(({ id: own }) => own)).toContain("o1");
    await until(() => service.record.queries.audit().length >= 5);
    expect(service.record.queries.audit().map(({ what }) => what)).toContain(`take away the backup ${id}`);
    const { mode } = statSync(join(service.data, "backups", `${id}.db`));
    expect(mode & 0o777).toBe(0o600);
  });

  it("is removed when it is told to, and is for admins alone", async () => {
    const { service, list, ask } = await served();
    const { id } = (await ask("POST")).body as Backup;
    await until(async () => (await list())[0]?.state === "done");
    expect((await ask("DELETE", `/${id}`)).status).toBe(204);
    expect(await list()).toEqual([]);
    expect(readdirSync(join(service.data, "backups"))).toEqual([]);
    for (const path of [`/${id}`, "/..%2fperch.db", "/none"])
      expect((await ask("GET", path)).status).toBe(404);
    const operator = service.token({ role: "operator" });
    expect((await service.ask("/api/backups", operator)).status).toBe(403);
  });
});

describe("backups", () => {
  const open = async (free = 1e12, used = 1e5) => {
    const data = await accessFolder();
    const db = new Database(join(data, "perch.db"));
    db.exec("CREATE TABLE one (text TEXT); INSERT INTO one VALUES ('here')");
    db.close();
    const clock = new FakeClock();
    const options = { folder: data, clock, logger: silentLogger, room: () => ({ used, free, size: 1e12 }) };
    return { data, clock, backups: new Backups(options), again: () => new Backups(options) };
  };

  it("are five at most: the newest", async () => {
    const { data, backups } = await open();
    const folder = join(data, "backups");
    mkdirSync(folder);
    const ids = Array.from({ length: 5 }, (_, n) => `2025010${n + 1}T000000000Z`);
    for (const id of ids) {
      writeFileSync(join(folder, `${id}.db`), "x");
      writeFileSync(join(folder, `${id}.json`), JSON.stringify({ id, at: id, bytes: 1, sha256: "" }));
    }
    ids.push(backups.begin().id);
    await until(() => backups.list()[0]?.state !== "running");
    expect(backups.list().map(({ id, state }) => [id, state])).toEqual(
      ids
        .reverse()
        .slice(0, 5)
        .map((id) => [id, "done"]),
    );
    expect(readdirSync(folder)).toHaveLength(10);
  });

  it("are not begun where the disk has too little room, and say how much it takes", async () => {
    const { backups } = await open(100e6, 40e6);
    expect(() => backups.begin()).toThrow(/takes about 40.0 MB.*leave 64.0 MB.*has 100.0 MB/);
    expect(backups.list()).toEqual([]);
  });

  it("that fail say why, and leave nothing behind", async () => {
    const { data, backups } = await open();
    writeFileSync(join(data, "perch.db"), "no database at all, but long enough to be looked at".repeat(20));
    backups.begin();
    await until(() => backups.list()[0]?.state !== "running");
    expect(backups.list()).toMatchObject([
      { state: "failed", fault: expect.stringMatching(/not a database/) },
    ]);
    expect(readdirSync(join(data, "backups"))).toEqual([]);
  });

  it("that were cut off are removed at the next start, and those that are done stay", async () => {
    const { data, clock, backups, again } = await open();
    backups.begin();
    await until(() => backups.list()[0]?.state === "done");
    const before = readdirSync(join(data, "backups"));
    clock.advance(1000);
    const cut = backups.begin();
    await backups.stop();
    expect(backups.list()[0]).toMatchObject({ id: cut.id, state: "failed" });
    // What a power cut leaves at worst.
    const folder = join(data, "backups");
    for (const name of ["db", "db.unfinished", "db.unfinished-journal", "json.new"])
      writeFileSync(join(folder, `20250101T000000000Z.${name}`), "half");
    writeFileSync(join(folder, "somebody-elses.txt"), "stays");
    const next = again();
    next.tidy();
    expect(readdirSync(folder).sort()).toEqual([...before, "somebody-elses.txt"].sort());
    const [done] = next.list();
    expect(done).toMatchObject({ state: "done" });
    const { path } = next.file(done?.id ?? "");
    expect(createHash("sha256").update(readFileSync(path)).digest("hex")).toBe(done?.sha256);
  });
});
