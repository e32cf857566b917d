import type { Sensor, SensorReading } from "../../service/contract/readings.ts";
import { Backoff } from "../../service/kernel/backoff.ts";
import { type Clock, sleep } from "../../service/kernel/clock.ts";
import { messageOf } from "../../service/kernel/errors.ts";
import type { Source } from "./merge.ts";

/** A sensor that is not there may come: a driver is loaded, a card plugged in. Looked for ever less often, ms. */
const PROBE_AGAIN = 60_000;
const LONGEST_PROBE_AGAIN = 600_000;
const FIRST_RETRY = 1000;
const LONGEST_RETRY = 60_000;

export interface PollOptions {
  readonly clock: Clock;
  /** Told of each reading: how long it took, ms, and why it failed. */
  readonly onRead: (sensor: string, ms: number, fault: string | null) => void;
}

/** Reads one sensor over and over, whatever the others do. What does not answer in time is abandoned and tried later. */
export class Poll {
  private reading: SensorReading | null = null;
  private at = 0;
  private fault: string | null = null;
  private there = false;
  private readonly stopper = new AbortController();
  private readonly backoff = new Backoff(FIRST_RETRY, LONGEST_RETRY);
  private readonly absence = new Backoff(PROBE_AGAIN, LONGEST_PROBE_AGAIN);
  private working: AbortController | undefined;
  private loop: Promise<void> | undefined;

  constructor(
    readonly sensor: Sensor,
    private readonly options: PollOptions,
  ) {}

  /** Whether there is anything of it on this box. */
  get present(): boolean {
    return this.there;
  }

  get source(): Source {
    const { reading, at, fault } = this;
    return { sensor: this.sensor.name, reading: fault === null ? reading : null, at, fault };
  }

  /** Resolves when it has been read once, has failed to be, or is not there. */
  start(): Promise<void> {
    return new Promise((resolve) => {
      this.loop = this.repeat(resolve).finally(resolve);
    });
  }

  async stop(): Promise<void> {
    this.stopper.abort();
    this.working?.abort();
    await this.loop;
    await this.sensor.close();
  }

  private async repeat(onFirst: () => void): Promise<void> {
    const { clock } = this.options;
    const { signal } = this.stopper;
    while (!signal.aborted) {
      if (!this.there) await this.probe();
      const begun = clock.monotonic();
      if (this.there) await this.read();
      onFirst();
      await sleep(clock, this.wait(clock.monotonic() - begun), signal);
    }
  }

  private wait(took: number): number {
    if (this.fault !== null) return this.backoff.next();
    return this.there ? Math.max(0, this.sensor.interval - took) : this.absence.next();
  }

  private async probe(): Promise<void> {
    const outcome = await this.within(() => this.sensor.probe());
    if ("fault" in outcome) this.fault = `could not be looked for: ${outcome.fault}`;
    else {
      this.fault = null;
      this.there = outcome.value;
      this.backoff.reset();
    }
  }

  private async read(): Promise<void> {
    const { clock, onRead } = this.options;
    const begun = clock.monotonic();
    const outcome = await this.within((signal) => this.sensor.read(signal));
    if (this.stopper.signal.aborted) return;
    if ("fault" in outcome) this.fault = outcome.fault;
    else {
      this.reading = outcome.value;
      this.at = clock.monotonic();
      this.fault = null;
      this.backoff.reset();
    }
    onRead(this.sensor.name, clock.monotonic() - begun, this.fault);
  }

  /** What it gives within its time, or why it gave nothing. Its promise may never settle: nothing waits for it. */
  private async within<T>(
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<{ readonly value: T } | { readonly fault: string }> {
    const { timeout } = this.sensor;
    const ended = new AbortController();
    this.working = ended;
    const late = sleep(this.options.clock, timeout, ended.signal).then(() => ({
      fault: `did not answer within ${timeout / 1000} s`,
    }));
    const answer = Promise.resolve()
      .then(() => work(ended.signal))
      .then(
        (value) => ({ value }),
        (error: unknown) => ({ fault: messageOf(error) }),
      );
    try {
      return await Promise.race([answer, late]);
    } finally {
      ended.abort();
    }
  }
}
