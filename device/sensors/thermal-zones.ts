import type { Sensor, SensorReading, Zone } from "../../service/contract/readings.ts";
import type { Clock } from "../../service/kernel/clock.ts";
import type { Answers, FileReader } from "./file-reader.ts";
import { distinct } from "./names.ts";
import { likelyLimit, plausibleLimit } from "./zone-limit.ts";

const FOLDER = "sys/class/thermal";
/** Trip points can be moved while the box runs, zones can come and go: they are looked at again after so long, ms. */
const REFRESH = 30_000;

/**
 * Zones that a model's work does not heat, or not at once, or that measure nothing: radios, batteries, the
 * south bridge, the case, Jetson's board and PMIC (which reads the same always), ACPI's bookkeeping.
 */
const NOT_OURS =
  /^(iwlwifi|ath\d|mt7\d|rtw|pch|bat|charger|int3400|sen\d|tmem|pmic|tboard|nvme|usb|modem|skin|quiet)|wifi|wlan|pmic/i;
/** Cooling devices that take no speed: fans, screens, and Jetson's warning that a surface is hot to touch. */
const TAKES_NO_SPEED = /fan|hot-surface|lcd|backlight|display/i;
/** Those whose state says that the processor or the GPU is being slowed down. */
const SLOWS = /^(cpufreq|devfreq|processor|thermal-cpufreq|thermal-devfreq)|throttle-alert$/i;

export interface Trip {
  /** "critical", "hot", "passive", "active". */
  readonly type: string;
  readonly celsius: number;
  /** Types of the cooling devices that are bound to it. */
  readonly cooling: readonly string[];
}

interface KnownZone {
  readonly folder: string;
  readonly id: string;
  /** By number. */
  readonly trips: ReadonlyMap<number, { type: string; cooling: readonly string[] }>;
  readonly limit: number | null;
  readonly disabled: boolean;
}

/**
 * Where a zone's hardware begins to slow itself down. By the kernel's documentation
 * (Documentation/driver-api/thermal/sysfs-api.rst) "passive" slows devices down, "hot" tells the driver that
 * it is nearly too late, "critical" shuts down, "active" turns on a fan. A passive trip counts only where
 * something that takes speed is bound to it: on a Jetson Orin one at 70 degrees only warns of a hot surface,
 * and those of x86_pkg_temp are thresholds that some program wants to be told of
 * (Documentation/driver-api/thermal/x86_pkg_temperature_thermal.rst).
 */
export function limitOf(trips: readonly Trip[]): number | null {
  const plausible = trips.filter(({ celsius }) => plausibleLimit(celsius));
  const slowing = plausible.filter(
    ({ type, cooling }) =>
      type === "hot" || (type === "passive" && cooling.some((device) => !TAKES_NO_SPEED.test(device))),
  );
  if (slowing.length > 0) return Math.min(...slowing.map(({ celsius }) => celsius));
  const critical = plausible.filter(({ type }) => type === "critical").map(({ celsius }) => celsius);
  return critical.length > 0 ? likelyLimit(Math.min(...critical)) : null;
}

/** Types of all thermal zones under a root. */
export async function zoneTypes(files: FileReader): Promise<string[]> {
  const names = (await files.list(FOLDER)).filter((name) => name.startsWith("thermal_zone"));
  const answers = await files.read(names.map((name) => `${FOLDER}/${name}/type`));
  return names.flatMap((name) => answers.text(`${FOLDER}/${name}/type`) ?? []);
}

export interface ThermalZonesOptions {
  readonly files: FileReader;
  readonly clock: Clock;
  /** Whether another sensor measures the same and tells its limit better. */
  readonly elsewhere: (type: string) => Promise<boolean>;
}

/** The kernel's thermal zones, each with its own trip points as they are now. */
export class ThermalZones implements Sensor {
  readonly name = "thermal zones";
  readonly interval = 1000;
  readonly timeout = 3000;
  private zones: readonly KnownZone[] = [];
  private cooling: readonly { folder: string; type: string }[] = [];
  private looked = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: ThermalZonesOptions) {}

  async probe(): Promise<boolean> {
    await this.look();
    return this.zones.length > 0;
  }

  async read(): Promise<SensorReading> {
    const { files, clock } = this.options;
    if (clock.monotonic() - this.looked >= REFRESH) await this.look();
    const zones = this.zones.filter(({ disabled }) => !disabled);
    const answers = await files.read([
      ...zones.map(({ folder }) => `${folder}/temp`),
      ...this.cooling.map(({ folder }) => `${folder}/cur_state`),
    ]);
    return {
      ...readingOf(zones, answers),
      throttling: this.cooling
        .filter(({ folder }) => (answers.integer(`${folder}/cur_state`) ?? 0) > 0)
        .map(({ type }) => `${type}: thermal`),
    };
  }

  async close(): Promise<void> {
    await this.options.files.close();
  }

  private async look(): Promise<void> {
    const { files, clock } = this.options;
    const names = await files.list(FOLDER);
    const folders = names.filter((name) => /^thermal_zone\d+$/.test(name)).map((name) => `${FOLDER}/${name}`);
    const devices = names
      .filter((name) => /^cooling_device\d+$/.test(name))
      .map((name) => `${FOLDER}/${name}`);
    const types = await files.read([...folders, ...devices].map((folder) => `${folder}/type`));
    const typeOf = (folder: string) => types.text(`${folder}/type`) ?? "";
    this.cooling = devices
      .map((folder) => ({ folder, type: typeOf(folder) }))
      .filter(({ type }) => SLOWS.test(type));

    const ours: { folder: string; type: string }[] = [];
    for (const folder of folders) {
      const type = typeOf(folder);
      if (type === "" || NOT_OURS.test(type) || (await this.options.elsewhere(type))) continue;
      ours.push({ folder, type });
    }
    const ids = distinct(
      ours.map(({ folder, type }) => ({ name: type, place: folder.slice(FOLDER.length + 1) })),
    );
    const zones: KnownZone[] = [];
    for (const [index, { folder }] of ours.entries())
      zones.push(
        await this.know(
          folder,
          ids[index] ?? folder,
          this.zones.find((zone) => zone.folder === folder),
        ),
      );
    // One that was there and is gone stays, so that it is named.
    const gone = this.zones.filter(({ id }) => !zones.some((zone) => zone.id === id));
    this.zones = [...zones, ...gone];
    this.looked = clock.monotonic();
  }

  /** Trip points' temperatures and the zone's mode are read anew; what kind of trips they are stays. */
  private async know(folder: string, id: string, before: KnownZone | undefined): Promise<KnownZone> {
    const trips = before?.id === id ? before.trips : await this.tripsOf(folder);
    const answers = await this.options.files.read([
      ...[...trips.keys()].map((trip) => `${folder}/trip_point_${trip}_temp`),
      ...((await this.options.files.list(folder)).includes("mode") ? [`${folder}/mode`] : []),
    ]);
    const known = [...trips].flatMap(([trip, { type, cooling }]) => {
      const milli = answers.integer(`${folder}/trip_point_${trip}_temp`);
      return milli === undefined ? [] : [{ type, celsius: milli / 1000, cooling }];
    });
    return {
      folder,
      id,
      trips,
      limit: limitOf(known),
      disabled: answers.text(`${folder}/mode`) === "disabled",
    };
  }

  private async tripsOf(folder: string): Promise<KnownZone["trips"]> {
    const { files } = this.options;
    const names = await files.list(folder);
    const numbers = names.flatMap((name) => /^trip_point_(\d+)_type$/.exec(name)?.[1] ?? []);
    const bound = names.flatMap((name) => /^cdev(\d+)$/.exec(name)?.[1] ?? []);
    const answers = await files.read([
      ...numbers.map((trip) => `${folder}/trip_point_${trip}_type`),
      ...bound.flatMap((device) => [`${folder}/cdev${device}/type`, `${folder}/cdev${device}_trip_point`]),
    ]);
    return new Map(
      numbers.map((trip) => [
        Number(trip),
        {
          type: answers.text(`${folder}/trip_point_${trip}_type`) ?? "",
          cooling: bound
            .filter((device) => answers.integer(`${folder}/cdev${device}_trip_point`) === Number(trip))
            .map((device) => answers.text(`${folder}/cdev${device}/type`) ?? ""),
        },
      ]),
    );
  }
}

/** What the zones say now; one that cannot be read is named instead. */
function readingOf(known: readonly KnownZone[], answers: Answers): SensorReading {
  const zones: Zone[] = [];
  const failed: { sensor: string; reason: string }[] = [];
  for (const { folder, id, limit } of known) {
    const milli = answers.integer(`${folder}/temp`);
    const fault = answers.fault(`${folder}/temp`);
    if (milli !== undefined) zones.push({ id, celsius: milli / 1000, limit });
    else failed.push({ sensor: id, reason: fault ?? "gives no number" });
  }
  return { zones, failed };
}
