import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pino from "pino";
import { describe, expect, it, onTestFinished } from "vitest";
import { PerchError } from "../../service/kernel/errors.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Database } from "../../service/kernel/sqlite.ts";
import type { Room } from "../../service/record/backup-room.ts";
import { BackupSchedule } from "../../service/record/backup-schedule.ts";
import { Backups } from "../../service/record/backups.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { testFolder } from "../support/record-opened.ts";
import { until } from "../support/until.ts";

const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000];
const PLENTY = { used: 1e5, size: 1e12, free: 9e11 };
/** Sizes of the backups that a test puts there, bytes: no database is read of them. */
const OLD = 1_000;

/** A data folder with a database, and what makes backups of it; a life of the service after the other. */
class Box {
  readonly clock = new FakeClock();
  readonly log: string[] = [];
  room: Room | (() => Room) = PLENTY;
  private constructor(readonly data: string) {}

  static async open(): Promise<Box> {
    const box = new Box(await testFolder());
    const db = new Database(join(box.data, "perch.db"));
    db.exec("CREATE TABLE one (text TEXT); INSERT INTO one VALUES ('here')");
    db.close();
    mkdirSync(join(box.data, "backups"));
    return box;
  }

  /** An old one of the schedule, or one that somebody asked for. */
  put(id: string, scheduled = true): void {
    const at = id.replace(/^(....)(..)(..)T(..)(..)(..)(...)Z$/, "$1-$2-$3T$4:$5:$6.$7Z");
    writeFileSync(join(this.data, "backups", `${id}.db`), Buffer.alloc(OLD));
    const noted = { id, at, bytes: OLD, sha256: "", scheduled };
    writeFileSync(join(this.data, "backups", `${id}.json`), JSON.stringify(noted));
  }

  /** Bytes of the backups that there are. */
  get taken(): number {
    const folder = join(this.data, "backups");
    return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  }

  backups(): Backups {
    const logger = pino({ level: "info" }, { write: (line) => this.log.push(line) });
    const room = () => (typeof this.room === "function" ? this.room() : this.room);
    return new Backups({ folder: this.data, clock: this.clock, logger, room });
  }

  async start({ every = DAY, keep = 7, age = 1e13 } = {}) {
    const backups = this.backups();
    const options = { config: { every, keep }, age, backups, clock: this.clock, logger: silentLogger };
    const schedule = new BackupSchedule(options);
    await schedule.start();
    const stop = async () => {
      await schedule.stop();
      await backups.stop();
    };
    onTestFinished(stop);
    /** Time passes, a minute at a time, as it does: what falls due is waited for. */
    const pass = async (ms: number) => {
      for (let passed = 0; passed < ms; passed += MINUTE) {
        this.clock.advance(MINUTE);
        await new Promise((resolve) => setImmediate(resolve));
        await until(() => backups.list()[0]?.state !== "running");
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    return { backups, schedule, pass, stop, made: () => backups.done().length };
  }
}

describe("the schedule of backups", () => {
  it("makes one a while after the first start, and then every so often, over restarts", async () => {
    const box = await Box.open();
    const first = await box.start();
    await first.pass(9 * MINUTE);
    expect(first.made()).toBe(0);
    await first.pass(2 * MINUTE);
    expect(first.backups.list()).toMatchObject([{ state: "done", scheduled: true }]);
    expect(first.schedule.health()).toMatchObject({
      state: "ok",
      detail: { newest: first.backups.list()[0]?.at, scheduled: true },
    });
    await first.pass(23 * HOUR);
    expect(first.made()).toBe(1);
    await first.stop();
    // Off for less than what is left: it goes on from the backup, not from the start.
    const second = await box.start();
    await second.pass(50 * MINUTE);
    expect(second.made()).toBe(1);
    await second.pass(11 * MINUTE);
    expect(second.made()).toBe(2);
    await second.stop();
    // Long overdue after a long night: not at the start, and one only.
    box.clock.advance(10 * DAY);
    const third = await box.start();
    await third.pass(9 * MINUTE);
    expect(third.made()).toBe(2);
    await third.pass(5 * HOUR);
    expect(third.made()).toBe(3);
  });

  it("makes none where it is told so", async () => {
    const box = await Box.open();
    const { pass, made, schedule } = await box.start({ every: 0 });
    await pass(26 * HOUR);
    expect(made()).toBe(0);
    expect(schedule.health()).toMatchObject({ state: "ok", detail: { newest: "none", scheduled: false } });
  });

  it("keeps so many of its own, and those that somebody asked for beside them", async () => {
    const box = await Box.open();
    const own = ["20240101T000000000Z", "20240102T000000000Z", "20240103T000000000Z"];
    const asked = [1, 2, 3, 4, 5].map((day) => `2023010${day}T000000000Z`);
    for (const id of own) box.put(id);
    for (const id of asked) box.put(id, false);
    const { pass, backups } = await box.start({ keep: 2 });
    await pass(11 * MINUTE);
    const idsOf = (scheduled: boolean) =>
      backups.done().flatMap((one) => (one.scheduled === scheduled ? one.id : []));
    const first = backups.done()[0]?.id;
    expect([idsOf(true), idsOf(false)]).toEqual([[first, own[2]], asked.toReversed()]);
    // And the other way round.
    const { id } = backups.begin();
    await until(() => backups.list()[0]?.state === "done");
    expect([idsOf(true), idsOf(false)]).toEqual([
      [first, own[2]],
      [id, ...asked.slice(1).reverse()],
    ]);
  });

  it("keeps none of its own for longer than the record keeps what it saw, whether more are made or not", async () => {
    const box = await Box.open();
    // The clock stands at 2025-06-15T15:06:40Z.
    box.put("20250608T150800000Z");
    box.put("20250608T150500000Z");
    box.put("20240101T000000000Z", false);
    const { pass, backups } = await box.start({ every: 0, age: 7 * DAY });
    const ids = () => backups.done().map(({ id }) => id);
    await pass(MINUTE);
    expect(ids()).toEqual(["20250608T150800000Z", "20240101T000000000Z"]);
    await pass(MINUTE);
    expect(ids()).toEqual(["20240101T000000000Z"]);
  });

  it("does not stop, nor begin anew, where the clock is set", async () => {
    const box = await Box.open();
    // Made while the clock was a year ahead: the next one comes a day later all the same.
    box.put("20260615T000000000Z");
    const { pass, made, backups } = await box.start({ keep: 1 });
    await pass(23 * HOUR);
    expect(made()).toBe(1);
    await pass(2 * HOUR);
    // The one that was just made stays, though the other is newer by its name.
    expect(backups.list().map(({ id }) => id.slice(0, 6))).toEqual(["202506"]);
  });

  it("that fails says why in health and list, tries again every hour, and is well when one is made", async () => {
    const box = await Box.open();
    box.room = { ...PLENTY, free: 5e10 };
    const { pass, backups, schedule } = await box.start();
    await pass(12 * MINUTE);
    const [failed] = backups.list();
    expect(failed).toMatchObject({
      state: "failed",
      scheduled: true,
      fault: expect.stringMatching(/takes about [0-9.]+ kB and has to leave 100.0 GB; the disk has 50.0 GB/),
    });
    expect(schedule.health()).toMatchObject({
      state: "degraded",
      reason: expect.stringMatching(/^the backup of 20.* failed: a backup takes .*tried again every hour/),
    });
    const failures = () => box.log.filter((line) => /"the backup \S+ failed: /.test(line)).length;
    expect(failures()).toBe(1);
    await pass(2 * HOUR);
    expect(failures()).toBe(3);
    // One that somebody has made will do, and is counted from.
    box.room = { ...PLENTY, free: 2e11 };
    backups.begin();
    await until(() => backups.list()[0]?.state === "done");
    expect(schedule.health().state).toBe("ok");
    await pass(23 * HOUR);
    expect(backups.done()).toHaveLength(1);
    await pass(HOUR);
    expect(backups.done()).toHaveLength(2);
    expect(schedule.health().state).toBe("ok");
  });

  it("lets its oldest go for a new one where the disk is short, and none where that is not enough", async () => {
    const box = await Box.open();
    const own = ["20240101T000000000Z", "20240102T000000000Z", "20240103T000000000Z"];
    for (const id of own) box.put(id);
    box.put("20230101T000000000Z", false);
    // Leaves 1 GB; and half of it before anything goes that is there.
    const size = 1e10;
    const filled = (short: number) => {
      const taken = box.taken;
      box.room = () => ({ used: 500, size, free: 1e9 + 500 - short + (taken - box.taken) });
    };
    filled(3 * OLD);
    const { pass, backups } = await box.start();
    await pass(11 * MINUTE);
    expect(backups.list()[0]).toMatchObject({ state: "failed" });
    expect(backups.done()).toHaveLength(4);
    filled(OLD + 1);
    await pass(HOUR);
    expect(
      backups
        .done()
        .map(({ id }) => id)
        .slice(1),
    ).toEqual([own[2], "20230101T000000000Z"]);
  });

  it("gives way where something else fills the disk, one at a time, and keeps its last and what was asked for", async () => {
    const box = await Box.open();
    const own = ["20240101T000000000Z", "20240102T000000000Z", "20240103T000000000Z"];
    for (const id of own) box.put(id);
    box.put("20230101T000000000Z", false);
    box.room = { used: 1e5, size: 1e10, free: 4e8 };
    const { pass, backups } = await box.start();
    await pass(MINUTE);
    expect(backups.done().map(({ id }) => id)).toEqual([own[2], own[1], "20230101T000000000Z"]);
    await pass(5 * MINUTE);
    expect(backups.done().map(({ id }) => id)).toEqual([own[2], "20230101T000000000Z"]);
    expect(box.log.filter((line) => line.includes("was removed early"))).toHaveLength(2);
  });

  it("says so where it cannot even look, and goes on when it can", async () => {
    const box = await Box.open();
    box.room = () => {
      throw new PerchError("DATA_UNWRITABLE", "the record is not open");
    };
    const { pass, schedule, made } = await box.start();
    await pass(12 * MINUTE);
    expect(schedule.health()).toMatchObject({ state: "degraded", reason: "the record is not open" });
    box.room = PLENTY;
    await pass(MINUTE);
    expect([schedule.health().state, made()]).toEqual(["ok", 1]);
  });

  it("ends the one that is made where the disk runs short meanwhile, and leaves nothing of it", async () => {
    const box = await Box.open();
    const { backups } = await box.start();
    backups.begin();
    box.room = { ...PLENTY, free: 1e6 };
    box.clock.advance(1_000);
    await until(() => backups.list()[0]?.state !== "running");
    expect(backups.list()).toMatchObject([
      { state: "failed", fault: expect.stringMatching(/ran short while it was made/) },
    ]);
    expect(readdirSync(join(box.data, "backups"))).toEqual([]);
  });
});
