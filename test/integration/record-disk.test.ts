import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import type { Health } from "../../service/kernel/part.ts";
import { Reader } from "../../service/record/record.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { entry, event, observation } from "../support/record-entries.ts";
import { openRecord, testFolder } from "../support/record-opened.ts";

/** Runs a script where it may mount a disk of its own on the folder, and reads the JSON that it prints. */
async function onOwnDisk<T>(script: string): Promise<T> {
  const folder = await testFolder();
  const path = join("test", "support", script);
  const { stdout } = await promisify(execFile)(
    "unshare",
    ["--map-root-user", "--mount", process.execPath, "--import", "tsx", path, folder],
    { timeout: 55_000 },
  );
  return JSON.parse(stdout) as T;
}

describe("a disk that runs full", () => {
  test("is said so, loses nothing that was accepted, and has all of it in order once there is space", async () => {
    const seen = await onOwnDisk<{
      written: number;
      durableWhenFull: number;
      acceptingAtFirst: boolean;
      acceptingAtLast: boolean;
      refused: string;
      whenFull: Health;
      afterwards: string;
      accepting: boolean;
      ids: number[];
      order: number[];
      counts: object;
    }>("record-full-disk.ts");
    expect(seen.whenFull.state).toBe("degraded");
    expect(seen.whenFull.reason).toMatch(/is full: free some space or lower record\.bytes/);
    expect(seen.durableWhenFull).toBeGreaterThan(0);
    expect(seen.written - seen.durableWhenFull).toBe(2000);
    expect([seen.acceptingAtFirst, seen.acceptingAtLast]).toEqual([true, false]);
    expect(seen.refused).toBe("DATA_FULL");
    expect([seen.afterwards, seen.accepting]).toEqual(["ok", true]);
    const numbers = Array.from({ length: seen.written }, (_, n) => n);
    expect(seen.order).toEqual(numbers);
    expect(seen.ids).toEqual(Array.from({ length: 2 * seen.written }, (_, n) => n + 1));
    expect(seen.counts).toMatchObject({ observations: seen.written, events: seen.written });
  });
});

describe("a disk that is mounted read-only", () => {
  test("degrades the part with a reason, and is used as soon as it can be written", async () => {
    const seen = await onOwnDisk<{
      before: Health;
      accepting: boolean;
      openWhenMended: number;
      afterwards: string;
      counts: object;
    }>("record-read-only.ts");
    expect(seen.before.state).toBe("degraded");
    expect(seen.before.reason).toMatch(/cannot be written.*read-only/);
    expect(seen.accepting).toBe(true);
    expect(seen.openWhenMended).toBe(1);
    expect(seen.afterwards).toBe("ok");
    expect(seen.counts).toEqual({ observations: 1, events: 1, openEvents: 1, outbox: 2 });
  });
});

describe("a disk that is nearly full", () => {
  test("has the oldest observations removed early, so that new ones find room when it is full", async () => {
    const seen = await onOwnDisk<{ state: string; fresh: number; oldest: string }>("record-short-disk.ts");
    expect(seen).toMatchObject({ state: "ok", fresh: 600 });
    expect(seen.oldest).toMatch(/^old-[1-9]/);
  });
});

describe("a commit whose success did not come back", () => {
  /** Fails like a sync that reports an error, once, when the commit is there for others to see. */
  class SyncFailureAfterCommit extends FakeClock {
    private done = false;

    constructor(private readonly committed: () => boolean) {
      super();
    }

    override monotonic(): number {
      if (this.done || !this.committed()) return super.monotonic();
      this.done = true;
      throw Object.assign(new Error("disk I/O error"), { code: "SQLITE_IOERR_FSYNC" });
    }
  }

  test("is found on the disk when the files are opened again, and not written twice", async () => {
    const folder = await testFolder();
    await (await openRecord(folder)).stop();
    const others = new Reader(folder);
    const clock = new SyncFailureAfterCommit(() => others.queries.counts().observations > 0);
    const record = await openRecord(folder, {}, clock);
    const first = record.write(entry(observation("o1"), event("e1")));
    while (record.health().state === "ok") await new Promise((resolve) => setImmediate(resolve));
    const second = record.write(entry(observation("o2")));
    others.close();
    clock.advance(15_000);
    await Promise.all([first, second]);
    expect(record.queries.observations().map(({ id }) => id)).toEqual(["o2", "o1"]);
    expect(record.outbox.read(0, 10).map(({ id }) => id)).toEqual([1, 2, 3]);
    expect(record.outbox.pending()).toBe(3);
  });
});
