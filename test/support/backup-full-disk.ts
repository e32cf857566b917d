import { execFileSync } from "node:child_process";
import { readdirSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { Record } from "../../service/record/record.ts";
import { entry, observation } from "./record-entries.ts";

// node --import tsx backup-full-disk.ts FOLDER: in a mount namespace of its own. Has a record backed up on a disk that
// runs full under the copy while the record is written to, and prints what was seen as JSON.
const [folder = ""] = process.argv.slice(2);
execFileSync("mount", ["-t", "tmpfs", "-o", "size=256m", "tmpfs", folder]);
// Keeps the process alive while only the record's own timers are left, and ends it if it hangs.
const deadline = setTimeout(() => process.exit(1), 50_000);

const data = join(folder, "data");
const record = new Record({
  folder: data,
  config: { thumbnail: 24_000, age: 1e13, bytes: 2e9 },
  clock: systemClock,
  logger: silentLogger,
  metrics: new Metrics(),
});
await record.start();
const answer = { note: "y".repeat(8_000) };
let written = 0;
const write = () => record.write(entry(observation(`o${written++}`, { answer }, Date.now())));
await Promise.all(Array.from({ length: 1_000 }, write));

/** Leaves so many bytes beside what is there. */
const leave = (bytes: number) => {
  const { blocks, bfree, bsize } = statfsSync(folder);
  execFileSync("mount", ["-o", `remount,size=${(blocks - bfree) * bsize + bytes}`, folder]);
};
const over = async () => {
  while (record.backups.list()[0]?.state === "running") await new Promise((wake) => setTimeout(wake, 2));
};

record.backups.begin();
// A tenth of what the copy takes.
leave(1_500_000);
const writes: Promise<void>[] = [];
while (record.backups.list()[0]?.state === "running") {
  if (writes.length < 60) writes.push(write());
  await new Promise((wake) => setTimeout(wake, 2));
}
const failed = record.backups.list();
const left = readdirSync(join(data, "backups"));
// They may have to wait until the copy that failed is gone, and no longer.
await Promise.all(writes);
const health = record.health().state;
const counts = record.queries.counts();

leave(8_000_000);
let refused: unknown;
try {
  record.backups.begin();
} catch (error) {
  refused = error instanceof Error && "status" in error ? error.status : error;
}
execFileSync("mount", ["-o", "remount,size=256m", folder]);
record.backups.begin();
await over();
process.stdout.write(
  JSON.stringify({ failed, left, health, written, counts, refused, afterwards: record.backups.list() }),
);
await record.stop();
clearTimeout(deadline);
