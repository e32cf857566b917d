import type { Readings, Sensor } from "../../service/contract/readings.ts";
import { type Clock, sleep } from "../../service/kernel/clock.ts";
import type { Logger } from "../../service/kernel/logger.ts";
import type { Health, Part } from "../../service/kernel/part.ts";
import { merge } from "./merge.ts";
import { Poll } from "./poll.ts";
import { judge, type Trust } from "./trust.ts";

/** Readings are put together so often, ms. */
const INTERVAL = 1000;
/** How long the first readings are waited for before those that are there count, ms. */
const FIRST = 5000;
/** What a child that hangs in the kernel is waited for when everything stops, ms. */
const STOP = 2000;

export interface SensorsOptions {
  /** The order says whose word counts where two measure the same. */
  readonly sensors: readonly Sensor[];
  readonly clock: Clock;
  readonly logger: Logger;
  /** Share of the time that the model works, 0 to 1: by it a temperature that stands still is judged. */
  readonly load?: () => number | null;
  /** Whether the GPU has no memory of its own. */
  readonly gpuSharesRam?: () => boolean;
  /** For metrics: each reading of each sensor, how long it took in ms, and why it failed. */
  readonly onRead?: (sensor: string, ms: number, fault: string | null) => void;
}

/** A sensor that has something to tell beside readings: names, modes. */
interface Telling {
  facts?(): Readonly<Record<string, string | number>>;
}

/** All that the box measures of itself, once a second, by sensors that do not wait for each other. */
export class Sensors implements Part {
  readonly name = "sensors";
  private readonly polls: readonly Poll[];
  private readonly listeners = new Set<(readings: Readings) => void>();
  private readonly faults = new Map<string, string>();
  private trust: Trust = {};
  private readings: Readings;
  private state: "starting" | "running" | "stopped" = "starting";
  private cancel: (() => void) | undefined;

  constructor(private readonly options: SensorsOptions) {
    const { clock } = options;
    this.polls = options.sensors.map(
      (sensor) => new Poll(sensor, { clock, onRead: (...read) => this.read(...read) }),
    );
    this.readings = {
      at: clock.now(),
      simulated: false,
      zones: [],
      memories: [],
      pressure: null,
      throttling: [],
      watts: null,
      distrusted: [],
    };
  }

  /** The last readings; before the first, empty ones. */
  latest(): Readings {
    return this.readings;
  }

  /** Whether the GPU's memory is RAM (Jetson). Known once the first readings are there. */
  get gpuSharesRam(): boolean {
    return this.options.gpuSharesRam?.() ?? false;
  }

  /** Calls back with readings each second; the returned function ends it. */
  onReadings(callback: (readings: Readings) => void): () => void {
    this.listeners.add(callback);
    return () => this.listeners.delete(callback);
  }

  async start(signal: AbortSignal): Promise<void> {
    const { clock } = this.options;
    const enough = new AbortController();
    const first = Promise.all(this.polls.map((poll) => poll.start()));
    await Promise.race([first, sleep(clock, FIRST, AbortSignal.any([signal, enough.signal]))]);
    enough.abort();
    if (this.state === "stopped") return;
    this.state = "running";
    this.tick();
  }

  async stop(): Promise<void> {
    this.state = "stopped";
    this.cancel?.();
    const enough = new AbortController();
    const stopped = Promise.all(this.polls.map((poll) => poll.stop()));
    await Promise.race([stopped, sleep(this.options.clock, STOP, enough.signal)]);
    enough.abort();
  }

  health(): Health {
    if (this.state !== "running") return { state: this.state };
    const detail = { ...this.figures(), ...this.facts() };
    const faults = this.polls.flatMap(({ source }) =>
      source.fault === null ? [] : [`${source.sensor} ${source.fault}`],
    );
    const { zones, memories } = this.readings;
    if (zones.length === 0) faults.push("no temperature can be read, so the model works at a safe pace only");
    if (memories.length === 0) faults.push("how much memory is free cannot be read");
    return faults.length > 0
      ? { state: "degraded", reason: faults.join("; "), detail }
      : { state: "ok", detail };
  }

  private figures(): Record<string, number | string> {
    const { zones, distrusted } = this.readings;
    const hottest = zones.reduce<(typeof zones)[number] | null>(
      (most, zone) => (most === null || zone.celsius > most.celsius ? zone : most),
      null,
    );
    return {
      sensors: this.polls.filter(({ present }) => present).length,
      zones: zones.length,
      distrusted: distrusted.length,
      ...(hottest ? { hottest: `${hottest.id} ${hottest.celsius.toFixed(1)} °C` } : {}),
    };
  }

  private facts(): Record<string, string | number> {
    const telling: readonly Telling[] = this.polls.map(({ sensor }) => sensor as Telling);
    return Object.assign({}, ...telling.map((sensor) => sensor.facts?.() ?? {}));
  }

  private tick(): void {
    const { clock, load } = this.options;
    this.cancel = clock.after(INTERVAL, () => this.tick());
    const { measured, failed, ...rest } = merge(this.polls.map(({ source }) => source));
    const work = { load: load?.() ?? null, watts: rest.watts };
    const verdict = judge(this.trust, measured, work, clock.monotonic());
    this.trust = verdict.trust;
    this.readings = {
      at: clock.now(),
      ...rest,
      zones: [...verdict.zones],
      distrusted: [...failed, ...verdict.distrusted],
    };
    for (const listener of this.listeners) listener(this.readings);
  }

  private read(sensor: string, ms: number, fault: string | null): void {
    this.options.onRead?.(sensor, ms, fault);
    const before = this.faults.get(sensor);
    if (fault === before || (fault === null && before === undefined)) return;
    if (fault === null) {
      this.faults.delete(sensor);
      this.options.logger.info({ sensor }, `${sensor} can be read again`);
    } else {
      this.faults.set(sensor, fault);
      if (before === undefined) this.options.logger.warn({ sensor }, `${sensor} ${fault}`);
    }
  }
}
