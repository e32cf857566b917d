import type { Sensor } from "../../service/contract/readings.ts";
import type { Clock } from "../../service/kernel/clock.ts";
import type { Logger } from "../../service/kernel/logger.ts";
import { FileReader } from "./file-reader.ts";
import { chipsOf, Hwmon } from "./hwmon.ts";
import { Jetson } from "./jetson.ts";
import { Ram } from "./memory.ts";
import { Nvidia } from "./nvidia.ts";
import { Sensors, type SensorsOptions } from "./sensors.ts";
import { createSystemInformation } from "./system-information.ts";
import { ThermalZones } from "./thermal-zones.ts";

export interface BoxOptions extends Omit<SensorsOptions, "sensors" | "gpuSharesRam"> {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Process ids of our own children that hold models: the memory that the governor can have back. */
  readonly pids: () => readonly number[];
  /** Where /sys, /proc and /etc lie. Default "/"; elsewhere only files are read and no GPU tool is asked unless named. */
  readonly root?: string;
  /** Default "nvidia-smi"; null: none is asked. */
  readonly nvidiaSmi?: string | null;
  /** Gives temperatures where nothing here measures any; `always`: also where something does. */
  readonly simulated?: { readonly sensor: Sensor; readonly always: boolean };
}

/** Everything that measures this box, the one that knows best first. Starts nothing. */
export function createSensors(options: BoxOptions): Sensors {
  const { clock, logger, pids, root = "/" } = options;
  const nvidiaSmi =
    options.nvidiaSmi === undefined && root === "/" ? "nvidia-smi" : (options.nvidiaSmi ?? null);
  // A reader each, so that a file that hangs holds back no other sensor.
  const filesOf = (name: string) => new FileReader({ name, root, clock, logger });

  const zoneFiles = filesOf("thermal zones");
  const zones = new ThermalZones({
    files: zoneFiles,
    clock,
    // coretemp reads the same register as x86_pkg_temp and tells where it throttles.
    elsewhere: async (type) =>
      /^(x86_pkg_temp|tcpu|b0d4)/i.test(type) &&
      (await chipsOf(zoneFiles)).some(({ chip }) => chip === "coretemp"),
  });
  const hwmon = new Hwmon({ files: filesOf("hwmon"), clock });
  const jetson = new Jetson({ files: filesOf("jetson"), clock });
  const nvidia = nvidiaSmi === null ? null : new Nvidia({ clock, logger, pids, command: nvidiaSmi });
  const gpuSharesRam = () => jetson.found || (nvidia?.sharesRam ?? false);
  const ram = new Ram({ files: filesOf("memory"), pids, sharedWithGpu: gpuSharesRam });
  const systemInformation = createSystemInformation({
    needed: async () => root === "/" && !(await zones.probe()) && !(await hwmon.probe()),
  });
  const thermal: readonly Sensor[] = [zones, hwmon, ...(nvidia ? [nvidia] : []), systemInformation];
  const { simulated, ...rest } = options;
  if (simulated?.always) return new Sensors({ ...rest, gpuSharesRam, sensors: [simulated.sensor, ram] });
  const sensors: Sensor[] = [zones, hwmon, jetson, ...(nvidia ? [nvidia] : []), ram, systemInformation];
  if (simulated) sensors.push(standIn(simulated.sensor, thermal));
  return new Sensors({ ...rest, gpuSharesRam, sensors });
}

/** A sensor that is there where none of the others is. */
function standIn(sensor: Sensor, others: readonly Sensor[]): Sensor {
  const there = (other: Sensor) => other.probe().catch(() => false);
  return {
    name: sensor.name,
    interval: sensor.interval,
    // Others run programs to find out whether they are there.
    timeout: 10_000,
    probe: async () => !(await Promise.all(others.map(there))).includes(true),
    read: (signal) => sensor.read(signal),
    close: () => sensor.close(),
  };
}
