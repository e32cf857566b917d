import { createSensors } from "../device/sensors/create-sensors.ts";
import type { Sensors } from "../device/sensors/sensors.ts";
import { PRESETS } from "../device/simulator/box/preset.ts";
import { createSimulatedBox } from "../device/simulator/box/simulated-box.ts";
import type { Config } from "./contract/config.ts";
import type { Readings } from "./contract/readings.ts";
import { type Clock, sleep } from "./kernel/clock.ts";
import type { Logger } from "./kernel/logger.ts";

/** How long memory that an engine held on a GPU may take to be free again, ms. */
const MEMORY_BACK = 10_000;
/** As free again counts this share of it. */
const NEARLY_ALL = 0.8;

/**
 * What measures this box; where every feed is simulated and nothing measures a temperature, a simulated box does.
 * `worked`: a meter of the share of the time that the model works, for each who asks.
 */
export function sensorsOf(
  { governor, feeds }: Pick<Config, "governor" | "feeds">,
  shared: { readonly clock: Clock; readonly logger: Logger },
  engine: { pids(): readonly number[]; level(): string | null; workMeter(): () => number },
): Sensors {
  const { clock } = shared;
  const allSimulated = feeds.length > 0 && feeds.every(({ source }) => source.startsWith("sim:"));
  const wanted = governor.sensors === "simulated" || (governor.sensors === "auto" && allSimulated);
  const boxWork = engine.workMeter();
  const [preset] = PRESETS;
  return createSensors({
    ...shared,
    pids: engine.pids,
    load: engine.workMeter(),
    ...(wanted && {
      simulated: {
        always: governor.sensors === "simulated",
        sensor: createSimulatedBox(preset, clock, {
          heatOnly: true,
          work: () => ({ level: engine.level(), duty: boxWork() }),
        }),
      },
    }),
  });
}

/** The hottest zone, degrees Celsius; null where nothing measures any. */
export function hottestOf({ zones, simulated }: Readings): { celsius: number | null; simulated: boolean } {
  return { celsius: zones.length === 0 ? null : Math.max(...zones.map(({ celsius }) => celsius)), simulated };
}

/** Resolves when the memory that our engine held on a GPU is free again; RAM is as soon as a process has ended. */
export async function memoryBack(sensors: Sensors, clock: Clock, signal: AbortSignal): Promise<void> {
  const held = sensors.latest().memories.filter(({ id, own }) => id !== "ram" && own > 0);
  const isBack = () =>
    held.every(({ id, free, own }) => {
      const now = sensors.latest().memories.find((memory) => memory.id === id);
      return now === undefined || now.free >= free + NEARLY_ALL * own;
    });
  const until = clock.monotonic() + MEMORY_BACK;
  while (!isBack() && !signal.aborted && clock.monotonic() < until) await sleep(clock, 100, signal);
}
