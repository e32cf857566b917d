import type { Sensor, SensorReading, Zone } from "../../service/contract/readings.ts";
import type { Clock } from "../../service/kernel/clock.ts";
import type { FileReader } from "./file-reader.ts";
import { distinct } from "./names.ts";
import { zoneTypes } from "./thermal-zones.ts";
import { plausibleLimit } from "./zone-limit.ts";

const FOLDER = "sys/class/hwmon";
/** A driver may be loaded while the box runs, ms. */
const REFRESH = 60_000;

/**
 * Chips that measure a processor, an SoC or a GPU: what a model's work heats. Disks, boards, fans, batteries and
 * network cards are left out, since every zone that is given governs the pace, and theirs would not follow it.
 */
const CHIPS =
  /^(coretemp|k10temp|zenpower|amdgpu|radeon|nouveau|i915|xe|(cpu|soc|gpu|tj)[-_]?thermal|scpi_sensors)$/;

/** Names of the chips under a root: those of thermal zones are there too, with "-" written as "_". */
export async function chipsOf(files: FileReader): Promise<{ folder: string; chip: string }[]> {
  const folders = (await files.list(FOLDER)).map((name) => `${FOLDER}/${name}`);
  const answers = await files.read(folders.map((folder) => `${folder}/name`));
  return folders.flatMap((folder) => {
    const chip = answers.text(`${folder}/name`);
    return chip === undefined ? [] : [{ folder, chip }];
  });
}

/** Whether a thermal zone's type and a chip's name mean the same thing. */
export const sameName = (zone: string, chip: string): boolean =>
  zone.replace(/\W/g, "_").toLowerCase() === chip.replace(/\W/g, "_").toLowerCase();

/**
 * Where a channel's chip begins to slow itself down, degrees Celsius. By the kernel's documentation "crit" is
 * the highest junction temperature for coretemp and the point at which the processor throttles for k10temp,
 * whose "max" is only the highest value of a scale (Documentation/hwmon/coretemp.rst, k10temp.rst).
 */
export function channelLimit(chip: string, crit: number | undefined, max: number | undefined): number | null {
  if (crit !== undefined && plausibleLimit(crit)) return crit;
  if (chip !== "k10temp" && max !== undefined && plausibleLimit(max)) return max;
  return null;
}

/** The channels of a chip that count, by label: a package stands for its cores, Tdie for Tctl, which can be offset. */
export function governing(chip: string, labels: readonly string[]): string[] {
  if (chip === "coretemp") {
    const packages = labels.filter((label) => /^(package|physical)/i.test(label));
    return packages.length > 0 ? packages : [...labels];
  }
  if (chip === "k10temp" || chip === "zenpower") {
    const whole = ["Tdie", "Tctl"].find((label) => labels.includes(label));
    return whole ? [whole] : [...labels];
  }
  return [...labels];
}

interface Channel {
  readonly file: string;
  readonly id: string;
  readonly limit: number | null;
}

export interface HwmonOptions {
  readonly files: FileReader;
  readonly clock: Clock;
}

/** Temperatures of processors and GPUs that hardware monitoring drivers give and no thermal zone does. */
export class Hwmon implements Sensor {
  readonly name = "hwmon";
  readonly interval = 1000;
  readonly timeout = 3000;
  private channels: readonly Channel[] = [];
  private looked = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: HwmonOptions) {}

  async probe(): Promise<boolean> {
    await this.look();
    return this.channels.length > 0;
  }

  async read(): Promise<SensorReading> {
    const { files, clock } = this.options;
    if (clock.monotonic() - this.looked >= REFRESH) await this.look();
    const answers = await files.read(this.channels.map(({ file }) => `${file}_input`));
    const zones: Zone[] = [];
    const failed: { sensor: string; reason: string }[] = [];
    for (const { file, id, limit } of this.channels) {
      const milli = answers.integer(`${file}_input`);
      if (milli !== undefined) zones.push({ id, celsius: milli / 1000, limit });
      else failed.push({ sensor: id, reason: answers.fault(`${file}_input`) ?? "gives no number" });
    }
    return { zones, failed };
  }

  async close(): Promise<void> {
    await this.options.files.close();
  }

  private async look(): Promise<void> {
    const { files, clock } = this.options;
    const zones = await zoneTypes(files);
    const chips = (await chipsOf(files)).filter(
      ({ chip }) => CHIPS.test(chip) && !zones.some((zone) => sameName(zone, chip)),
    );
    const found: { file: string; name: string; place: string; limit: number | null }[] = [];
    for (const { folder, chip } of chips) found.push(...(await this.channelsOf(folder, chip)));
    const ids = distinct(found);
    const channels = found.map(({ file, limit }, index) => ({ file, id: ids[index] ?? file, limit }));
    // One that was there and is gone stays, so that it is named.
    const gone = this.channels.filter(({ file }) => !channels.some((channel) => channel.file === file));
    this.channels = [...channels, ...gone];
    this.looked = clock.monotonic();
  }

  private async channelsOf(folder: string, chip: string) {
    const { files } = this.options;
    const names = await files.list(folder);
    const inputs = names.flatMap((name) => /^(temp\d+)_input$/.exec(name)?.[1] ?? []);
    const there = (channel: string, suffix: string) =>
      names.includes(`${channel}_${suffix}`) ? [`${folder}/${channel}_${suffix}`] : [];
    const answers = await files.read(
      inputs.flatMap((channel) => ["label", "crit", "max"].flatMap((suffix) => there(channel, suffix))),
    );
    const labelOf = (channel: string) => answers.text(`${folder}/${channel}_label`) ?? channel;
    const celsius = (path: string) => {
      const milli = answers.integer(path);
      return milli === undefined ? undefined : milli / 1000;
    };
    const wanted = governing(chip, inputs.map(labelOf));
    return inputs
      .filter((channel) => wanted.includes(labelOf(channel)))
      .map((channel) => ({
        file: `${folder}/${channel}`,
        name: `${chip}/${labelOf(channel)}`,
        place: folder.slice(FOLDER.length + 1),
        limit: channelLimit(chip, celsius(`${folder}/${channel}_crit`), celsius(`${folder}/${channel}_max`)),
      }));
  }
}
