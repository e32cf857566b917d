import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { apiFigures } from "./api-figures.ts";
import { deliveryFigures } from "./delivery-figures.ts";
import type { Figure } from "./figure.ts";
import { governorFigures } from "./governor-figures.ts";
import { laneFigures } from "./lane-figures.ts";
import { leavingFigures } from "./leaving-figures.ts";
import { liveFigures } from "./live-figures.ts";
import { limitFigures, planFigures, smallPlanFigures } from "./planner-figures.ts";
import { pressureFigures } from "./pressure-figures.ts";
import { recordFigures } from "./record-figures.ts";
import { restFigures } from "./rest-figures.ts";
import { cameraFigures, serviceFigures } from "./service-figures.ts";
import { simulatorFigures } from "./simulator-figures.ts";
import { switchingFigures } from "./switching-figures.ts";
import { throughputFigures } from "./throughput-figures.ts";

/** Parts of every benchmark, in the order in which they run. */
const BENCHMARKS: Record<string, Record<string, () => Promise<Figure[]>>> = {
  main: {
    "own time and memory": serviceFigures,
    "a further camera": cameraFigures,
    throughput: throughputFigures,
    record: recordFigures,
    delivery: deliveryFigures,
  },
  simulator: { rendering: simulatorFigures },
  switching: { "under load": switchingFigures, "memory taken": pressureFigures },
  governor: { "simulated boxes": governorFigures },
  api: {
    "beside llama-server itself": apiFigures,
    lanes: laneFigures,
    leaving: leavingFigures,
    "live clients": liveFigures,
  },
  rest: { "a million rows": restFigures },
  planner: { "small ladder": smallPlanFigures, "Gemma 4 12B": planFigures, "memory limits": limitFigures },
};

const [name = "", only] = process.argv.slice(2);
const parts = BENCHMARKS[name];
if (!parts) {
  process.stderr.write(
    `npm run bench -- NAME [PART]; NAME is one of: ${Object.keys(BENCHMARKS).join(", ")}\n`,
  );
  process.exit(2);
}

const figures: Figure[] = [];
for (const [part, measure] of Object.entries(parts)) {
  if (only !== undefined && only !== part) continue;
  process.stdout.write(`${part} …\n`);
  const measured = await measure();
  for (const figure of measured) process.stdout.write(`  ${row(figure)}\n`);
  figures.push(...measured);
}

if (only === undefined) {
  const folder = join(import.meta.dirname, "results");
  mkdirSync(folder, { recursive: true });
  const [cpu] = cpus();
  const machine = `${cpu?.model ?? "unknown processor"}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}`;
  const result = { name, at: new Date().toISOString(), machine, figures };
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`);
}
process.exit(figures.every(({ ok }) => ok) ? 0 : 1);

function row({ name: title, value, unit, goal, ok }: Figure): string {
  const rounded = value >= 1000 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);
  const verdict =
    goal === null ? "" : `   goal ${goal.toLocaleString("en")}: ${ok ? "reached" : "NOT REACHED"}`;
  return `${title.padEnd(52)} ${rounded.padStart(10)} ${unit}${verdict}`;
}
