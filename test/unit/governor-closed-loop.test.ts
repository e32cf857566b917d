import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Box } from "../../device/simulator/box/box.ts";
import { type Day, dayOf } from "../../device/simulator/box/day.ts";
import { type BoxPreset, PRESETS } from "../../device/simulator/box/preset.ts";
import { Random } from "../../device/simulator/random.ts";
import type { SensorReading, Zone } from "../../service/contract/readings.ts";
import { DEFAULTS, live, policy, restlessness, rungsOf } from "../bench/governor-loop.ts";

const HOUR = 3600;
const HOURS = 3;
/** How far each thermal part of a box may be from the preset's, as a factor's logarithm. */
const VARIED = 0.4;

interface Fault {
  readonly kind: "gone" | "all gone" | "stuck" | "noisy" | "spikes" | "nonsense";
  readonly zone: number;
  readonly from: number;
  readonly length: number;
}
const faults = fc.array(
  fc.record<Fault>({
    kind: fc.constantFrom("gone", "all gone", "stuck", "noisy", "spikes", "nonsense"),
    zone: fc.nat(2),
    from: fc.integer({ min: 60, max: HOURS * HOUR }),
    length: fc.integer({ min: 1, max: 900 }),
  }),
  { maxLength: 12 },
);
const worlds = fc.record({
  preset: fc.constantFrom<BoxPreset>(...PRESETS),
  seed: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  /** Hour of the day at which it begins: before noon it is warming, at noon hottest. */
  begins: fc.integer({ min: 0, max: 20 }),
  warmer: fc.double({ min: -5, max: 8, noNaN: true }),
  faults,
  /** Whether the policy is told how much the model worked. */
  told: fc.boolean(),
});

/** Another specimen of a kind of box: every resistance and capacity differs. */
function specimen(preset: BoxPreset, seed: number): BoxPreset {
  const random = new Random(seed, "specimen");
  const varied = (value: number) => value * Math.exp(random.around(VARIED));
  const still = varied(preset.sink.still);
  return {
    ...preset,
    spots: preset.spots.map((spot) => ({
      ...spot,
      capacity: varied(spot.capacity),
      resistance: varied(spot.resistance),
    })),
    sink: {
      capacity: varied(preset.sink.capacity),
      still,
      blown: preset.fan.length === 0 ? still : Math.min(still, varied(preset.sink.blown)),
    },
  };
}

function part(day: Day, begins: number): Day {
  const at = (second: number) => Math.min(day.seconds - 1, begins * HOUR + second);
  return {
    seconds: HOURS * HOUR,
    around: (second) => day.around(at(second)),
    demand: (second) => day.demand(at(second)),
  };
}

/** Whether the box stays under its limits at such a pace with everything else at its worst: what no governor can better. */
function bearable(preset: BoxPreset, day: Day, pace: number): boolean {
  const air = Math.max(...Array.from({ length: day.seconds / 60 }, (_, i) => day.around(60 * i).air));
  const around = { air, others: 1, taken: 0 };
  const box = new Box(preset, around);
  const watts = pace * Math.max(...preset.ladder.map((rung) => rung.watts));
  box.warm(6 * HOUR, watts, around);
  return box.headroom > DEFAULTS.margin;
}

/** Sensors that lie: what the policy sees while a fault lasts. */
function lying(faults: readonly Fault[], seed: number) {
  const random = new Random(seed, "lies");
  const held = new Map<Fault, number>();
  return (reading: SensorReading, second: number): SensorReading => {
    let zones: Zone[] = [...(reading.zones ?? [])];
    for (const fault of faults) {
      if (second < fault.from || second >= fault.from + fault.length) continue;
      const id = reading.zones?.[fault.zone % (reading.zones.length || 1)]?.id;
      const changed = (change: (celsius: number) => number) =>
        zones.map((zone) => (zone.id === id ? { ...zone, celsius: change(zone.celsius) } : zone));
      if (fault.kind === "all gone") zones = [];
      if (fault.kind === "gone") zones = zones.filter((zone) => zone.id !== id);
      if (fault.kind === "stuck")
        zones = changed((celsius) => {
          const first = held.get(fault) ?? celsius;
          held.set(fault, first);
          return first;
        });
      if (fault.kind === "noisy") zones = changed((celsius) => celsius + Math.round(2 * random.normal()));
      if (fault.kind === "spikes")
        zones = changed((celsius) => (random.chance(0.03) ? celsius + random.around(40) : celsius));
      if (fault.kind === "nonsense")
        zones = changed(() => random.pick([Number.NaN, -273, 200, Number.POSITIVE_INFINITY]));
    }
    return { ...reading, zones };
  };
}

describe("a governed box", () => {
  it("never passes a trip point, never runs out of memory, and swaps seldom and not to and fro", () => {
    fc.assert(
      fc.property(worlds, ({ preset, seed, begins, warmer, faults, told }) => {
        const box = specimen(preset, seed);
        const day = part(dayOf(box, seed, 24 * HOUR, { warmer }), begins);
        const blind = faults.some(
          ({ kind }) => kind === "all gone" || kind === "nonsense" || kind === "gone",
        );
        fc.pre(bearable(box, day, blind ? DEFAULTS.safe : 0));

        let decisions = 0;
        const governing = policy(rungsOf(box), DEFAULTS, ({ pace, level, text }) => {
          decisions += 1;
          expect(pace).toBeGreaterThanOrEqual(0);
          expect(pace).toBeLessThanOrEqual(1);
          if (level === null) expect(pace).toBe(0);
          expect(text).not.toMatch(/NaN|Infinity|undefined/);
        });
        const course = live(
          box,
          day,
          (seeing) => governing({ ...seeing, worked: told ? seeing.worked : null }),
          { seed, sense: lying(faults, seed) },
        );
        const { oscillations, mostAnHour } = restlessness(course.swaps, DEFAULTS.dwell);
        expect(decisions).toBe(day.seconds);
        expect(course).toMatchObject({ above: 0, failures: 0 });
        expect(oscillations).toBe(0);
        expect(mostAnHour).toBeLessThanOrEqual(DEFAULTS.swaps);
      }),
      { numRuns: 20 },
    );
  });

  it("lives the same day twice the same", () => {
    const [preset] = PRESETS;
    const day = part(dayOf(preset, 5), 9);
    const once = () => live(preset, day, policy(rungsOf(preset)), { seed: 5 });
    expect(once()).toEqual(once());
  });
});
