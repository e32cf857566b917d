import type { Sensor, SensorReading } from "../../../service/contract/readings.ts";
import type { Clock } from "../../../service/kernel/clock.ts";
import { Box, type Work } from "./box.ts";
import { type Day, dayOf } from "./day.ts";
import type { BoxPreset } from "./preset.ts";

/** Longest time that is caught up with at one reading, s: after a suspended night the box does not compute it. */
const MOST = 600;

export interface SimulatedBoxOptions {
  /** What the real model has done since the last call: its level, and the share of the time it worked. */
  readonly work: () => Work;
  readonly seed?: number;
  /** Its heat only: memory is the real box's, and the zones say by their names that they are simulated. */
  readonly heatOnly?: boolean;
  /** What happens around the box; without it a day by the seed, over and over. */
  readonly day?: Day;
}

/** Sensors of a box that is not there: its readings follow the work that the real model does. */
export function createSimulatedBox(preset: BoxPreset, clock: Clock, options: SimulatedBoxOptions): Sensor {
  const day = options.day ?? dayOf(preset, options.seed ?? 7);
  let box: Box | undefined;
  let at = 0;
  let second = 0;
  return {
    name: `simulated ${preset.title}`,
    interval: 1000,
    timeout: 1000,
    probe: async () => true,
    async read() {
      const now = clock.monotonic();
      const around = day.around(Math.floor(second) % day.seconds);
      if (!box) box = new Box(preset, around);
      else {
        const passed = Math.min(MOST, (now - at) / 1000);
        box.step(passed, options.work(), around);
        second += passed;
      }
      at = now;
      return options.heatOnly ? heatOf(readingOf(box)) : { ...readingOf(box), simulated: true };
    },
    close: async () => undefined,
  };
}

/** What the box's sensors tell, each in its own steps. */
export function readingOf(box: Box, noise: () => number = () => 0): SensorReading {
  const { zones, memory } = box.preset;
  return {
    zones: zones.map(({ id, of, limit, step }) => ({
      id,
      celsius: Math.round((box.zone(of) + noise()) / step) * step,
      limit,
    })),
    memories: [
      {
        id: memory.id,
        total: Math.round(memory.total),
        free: Math.round(box.free),
        own: Math.round(box.own),
      },
    ],
    pressure: pressureOf(box),
    throttling: box.clock < 1 ? [`${box.preset.id}: thermal, clock at ${Math.round(box.clock * 100)}%`] : [],
    watts: box.watts,
  };
}

const heatOf = ({ zones = [], throttling = [], watts = 0 }: SensorReading): SensorReading => ({
  zones: zones.map((zone) => ({ ...zone, id: `simulated ${zone.id}` })),
  throttling: throttling.map((why) => `simulated ${why}`),
  watts,
  simulated: true,
});

/** Tasks begin to wait for memory when less than a fiftieth of it is left. */
function pressureOf(box: Box): { some: number; full: number } {
  const { total } = box.preset.memory;
  const short = Math.max(0, 1 - box.free / (0.02 * total));
  return { some: 60 * short, full: 30 * short };
}
