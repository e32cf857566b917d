import { systemClock } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { Record } from "../../service/record/record.ts";
import { entry, event, observation } from "./record-entries.ts";

// node --import tsx record-writer.ts FOLDER NAME: writes entries until it is killed, and prints the id of
// each that is durable. Entries are called NAME-0, NAME-1, …
const [folder = "", name = ""] = process.argv.slice(2);

const record = new Record({
  folder,
  config: { thumbnail: 24_000, age: 1e13, bytes: 2e9 },
  clock: systemClock,
  logger: silentLogger,
  metrics: new Metrics(),
});
await record.start();
process.stdout.write("ready\n");

let next = 0;
const writers = Array.from({ length: 20 }, async () => {
  for (;;) {
    const id = `${name}-${next++}`;
    await record.write(entry(observation(id), event(`event-${id}`)));
    process.stdout.write(`${id}\n`);
  }
});
await Promise.all(writers);
