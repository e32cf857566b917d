import type { Sensor, SensorReading } from "../../service/contract/readings.ts";
import type { Clock } from "../../service/kernel/clock.ts";
import { type Answers, type FileReader, integerOf } from "./file-reader.ts";
import { chipsOf } from "./hwmon.ts";

/** An event of over-current counts as going on for so long after its counter moved, ms. */
const EVENT_LASTS = 5000;
/** The power mode changes when an administrator changes it, ms. */
const MODE_REFRESH = 60_000;
const MODE_FILES = ["var/lib/nvpmodel/status", "etc/nvpmodel.conf"];
const DEVFREQ = "sys/class/devfreq";

/** By NVIDIA's developer guide for Jetson Orin, "Over-current protection": what each of the three watches. */
const EVENTS = ["under-voltage", "average over-current", "instantaneous over-current"];

/** Rails that measure all of the board's or module's input. */
const WHOLE = /^(VDD_IN|VIN)$/;
/** Rails that another one feeds, or that no wire goes to: counting them would count power twice. */
const NOT_COUNTED = /^(NC\d*|VDDQ_VDD2_1V8AO|sum of shunt voltages)$/i;

/** Watts of one channel: sysfs gives millivolts and milliamperes, or microwatts. Idle rails read slightly below 0. */
export function railWatts(
  milliVolts: number | undefined,
  milliAmperes: number | undefined,
  microWatts: number | undefined,
): number | undefined {
  if (microWatts !== undefined) return Math.max(0, microWatts / 1e6);
  if (milliVolts === undefined || milliAmperes === undefined) return undefined;
  return Math.max(0, (milliVolts * milliAmperes) / 1e6);
}

/** What the board draws: its input where that is measured, else its rails together. */
export function boardWatts(
  rails: readonly { readonly label: string; readonly watts: number }[],
): number | undefined {
  const whole = rails.find(({ label }) => WHOLE.test(label));
  if (whole) return whole.watts;
  const counted = rails.filter(({ label }) => !NOT_COUNTED.test(label));
  return counted.length === 0 ? undefined : counted.reduce((sum, { watts }) => sum + watts, 0);
}

/**
 * The power mode: its name from nvpmodel's own list by the number that it keeps ("pmode:0002"), or from what
 * `nvpmodel -q` printed.
 */
export function powerMode(status: string | undefined, config: string | undefined): string | undefined {
  const asked = /NV Power Mode\s*:\s*(\S+)/.exec(status ?? "")?.[1];
  if (asked) return asked;
  const number = /pmode:(\d+)/.exec(status ?? "")?.[1];
  if (number === undefined) return undefined;
  const id = Number(number);
  const names = [...(config ?? "").matchAll(/^<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+?)\s*>/gm)];
  return names.find((match) => Number(match[1]) === id)?.[2] ?? `mode ${id}`;
}

interface Rail {
  readonly label: string;
  readonly volts?: string;
  readonly amperes?: string;
  readonly watts?: string;
  readonly alarm?: string;
}

/** What only a Jetson has: power rails, over-current events, the load of its GPU, its power mode. */
export class Jetson implements Sensor {
  readonly name = "jetson";
  readonly interval = 1000;
  readonly timeout = 3000;
  private tegra = false;
  private rails: readonly Rail[] = [];
  private counters: readonly { file: string; what: string }[] = [];
  private load: string | undefined;
  private mode: string | undefined;
  private modeAsked = Number.NEGATIVE_INFINITY;
  private readonly counted = new Map<string, { count: number; moved: number }>();
  private busy: number | undefined;

  constructor(private readonly options: { readonly files: FileReader; readonly clock: Clock }) {}

  /** Whether this is a Jetson: known after the probe. */
  get found(): boolean {
    return this.tegra;
  }

  async probe(): Promise<boolean> {
    const { files } = this.options;
    const chips = await chipsOf(files);
    const counters = chips.filter(({ chip }) => /^soctherm[_-]oc/.test(chip));
    this.counters = counters.flatMap(({ folder }) =>
      EVENTS.map((what, index) => ({ file: `${folder}/oc${index + 1}_event_cnt`, what })),
    );
    const gpu = (await files.list(DEVFREQ)).find((name) => /gpu|gv11b|ga10b/.test(name));
    this.load = gpu && `${DEVFREQ}/${gpu}/device/load`;
    this.tegra = counters.length > 0 || (await files.list("etc")).includes("nv_tegra_release");
    // Power monitors of this make are on other boards too: they count as a Jetson's only where it is one.
    this.rails = this.tegra ? await this.railsOf(chips) : [];
    return this.tegra;
  }

  async read(): Promise<SensorReading> {
    const { files, clock } = this.options;
    if (clock.monotonic() - this.modeAsked >= MODE_REFRESH) await this.askMode();
    const answers = await files.read([
      ...this.rails.flatMap(({ volts, amperes, watts, alarm }) =>
        [volts, amperes, watts, alarm].filter((file) => file !== undefined),
      ),
      ...this.counters.map(({ file }) => file),
      ...(this.load ? [this.load] : []),
    ]);
    const permille = this.load && answers.integer(this.load);
    this.busy =
      permille === undefined || permille === "" ? undefined : Math.min(1, Math.max(0, permille / 1000));
    const rails = this.rails.flatMap((rail) => {
      const watts = wattsOf(rail, answers);
      return watts === undefined ? [] : [{ label: rail.label, watts }];
    });
    const silent = this.rails.filter(({ label }) => !rails.some((rail) => rail.label === label));
    const watts = boardWatts(rails);
    return {
      ...(watts === undefined ? {} : { watts }),
      throttling: [
        ...this.counters
          .filter((counter) => this.goesOn(counter.file, answers))
          .map(({ what }) => `board: ${what}`),
        ...this.rails
          .filter(({ alarm }) => alarm && answers.integer(alarm) === 1)
          .map(({ label }) => `${label}: critical current`),
      ],
      failed: silent.map((rail) => ({
        sensor: rail.label,
        reason: answers.fault(rail.watts ?? rail.amperes ?? rail.volts ?? "") ?? "gives no number",
      })),
    };
  }

  /** What a person may want to see beside the readings. */
  facts(): Record<string, string | number> {
    return {
      ...(this.busy === undefined ? {} : { "GPU load": `${Math.round(this.busy * 100)}%` }),
      ...(this.mode === undefined ? {} : { "power mode": this.mode }),
    };
  }

  async close(): Promise<void> {
    await this.options.files.close();
  }

  private async askMode(): Promise<void> {
    const answers = await this.options.files.read(MODE_FILES);
    const [status, config] = MODE_FILES.map((file) => answers.text(file));
    this.mode = powerMode(status, config);
    this.modeAsked = this.options.clock.monotonic();
  }

  /** Whether a counter of events has moved of late. What it stood at when it was first read is past. */
  private goesOn(file: string, answers: Answers): boolean {
    const count = answers.integer(file);
    const now = this.options.clock.monotonic();
    const before = this.counted.get(file);
    if (count !== undefined && count !== before?.count)
      this.counted.set(file, {
        count,
        moved: before && count > before.count ? now : Number.NEGATIVE_INFINITY,
      });
    return now - (this.counted.get(file)?.moved ?? Number.NEGATIVE_INFINITY) < EVENT_LASTS;
  }

  private async railsOf(chips: readonly { folder: string; chip: string }[]): Promise<Rail[]> {
    const rails: Rail[] = [];
    for (const { folder, chip } of chips) {
      if (!/^ina(3221|2\d\d)/.test(chip)) continue;
      const names = await this.options.files.list(folder);
      const channels = names.flatMap((name) => /^(?:in|power)(\d+)_label$/.exec(name)?.[1] ?? []);
      const labels = await this.options.files.read(
        channels.flatMap((channel) => [`${folder}/in${channel}_label`, `${folder}/power${channel}_label`]),
      );
      const file = (name: string) => (names.includes(name) ? `${folder}/${name}` : undefined);
      for (const channel of new Set(channels)) {
        const label =
          labels.text(`${folder}/in${channel}_label`) ?? labels.text(`${folder}/power${channel}_label`) ?? "";
        if (label === "" || NOT_COUNTED.test(label)) continue;
        const volts = file(`in${channel}_input`);
        const amperes = file(`curr${channel}_input`);
        const watts = file(`power${channel}_input`);
        const alarm = file(`curr${channel}_crit_alarm`);
        if (watts || (volts && amperes))
          rails.push({
            label,
            ...(volts && { volts }),
            ...(amperes && { amperes }),
            ...(watts && { watts }),
            ...(alarm && { alarm }),
          });
      }
    }
    return rails;
  }
}

function wattsOf({ volts, amperes, watts }: Rail, answers: Answers): number | undefined {
  const value = (file: string | undefined) => integerOf(file === undefined ? undefined : answers.text(file));
  return railWatts(value(volts), value(amperes), value(watts));
}
