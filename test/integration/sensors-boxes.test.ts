import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createSensors } from "../../device/sensors/create-sensors.ts";
import type { Sensors } from "../../device/sensors/sensors.ts";
import type { Readings } from "../../service/contract/readings.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { until } from "../support/until.ts";

const BOXES = join(import.meta.dirname, "../fixtures/boxes");
const folder = mkdtempSync(join(tmpdir(), "perch-sensors-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Children of ours on each box, by process id. */
const PIDS: Readonly<Record<string, number[]>> = { "container-limit": [17, 23] };

/** Says what nvidia-smi said on such a box, over and over as with -l. */
function nvidiaSmi(box: string): string {
  const said = join(BOXES, box, "nvidia-smi");
  const command = join(folder, `nvidia-smi-${box}`);
  const lines = [
    "#!/bin/sh",
    'case "$*" in',
    `-L) exec cat '${said}/list.txt' ;;`,
    `*TEMPERATURE*) exec cat '${said}/temperature.txt' ;;`,
    `*--query-gpu=*) while :; do cat '${said}/gpus.csv'; sleep 1; done ;;`,
    `*--query-compute-apps=*) while :; do cat '${said}/processes.csv'; sleep 1; done ;;`,
    "esac",
  ];
  writeFileSync(command, lines.join("\n"));
  chmodSync(command, 0o755);
  return command;
}

async function readingsOf(box: string, enough: (readings: Readings) => boolean) {
  const sensors: Sensors = createSensors({
    root: join(BOXES, box),
    clock: systemClock,
    logger: silentLogger,
    pids: () => PIDS[box] ?? [4242],
    nvidiaSmi: existsSync(join(BOXES, box, "nvidia-smi")) ? nvidiaSmi(box) : null,
  });
  try {
    await sensors.start(new AbortController().signal);
    await until(() => enough(sensors.latest()));
    const { at, ...readings } = sensors.latest();
    return { at, readings, health: sensors.health() };
  } finally {
    await sensors.stop();
  }
}

describe("a box's sensors give what its files say", () => {
  const boxes = readdirSync(BOXES).filter((name) => existsSync(join(BOXES, name, "proc")));
  it.each(boxes)("%s", async (box) => {
    const expected = JSON.parse(readFileSync(join(BOXES, box, "expected.json"), "utf8"));
    // A GPU's memory is told by one child and what processes hold of it by another, which may be later.
    const own = (memories: Readings["memories"]) => memories.map(({ id, own }) => `${id} ${own}`).join();
    const { at, readings, health } = await readingsOf(
      box,
      ({ memories }) => own(memories) === own(expected.readings.memories),
    );
    expect(at).toBeGreaterThan(1_750_000_000_000);
    expect(readings).toEqual(expected.readings);
    expect(health).toEqual(expected.health);
  });
});
