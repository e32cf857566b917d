import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { createSensors } from "../../device/sensors/create-sensors.ts";
import { PRESETS } from "../../device/simulator/box/preset.ts";
import { createSimulatedBox } from "../../device/simulator/box/simulated-box.ts";
import { sensorsOf } from "../../service/box.ts";
import { Config } from "../../service/contract/config.ts";
import type { Readings } from "../../service/contract/readings.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import { decodeUnits, fillDefaults } from "../../service/kernel/config-schema.ts";
import { silentLogger } from "../../service/kernel/logger.ts";

const BOXES = join(import.meta.dirname, "../fixtures/boxes");
const shared = { clock: systemClock, logger: silentLogger };

async function readingsOf(box: string, always: boolean): Promise<Readings> {
  const [preset] = PRESETS;
  const sensor = createSimulatedBox(preset, systemClock, {
    heatOnly: true,
    work: () => ({ level: "one", duty: 0 }),
  });
  const sensors = createSensors({
    ...shared,
    root: resolve(BOXES, box),
    pids: () => [],
    simulated: { sensor, always },
  });
  try {
    await sensors.start(new AbortController().signal);
    return sensors.latest();
  } finally {
    await sensors.stop();
  }
}

const simulatedIds = ({ zones }: Readings) => zones.filter(({ id }) => id.startsWith("simulated "));

describe("a simulated box", () => {
  it("stands in where nothing measures a temperature, and leaves memory to the real box", async () => {
    const bare = mkdtempSync(join(tmpdir(), "perch-sensors-"));
    mkdirSync(join(bare, "proc"));
    copyFileSync(join(BOXES, "laptop-no-gpu/proc/meminfo"), join(bare, "proc/meminfo"));
    const readings = await readingsOf(bare, false);
    rmSync(bare, { recursive: true });
    expect(readings.simulated).toBe(true);
    expect(simulatedIds(readings)).toHaveLength(readings.zones.length);
    expect(readings.zones.length).toBeGreaterThan(0);
    expect(readings.memories).toEqual([expect.objectContaining({ id: "ram" })]);
  });

  it("keeps out of a box that has temperatures, unless it is asked for", async () => {
    const real = await readingsOf("jetson-orin-nano", false);
    expect(real.simulated).toBe(false);
    expect(simulatedIds(real)).toEqual([]);
    const asked = await readingsOf("jetson-orin-nano", true);
    expect(asked.simulated).toBe(true);
    expect(simulatedIds(asked)).toHaveLength(asked.zones.length);
    expect(asked.memories.map(({ id }) => id)).toEqual(["ram"]);
  });

  it.each([
    ["auto", "sim:cell", true],
    ["auto", "rtsp://10.0.0.1/", false],
    ["real", "sim:cell", false],
    ["simulated", "rtsp://10.0.0.1/", true],
  ])("with governor.sensors %s and a feed %s: %s", async (wanted, source, simulated) => {
    const { governor, feeds } = decodeUnits(
      Config,
      fillDefaults(Config, {
        node: "n",
        governor: { sensors: wanted },
        feeds: [{ id: "f", kind: "camera", source }],
        watches: [],
      }),
    ) as Config;
    const engine = { pids: () => [], level: () => null, workMeter: () => () => 0 };
    const sensors = sensorsOf({ governor, feeds }, shared, engine);
    try {
      await sensors.start(new AbortController().signal);
      // This machine may have temperatures of its own; where it has, auto goes by them.
      const own = !sensors.latest().simulated && sensors.latest().zones.length > 0;
      if (wanted !== "auto" || !own) expect(sensors.latest().simulated).toBe(simulated);
      if (wanted === "simulated") expect(simulatedIds(sensors.latest()).length).toBeGreaterThan(0);
    } finally {
      await sensors.stop();
    }
  });
});
