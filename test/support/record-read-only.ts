import { execFileSync } from "node:child_process";
import { systemClock } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { Record } from "../../service/record/record.ts";
import { entry, event, observation } from "./record-entries.ts";

// node --import tsx record-read-only.ts FOLDER: in a mount namespace of its own. Starts a record on a disk
// that is mounted read-only, makes it writable, and prints what was seen as JSON.
const [folder = ""] = process.argv.slice(2);
execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m,ro", "tmpfs", folder]);

// Keeps the process alive while only the record's own timers are left, and ends it if it hangs.
const deadline = setTimeout(() => process.exit(1), 50_000);

const record = new Record({
  folder,
  config: { thumbnail: 24_000, age: 1e13, bytes: 2e9 },
  clock: systemClock,
  logger: silentLogger,
  metrics: new Metrics(),
});
await record.start();
const before = record.health();
const accepting = record.accepting();
const write = record.write(entry(observation("early"), event("event-early")));
const restored = record.whenOpen().then(() => record.openEvents().length);

execFileSync("mount", ["-o", "remount,rw", folder]);
await write;
process.stdout.write(
  JSON.stringify({
    before,
    accepting,
    openWhenMended: await restored,
    afterwards: record.health().state,
    counts: record.queries.counts(),
  }),
);
await record.stop();
clearTimeout(deadline);
