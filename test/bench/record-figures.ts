import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { Record } from "../../service/record/record.ts";
import { entry, event, observation } from "../support/record-entries.ts";
import type { Figure } from "./figure.ts";

const WRITERS = 256;
const GROUPED_MS = 5_000;
const LONE_WRITES = 300;
const LONE_PAUSE = 10;

/** How fast the record takes entries in, each durable (synchronous=FULL), on the disk of the temporary folder. */
export async function recordFigures(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), "perch-bench-record-"));
  const record = new Record({
    folder,
    config: { thumbnail: 24_000, age: 30 * 86_400_000, bytes: 2e9 },
    clock: systemClock,
    logger: silentLogger,
    metrics: new Metrics(),
  });
  await record.start();
  try {
    const lone = await loneWrites(record);
    const grouped = await groupedWrites(record);
    return [
      { name: "events committed in groups", value: grouped, unit: "1/s", goal: 5_000, ok: grouped >= 5_000 },
      { name: "lone write, p50", value: percentile(lone, 0.5), unit: "ms", goal: null, ok: true },
      { name: "lone write, p99", value: percentile(lone, 0.99), unit: "ms", goal: null, ok: true },
    ];
  } finally {
    await record.stop();
    await rm(folder, { recursive: true });
  }
}

/** Ms from write() to durable, of entries that come one by one. */
async function loneWrites(record: Record): Promise<number[]> {
  const times: number[] = [];
  for (let number = 0; number < LONE_WRITES; number += 1) {
    await new Promise((resolve) => setTimeout(resolve, LONE_PAUSE));
    const begun = performance.now();
    await record.write(entry(observation(`lone-${number}`), event(`lone-event-${number}`)));
    times.push(performance.now() - begun);
  }
  return times.sort((a, b) => a - b);
}

/** Events a second from writers that each wait for their entry to be durable; acknowledged as they go. */
async function groupedWrites(record: Record): Promise<number> {
  const begun = performance.now();
  let written = 0;
  const writers = Array.from({ length: WRITERS }, async (_, writer) => {
    for (let number = 0; performance.now() - begun < GROUPED_MS; number += 1) {
      const name = `${writer}-${number}`;
      await record.write(
        entry(observation(`grouped-${name}`, {}, Date.now()), event(`event-${name}`, {}, Date.now())),
      );
      written += 1;
    }
  });
  await Promise.all(writers);
  return Math.round((written / (performance.now() - begun)) * 1000);
}

function percentile(sorted: readonly number[], share: number): number {
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return Math.round(value * 1000) / 1000;
}
