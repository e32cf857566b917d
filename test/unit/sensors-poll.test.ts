import { afterEach, describe, expect, it } from "vitest";
import { Sensors, type SensorsOptions } from "../../device/sensors/sensors.ts";
import { createSystemInformation } from "../../device/sensors/system-information.ts";
import type { Readings, Sensor, SensorReading } from "../../service/contract/readings.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { FakeClock } from "../support/fake-clock.ts";

const RAM = { memories: [{ id: "ram", total: 8e9, free: 4e9, own: 0 }] };
const never = new Promise<never>(() => undefined);
const zone = (id: string, celsius: number): SensorReading => ({ zones: [{ id, celsius, limit: 99 }] });

/** A sensor that gives what `say` gives; how often it was asked. */
class Told implements Sensor {
  readonly interval = 1000;
  readonly timeout = 2000;
  asked = 0;
  closed = 0;
  there: () => Promise<boolean> = async () => true;

  constructor(
    readonly name: string,
    public say: (signal: AbortSignal) => Promise<SensorReading>,
  ) {}

  probe(): Promise<boolean> {
    return this.there();
  }

  read(signal: AbortSignal): Promise<SensorReading> {
    this.asked += 1;
    return this.say(signal);
  }

  async close(): Promise<void> {
    this.closed += 1;
  }
}

const running: { sensors: Sensors; clock: FakeClock }[] = [];
afterEach(async () => {
  for (const { sensors } of running.splice(0)) await sensors.stop();
});

/** Lets what was called back go its way before time moves on. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

async function started(all: readonly Sensor[], options: Partial<SensorsOptions> = {}) {
  const clock = new FakeClock();
  const sensors = new Sensors({ sensors: all, clock, logger: silentLogger, ...options });
  running.push({ sensors, clock });
  const seen: Readings[] = [];
  sensors.onReadings((readings) => seen.push(readings));
  const pass = async (seconds: number) => {
    for (let second = 0; second < seconds * 10; second += 1) {
      await settle();
      clock.advance(100);
    }
    await settle();
  };
  const start = sensors.start(new AbortController().signal);
  await pass(6);
  await start;
  return { sensors, clock, seen, pass };
}

const ids = ({ zones }: Readings) => zones.map(({ id }) => id);

describe("Sensors", () => {
  it("give one picture of the box each second, what knows best first", async () => {
    const first = new Told("first", async () => ({
      ...zone("a", 50),
      watts: 9,
      pressure: { some: 1, full: 0 },
    }));
    const second = new Told("second", async () => ({
      ...zone("a", 70),
      ...RAM,
      watts: 300,
      throttling: ["x: power cap"],
      simulated: true,
    }));
    const { sensors, seen, pass } = await started([first, second]);
    const before = seen.length;
    await pass(10);
    expect(seen.length - before).toBe(10);
    const { at: _, ...readings } = sensors.latest();
    expect(readings).toEqual({
      simulated: true,
      zones: [{ id: "a", celsius: 50, limit: 99 }],
      ...RAM,
      watts: 9,
      pressure: { some: 1, full: 0 },
      throttling: ["x: power cap"],
      distrusted: [],
    });
    expect(sensors.health().state).toBe("ok");
  });

  it("do not wait for one that hangs: it is named, and tried again ever less often", async () => {
    const good = new Told("good", async () => ({ ...zone("a", 50), ...RAM }));
    const hung = new Told("hung", () => never);
    const { sensors, seen, pass } = await started([hung, good]);
    expect(ids(sensors.latest())).toEqual(["a"]);
    expect(sensors.latest().distrusted).toEqual([{ sensor: "hung", reason: "did not answer within 2 s" }]);
    expect(sensors.health()).toMatchObject({ state: "degraded", reason: "hung did not answer within 2 s" });
    const [asked, read] = [hung.asked, good.asked];
    await pass(120);
    expect(good.asked - read).toBeGreaterThan(110);
    expect(hung.asked - asked).toBeLessThan(10);
    expect(seen.length).toBeGreaterThan(120);

    hung.say = async () => zone("b", 51);
    await pass(70);
    expect(ids(sensors.latest())).toEqual(["b", "a"]);
    expect(sensors.latest().distrusted).toEqual([]);
    expect(sensors.health().state).toBe("ok");
  });

  it("begin without one whose probe hangs", async () => {
    const hung = new Told("hung", async () => zone("b", 51));
    hung.there = () => never;
    const { sensors } = await started([hung, new Told("good", async () => ({ ...zone("a", 50), ...RAM }))]);
    expect(ids(sensors.latest())).toEqual(["a"]);
    expect(sensors.latest().distrusted[0]?.reason).toBe("could not be looked for: did not answer within 2 s");
  });

  it("drop the values of one that fails, with its own words", async () => {
    const vanishing = new Told("card", async () => zone("nvidia0", 60));
    const { sensors, pass } = await started([vanishing, new Told("ram", async () => RAM)]);
    expect(ids(sensors.latest())).toEqual(["nvidia0"]);
    vanishing.say = async () => Promise.reject(new Error("GPU is lost"));
    await pass(3);
    expect(sensors.latest().zones).toEqual([]);
    expect(sensors.latest().distrusted).toEqual([{ sensor: "card", reason: "GPU is lost" }]);
    expect(sensors.health().reason).toBe(
      "card GPU is lost; no temperature can be read, so the model works at a safe pace only",
    );
  });

  it("name nonsense, and believe the sensor when it makes sense again", async () => {
    const told = new Told("zones", async () => ({ ...zone("a", 50), ...RAM }));
    const { sensors, pass } = await started([told]);
    told.say = async () => ({ ...zone("a", -273), ...RAM });
    await pass(3);
    expect(sensors.latest()).toMatchObject({
      zones: [],
      distrusted: [{ sensor: "a", reason: "says -273 °C, colder than any running box" }],
    });
    told.say = async () => ({ ...zone("a", 51), ...RAM });
    await pass(10);
    expect(ids(sensors.latest())).toEqual(["a"]);
  });

  it("name one that froze while the model's work changed", async () => {
    let load = 0;
    const told = new Told("zones", async () => ({ ...zone("a", 50.031), ...RAM }));
    const { sensors, pass } = await started([told], { load: () => load });
    await pass(60);
    load = 1;
    await pass(120);
    expect(sensors.latest().distrusted[0]).toEqual({
      sensor: "a",
      reason: expect.stringMatching(/^has stood at exactly 50.031 °C for \d min, while the work changed$/),
    });
  });

  it("look again for one that was not there", async () => {
    let loaded = false;
    const late = new Told("late", async () => zone("gpu", 40));
    late.there = async () => loaded;
    const { sensors, pass } = await started([late, new Told("ram", async () => RAM)]);
    expect(sensors.latest().zones).toEqual([]);
    loaded = true;
    await pass(65);
    expect(ids(sensors.latest())).toEqual(["gpu"]);
  });

  it("tell metrics of each reading, and a listener no more than it wants", async () => {
    const reads: [string, string | null][] = [];
    const bad = new Told("bad", async () => Promise.reject(new Error("EIO")));
    const { sensors, pass } = await started([bad, new Told("ram", async () => RAM)], {
      onRead: (sensor, _ms, fault) => reads.push([sensor, fault]),
    });
    expect(reads).toContainEqual(["bad", "EIO"]);
    expect(reads).toContainEqual(["ram", null]);
    let heard = 0;
    const end = sensors.onReadings(() => {
      heard += 1;
    });
    await pass(2);
    end();
    await pass(2);
    expect(heard).toBe(2);
  });

  it("close each sensor and ask none any more when they stop, however one hangs", async () => {
    const good = new Told("good", async () => RAM);
    const hung = new Told("hung", () => never);
    hung.close = () => never;
    const { sensors, pass } = await started([good, hung]);
    const stop = sensors.stop();
    await pass(3);
    await stop;
    const { asked } = good;
    await pass(10);
    expect(good.asked).toBe(asked);
    expect(good.closed).toBe(1);
    expect(sensors.health()).toEqual({ state: "stopped" });
    running.pop();
  });

  it("have readings before the first, which are empty", () => {
    const sensors = new Sensors({ sensors: [], clock: new FakeClock(), logger: silentLogger });
    expect(sensors.latest()).toMatchObject({ zones: [], memories: [], pressure: null, watts: null });
    expect(sensors.health()).toEqual({ state: "starting" });
  });
});

describe("systeminformation", () => {
  it("is asked only where nothing else measures the processor", async () => {
    const celsius = async () => 48.5;
    expect(await createSystemInformation({ needed: async () => false, celsius }).probe()).toBe(false);
    const sensor = createSystemInformation({ needed: async () => true, celsius });
    expect(await sensor.probe()).toBe(true);
    expect(await sensor.read(new AbortController().signal)).toEqual({
      zones: [{ id: "cpu", celsius: 48.5, limit: null }],
    });
    expect(
      await createSystemInformation({ needed: async () => true, celsius: async () => null }).probe(),
    ).toBe(false);
  });

  it("gives a temperature or none on this machine", async () => {
    expect(typeof (await createSystemInformation({ needed: async () => true }).probe())).toBe("boolean");
  });
});
