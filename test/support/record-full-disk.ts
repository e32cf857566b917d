import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../service/kernel/clock.ts";
import { isPerchError } from "../../service/kernel/errors.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { Record } from "../../service/record/record.ts";
import { entry, event, observation } from "./record-entries.ts";

// node --import tsx record-full-disk.ts FOLDER: in a mount namespace of its own. Puts a disk of
// 8 MB on FOLDER, lets it run full under a record at work, frees space, and prints what was seen as JSON.
const [folder = ""] = process.argv.slice(2);
execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", folder]);

// Keeps the process alive while only the record's own timers are left, and ends it if it hangs.
const deadline = setTimeout(() => process.exit(1), 50_000);

const record = new Record({
  folder: join(folder, "data"),
  config: { thumbnail: 24_000, age: 1e13, bytes: 2e9 },
  clock: systemClock,
  logger: silentLogger,
  metrics: new Metrics(),
});
await record.start();
const other = join(folder, "of-somebody-else");
writeFileSync(other, Buffer.alloc(5_000_000));

const writes: Promise<void>[] = [];
let durable = 0;
const write = () => {
  const id = String(writes.length);
  const answer = { note: id.padEnd(8_000, "x") };
  writes.push(
    record.write(entry(observation(id, { answer }, Date.now()), event(`event-${id}`))).then(() => {
      durable += 1;
    }),
  );
};
const turn = () => new Promise((resolve) => setTimeout(resolve, 2));

while (record.health().state === "ok") {
  write();
  await turn();
}
const durableWhenFull = durable;
for (let more = 0; more < 100; more += 1) write();
const acceptingAtFirst = record.accepting();
const waiting = () => Number(record.health().detail?.waiting);
while (waiting() < 2_000) write();
const acceptingAtLast = record.accepting();
const refused = await record.write(entry(observation("one too many"))).catch((error: unknown) => error);
const whenFull = record.health();

rmSync(other);
// What waits is more than this disk was made for; the larger disk is the space that somebody freed.
execFileSync("mount", ["-o", "remount,size=256m", folder]);
await Promise.all(writes);
const rows = record.outbox.read(0, 100_000);
process.stdout.write(
  JSON.stringify({
    written: writes.length,
    durableWhenFull,
    acceptingAtFirst,
    acceptingAtLast,
    refused: isPerchError(refused) ? refused.code : refused,
    whenFull,
    afterwards: record.health().state,
    accepting: record.accepting(),
    ids: rows.map(({ id }) => id),
    order: rows
      .filter(({ topic }) => topic.includes("/observation/"))
      .map(({ payload }) => Number((JSON.parse(payload) as { id: string }).id)),
    counts: record.queries.counts(),
  }),
);
await record.stop();
clearTimeout(deadline);
