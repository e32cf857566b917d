import { anySignal, EngineBench } from "./engine-bench.ts";

/** A process that starts an engine, says both process ids and its folder, and stays. */
const bench = new EngineBench();
const engine = await bench.started();
await engine.ready(anySignal());
process.stdout.write(
  `${JSON.stringify({ service: process.pid, engine: engine.pid, folder: bench.folder })}\n`,
);
setInterval(() => undefined, 1_000);
