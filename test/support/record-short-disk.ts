import { execFileSync } from "node:child_process";
import { statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { Record } from "../../service/record/record.ts";
import { entry, observation } from "./record-entries.ts";

// node --import tsx record-short-disk.ts FOLDER: in a mount namespace of its own. Has a record with old
// observations run while somebody else takes the rest of the disk, and prints what was seen as JSON.
const [folder = ""] = process.argv.slice(2);
execFileSync("mount", ["-t", "tmpfs", "-o", "size=48m", "tmpfs", folder]);

const record = new Record({
  folder: join(folder, "data"),
  config: { thumbnail: 24_000, age: 1e13, bytes: 2e9 },
  clock: systemClock,
  logger: silentLogger,
  metrics: new Metrics(),
});
await record.start();

const answer = { note: "y".repeat(6_000) };
async function write(id: string, captured: number): Promise<void> {
  await record.write(entry(observation(id, { answer }, captured)));
  await record.outbox.acknowledge(record.outbox.read(0, 100).map((row) => row.id));
}

const threeDays = 3 * 86_400_000;
for (let n = 0; n < 3_000; n += 1) await write(`old-${n}`, Date.now() - threeDays + n);
await record.retain();
const { bavail, bsize } = statfsSync(folder);
// The log beside the database may grow by the pages of one commit.
writeFileSync(join(folder, "of-somebody-else"), Buffer.alloc(bavail * bsize - 131_072));
// More than the free space takes: pages of what is old have to serve again.
for (let n = 0; n < 600; n += 1) await write(`new-${n}`, Date.now());

const left = record.queries.observations({ limit: 10_000 }).map(({ id }) => id);
process.stdout.write(
  JSON.stringify({
    state: record.health().state,
    fresh: left.filter((id) => id.startsWith("new-")).length,
    oldest: left.at(-1),
  }),
);
await record.stop();
