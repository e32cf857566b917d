import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, onTestFinished, test } from "vitest";
import { Reader } from "../../service/record/record.ts";
import { entry, event, observation } from "../support/record-entries.ts";
import { openRecord, recordIn, testFolder } from "../support/record-opened.ts";

/** A process that writes until it is killed, and the ids that it said were durable. */
async function startWriter(
  folder: string,
  name: string,
): Promise<{ child: ChildProcess; durable: string[] }> {
  const child = spawn(process.execPath, ["--import", "tsx", "test/support/record-writer.ts", folder, name], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const durable: string[] = [];
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => line !== "ready" && durable.push(line));
  await Promise.race([once(lines, "line"), once(child, "exit")]);
  expect(child.exitCode).toBeNull();
  return { child, durable };
}

async function killed(child: ChildProcess): Promise<void> {
  const closed = once(child, "close");
  child.kill("SIGKILL");
  await closed;
}

const until = async (condition: () => boolean) => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
};

describe("an entry", () => {
  test("that was durable is there whole after kill -9, and none is there by half", async () => {
    const folder = await testFolder();
    for (const round of [0, 1, 2]) {
      const { child, durable } = await startWriter(folder, `round${round}`);
      await until(() => durable.length > 150 + 90 * round || child.exitCode !== null);
      await killed(child);

      const record = await openRecord(folder);
      const rows = record.outbox.read(0, 1_000_000);
      const observations = record.queries.observations({ limit: 1_000_000 });
      const stored = new Set(observations.map(({ id }) => id));
      const events = record.queries.events({ limit: 1_000_000 }).map(({ id }) => id);
      const sent = rows.map(({ payload }) => (JSON.parse(payload) as { id: string }).id);
      expect(durable.filter((id) => !stored.has(id))).toEqual([]);
      expect(events.sort()).toEqual([...stored].map((id) => `event-${id}`).sort());
      expect(sent.sort()).toEqual([...stored, ...events].sort());
      await record.stop();
    }
  });

  test("is readable again as it was written", async () => {
    const record = await openRecord(await testFolder());
    const seen = observation("o1");
    const ended = event("e1", {
      sequence: 3,
      phase: "end",
      ended: "2025-06-15T15:06:41.500Z",
      reason: "rule removed",
    });
    await record.write(entry(seen, ended));
    expect(record.queries.observations()).toEqual([seen]);
    expect(record.queries.events()).toEqual([ended]);
  });

  test("that is wrong is refused alone; those beside it are kept in order", async () => {
    const record = await openRecord(await testFolder());
    await record.write(entry(observation("twice")));
    const outcomes = await Promise.allSettled([
      record.write(entry(observation("before"))),
      record.write(entry(observation("twice"))),
      record.write(entry(observation("after"))),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    const ids = record.outbox.read(0, 10).map(({ payload }) => (JSON.parse(payload) as { id: string }).id);
    expect(ids).toEqual(["twice", "before", "after"]);
    expect(record.health().state).toBe("ok");
  });

  test("that came late for its event does not set the event back", async () => {
    const record = await openRecord(await testFolder());
    await record.write(entry(undefined, event("e1", { sequence: 2, phase: "update", severity: "alarm" })));
    await record.write(entry(undefined, event("e1", { sequence: 1, phase: "update", severity: "info" })));
    expect(record.openEvents()).toMatchObject([{ sequence: 2, severity: "alarm" }]);
  });

  test("written when the record stops is committed before it has stopped", async () => {
    const folder = await testFolder();
    const record = await openRecord(folder);
    const written = Promise.all(
      Array.from({ length: 30 }, (_, n) => record.write(entry(observation(`o${n}`)))),
    );
    await record.stop();
    await written;
    await expect(record.write(entry(observation("late")))).rejects.toMatchObject({ code: "DATA_UNWRITABLE" });
    expect((await openRecord(folder)).queries.counts().observations).toBe(30);
  });
});

describe("the outbox", () => {
  test("gives messages in the order of their writing, whatever shares a commit", async () => {
    const record = await openRecord(await testFolder());
    const writes = Array.from({ length: 1200 }, (_, n) =>
      record.write(entry(observation(`o${n}`), event(`e${n}`))),
    );
    await Promise.all(writes);
    const rows = record.outbox.read(0, 5000);
    const expected = Array.from({ length: 1200 }, (_, n) => [`o${n}`, `e${n}`]).flat();
    expect(rows.map(({ payload }) => (JSON.parse(payload) as { id: string }).id)).toEqual(expected);
    expect(record.outbox.pending()).toBe(2400);
  });

  test("loses what was acknowledged, and nothing else", async () => {
    const record = await openRecord(await testFolder());
    await record.write(entry(observation("o1"), event("e1"), event("e2")));
    await Promise.all([record.outbox.acknowledge([1]), record.outbox.acknowledge([3, 99])]);
    expect(record.outbox.read(0, 10).map(({ id }) => id)).toEqual([2]);
    expect(record.outbox.pending()).toBe(1);
  });

  test("says when messages were added, after they can be read, until told to stop", async () => {
    const record = await openRecord(await testFolder());
    const seen: number[] = [];
    const end = record.outbox.onAppended(() => seen.push(record.outbox.read(0, 10).length));
    await record.write(entry(observation("o1")));
    end();
    await record.write(entry(observation("o2")));
    expect(seen).toEqual([1]);
  });

  test("keeps ids over a restart and never gives one twice, even when all were acknowledged", async () => {
    const folder = await testFolder();
    const first = await openRecord(folder);
    await first.write(entry(observation("o1"), event("e1")));
    await first.outbox.acknowledge([1]);
    await first.stop();

    const second = await openRecord(folder);
    expect(second.outbox.read(0, 10).map(({ id }) => id)).toEqual([2]);
    expect(second.outbox.pending()).toBe(1);
    await second.outbox.acknowledge([2]);
    await second.stop();

    const third = await openRecord(folder);
    await third.write(entry(observation("o2")));
    expect(third.outbox.read(0, 10).map(({ id }) => id)).toEqual([3]);
  });
});

describe("a data folder", () => {
  test("is for one process: the second is told which one has it, and gets it once that was killed", async () => {
    const folder = await testFolder();
    const { child } = await startWriter(folder, "first");
    await expect(recordIn(folder).start()).rejects.toMatchObject({
      code: "DATA_LOCKED",
      message: expect.stringContaining(`process ${child.pid} `),
    });
    await killed(child);
    expect((await openRecord(folder)).health().state).toBe("ok");
  });

  test("can be read by others while the service works", async () => {
    const folder = await testFolder();
    const record = await openRecord(folder);
    await record.write(entry(observation("o1")));
    const reader = new Reader(folder);
    expect(reader.queries.observations()).toHaveLength(1);
    await record.write(entry(observation("o2")));
    expect(reader.queries.observations()).toHaveLength(2);
    reader.close();
  });

  test("is created with its database for nobody else to read", async () => {
    const folder = join(await testFolder(), "deep", "data");
    await openRecord(folder);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await stat(join(folder, "perch.db"))).mode & 0o777).toBe(0o600);
  });
});
