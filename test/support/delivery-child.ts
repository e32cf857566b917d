import { Delivery } from "../../service/delivery/delivery.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { Record } from "../../service/record/record.ts";

/**
 * A process of its own with a real record and a delivery, to be killed: `FOLDER URL WINDOW`. It prints
 * "ready" when it is connected and goes on until it is ended; SIGTERM stops it in order.
 */
const [folder = "", url = "", window = "100"] = process.argv.slice(2);
const metrics = new Metrics();
const common = { clock: systemClock, logger: silentLogger, metrics };
const record = new Record({ folder, config: { thumbnail: 0, age: 86_400_000, bytes: 1e9 }, ...common });
const delivery = new Delivery({
  node: "n1",
  version: "1.2.3",
  config: { broker: { kind: "external", url }, prefix: "perch", window: Number(window), commands: false },
  url: () => undefined,
  outbox: record.outbox,
  ...common,
});

await record.start();
await delivery.start(new AbortController().signal);
process.stdout.write("ready\n");
// Timers of the service keep no process alive by themselves.
const alive = setInterval(() => undefined, 1000);
process.once("SIGTERM", async () => {
  await delivery.stop();
  await record.stop();
  clearInterval(alive);
});
