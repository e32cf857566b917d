import { chownSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Tokens } from "../../service/api/access/tokens.ts";
import type { AuditRow } from "../../service/contract/access.ts";
import { Database } from "../../service/kernel/sqlite.ts";
import { MIGRATIONS, migrate } from "../../service/record/migrations.ts";
import { appendAudit, Reader } from "../../service/record/record.ts";
import { accessFolder, Served, wish } from "../support/access-served.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { perchIn } from "../support/perch-command.ts";
import { openRecord } from "../support/record-opened.ts";
import { until } from "../support/until.ts";

const row = (what: string, over: Partial<AuditRow> = {}): AuditRow => ({
  ...{ at: 1_750_000_000_000, who: "anna", role: "admin", from: "command line", outcome: "done" },
  what,
  ...over,
});
const entry = (audit: AuditRow) => ({ events: [], messages: [], audit });

function auditIn(folder: string): AuditRow[] {
  const reader = new Reader(folder);
  try {
    return reader.queries.audit();
  } finally {
    reader.close();
  }
}

describe("a change by HTTP", () => {
  it("is in the audit with who asked, from where, for what, and what came of it", async () => {
    const served = await Served.start();
    await served.command(served.token({ role: "operator", name: "line-3" }), { mode: "frozen", for: "2h" });
    await served.command(await served.adminToken(), { mode: "quick" });
    await until(() => served.record.queries.audit().length === 2);
    expect(served.record.queries.audit()).toEqual([
      {
        ...{ at: served.clock.now(), who: "admin.token", role: "admin", from: "127.0.0.1" },
        ...{ what: 'governor {"mode":"quick"}', outcome: expect.stringMatching(/^refused: .*mode/) },
      },
      {
        ...{ at: served.clock.now(), who: "line-3", role: "operator", from: "127.0.0.1" },
        ...{ what: 'governor {"mode":"frozen","for":"2h"}', outcome: "done" },
      },
    ]);
  });

  it("is not in it where nobody with a right to it asked, and never with a secret", async () => {
    const served = await Served.start();
    await served.command(undefined);
    await served.command(served.token({ role: "viewer" }));
    const token = served.token({ role: "operator" });
    await served.command(token);
    await until(() => served.record.queries.audit().length > 0);
    const rows = served.record.queries.audit();
    expect(rows.map(({ who }) => who)).toEqual(["a-operator"]);
    expect(JSON.stringify(rows)).not.toContain(token.slice(-43));
  });

  it("is kept cut short where somebody asks at length", async () => {
    const served = await Served.start();
    await served.command(await served.adminToken(), { mode: "x".repeat(900) });
    await until(() => served.record.queries.audit().length > 0);
    const [kept] = served.record.queries.audit();
    expect([kept?.what.length, kept?.what.at(-1), (kept?.outcome.length ?? 0) <= 500]).toEqual([
      500,
      "…",
      true,
    ]);
  });
});

describe("the audit in the record", () => {
  it("is removed with the rest when it is older than record.age", async () => {
    const clock = new FakeClock();
    const record = await openRecord(await accessFolder(), { age: 86_400_000 }, clock);
    await record.write(entry(row("old", { at: clock.now() })));
    clock.advance(90_000_000);
    await record.write(entry(row("new", { at: clock.now() })));
    await record.retain();
    expect(record.queries.audit().map(({ what }) => what)).toEqual(["new"]);
  });

  it("comes with the next start to a database of an earlier version", async () => {
    const folder = await accessFolder();
    const old = new Database(join(folder, "perch.db"));
    old.pragma("journal_mode = WAL");
    migrate(old, MIGRATIONS.slice(0, 2));
    old.close();
    const record = await openRecord(folder);
    await record.write(entry(row("first")));
    expect(record.queries.audit({ limit: 1 })).toEqual([row("first")]);
  });
});

describe("a change that the command line makes by itself", () => {
  it("goes into the audit of a service that runs, and one commits beside the other", async () => {
    const folder = await accessFolder();
    const record = await openRecord(folder);
    for (let n = 0; n < 20; n += 1) {
      appendAudit(folder, row(`command ${n}`));
      await record.write(entry(row(`service ${n}`)));
    }
    expect(record.queries.audit()).toHaveLength(40);
    expect(record.health().state).toBe("ok");
  });

  it("goes into the audit where no service runs: not yet, not any more, or not since it was cut off", async () => {
    const folder = await accessFolder();
    appendAudit(folder, row("before"));
    const record = await openRecord(folder);
    await record.write(entry(row("during")));
    await record.stop();
    appendAudit(folder, row("after"));
    writeFileSync(join(folder, "perch.db-wal"), Buffer.alloc(32));
    appendAudit(folder, row("cut off"));
    expect(auditIn(folder).map(({ what }) => what)).toEqual(["cut off", "after", "during", "before"]);
    await (await openRecord(folder)).stop();
  });

  it("leaves files of the data folder's owner, also where root makes them", async () => {
    const folder = await accessFolder();
    if (process.getuid?.() === 0) chownSync(folder, 1234, 1234);
    new Tokens(folder).create(wish({ role: "viewer" }), Date.now());
    appendAudit(folder, row("first"));
    const made = readdirSync(folder, { recursive: true, encoding: "utf8" });
    expect(made).toEqual(expect.arrayContaining(["perch.db", "perch.lock", "tokens"]));
    const { uid } = statSync(folder);
    for (const name of made) expect([name, statSync(join(folder, name)).uid]).toEqual([name, uid]);
  });

  it("is refused with the reason where another version runs", async () => {
    const folder = await accessFolder();
    const record = await openRecord(folder);
    const db = new Database(join(folder, "perch.db"));
    db.pragma(`user_version = ${MIGRATIONS.length - 1}`);
    expect(() => appendAudit(folder, row("x"))).toThrow("of another version: restart it");
    db.pragma(`user_version = ${MIGRATIONS.length}`);
    db.close();
    await record.stop();
  });
});

describe("perch audit", () => {
  async function configured(): Promise<string> {
    const folder = await accessFolder();
    writeFileSync(join(folder, "perch.yaml"), "node: here\ndata: data\nfeeds: []\nwatches: []\n");
    return folder;
  }
  const audit = (folder: string, ...words: string[]) =>
    perchIn(folder, "audit", "--config", "perch.yaml", ...words);

  it("shows who changed what, newest first, beside a service that runs", async () => {
    const folder = await configured();
    expect(await audit(folder)).toEqual({ code: 0, out: "nothing was changed yet\n", err: "" });
    const record = await openRecord(join(folder, "data"));
    await record.write(entry(row("token create a", { at: Date.now() })));
    const hostile = { who: "anybody at the broker", role: null, from: "mqtt", outcome: "refused: no" };
    await record.write(entry(row("governor \u001b[2J\u009b\u202eevil", { ...hostile, at: Date.now() })));
    const { code, out } = await audit(folder);
    expect(code).toBe(0);
    const [first, second] = out.trimEnd().split("\n");
    expect(first).toMatch(
      / {2}anybody at the broker from mqtt: {2}governor \\u001b\[2J\\u009b\\u202eevil: {2}refused: no$/,
    );
    expect(second).toMatch(
      /^\d{4}-\d\d-\d\d [\d:]{8} {2}anna \(admin\) from command line: {2}token create a: {2}done$/,
    );
    expect(JSON.parse((await audit(folder, "--json", "--limit", "1")).out)).toMatchObject([
      { from: "mqtt", role: null },
    ]);
  });

  it("says that a record of an earlier version has none yet", async () => {
    const folder = await configured();
    mkdirSync(join(folder, "data"));
    const old = new Database(join(folder, "data/perch.db"));
    migrate(old, MIGRATIONS.slice(0, 2));
    old.close();
    const { code, err } = await audit(folder);
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/an older one, which the next start brings up\n$/),
    ]);
  });

  it("refuses a limit that is none", async () => {
    const folder = await configured();
    for (const limit of ["0", "-1", "many", "1.5", "10001"]) {
      const { code, err } = await audit(folder, `--limit=${limit}`);
      expect([code, err]).toEqual([2, expect.stringContaining(`--limit ${limit}: must be a whole number`)]);
    }
  });
});
