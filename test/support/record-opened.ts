import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Clock } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { Record, type RecordLimits } from "../../service/record/record.ts";
import { FakeClock } from "./fake-clock.ts";

/** A folder of this test's own, gone when the test is over. */
export async function testFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "perch-record-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A record that has not started, with plenty of room unless told otherwise. */
export function recordIn(
  folder: string,
  over: Partial<RecordLimits> = {},
  clock: Clock = new FakeClock(),
): Record {
  return new Record({
    folder,
    config: { thumbnail: 24_000, age: 30 * 86_400_000, bytes: 2e9, ...over },
    clock,
    logger: silentLogger,
    metrics: new Metrics(),
  });
}

/** A record at work, stopped when the test is over. */
export async function openRecord(
  folder: string,
  over?: Partial<RecordLimits>,
  clock?: Clock,
): Promise<Record> {
  const record = recordIn(folder, over, clock);
  onTestFinished(() => record.stop());
  await record.start();
  return record;
}
