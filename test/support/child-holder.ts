import { systemClock } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { SupervisedProcess } from "../../service/kernel/supervised-process.ts";

// Keeps one child and prints its process id, until it is killed from outside.
new SupervisedProcess({
  name: "sleeper",
  clock: systemClock,
  logger: silentLogger,
  spec: () => ({ command: "/bin/sh", args: ["-c", "trap '' TERM HUP; echo $$; while :; do sleep 1; done"] }),
  onSpawn: ({ stdout }) => stdout.pipe(process.stdout),
  onExit: () => "stay-down",
  backoff: { first: 1, most: 1 },
}).start();
setInterval(() => undefined, 60_000);
