import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { judge, type Trust, type Work } from "../../device/sensors/trust.ts";
import type { Zone } from "../../service/contract/readings.ts";

const MINUTE = 60_000;

/** Readings of one or more zones, one a second unless said otherwise. */
class Box {
  now = 1000;
  private trust: Trust = {};

  read(
    celsius: Readonly<Record<string, number>>,
    work: Partial<Work> = {},
    limit: number | null = null,
    ms = 1000,
  ) {
    this.now += ms;
    const measured = Object.entries(celsius).map(([id, value]) => ({
      zone: { id, celsius: value, limit } satisfies Zone,
      at: this.now,
    }));
    const verdict = judge(this.trust, measured, { load: null, watts: null, ...work }, this.now);
    this.trust = verdict.trust;
    return verdict;
  }

  /** The reason why the only zone is distrusted; null where it is trusted. */
  one(celsius: number, work: Partial<Work> = {}, limit: number | null = null, ms = 1000): string | null {
    return this.read({ zone: celsius }, work, limit, ms).distrusted[0]?.reason ?? null;
  }
}

describe("a temperature that cannot be", () => {
  it.each([
    [Number.NaN, null, "gives no number"],
    [-273, null, "says -273 °C, colder than any running box"],
    [-256, null, "says -256 °C, colder than any running box"],
    [0, null, "says 0 °C exactly, as a sensor without power does"],
    [150, null, "says 150 °C, hotter than any chip bears"],
    [200, 99, "says 200 °C, hotter than any chip bears"],
    [127, 99, "says 127 °C, at which it would long have shut down (its limit is 99 °C)"],
  ])("%s is distrusted, and said why", (celsius, limit, reason) => {
    expect(new Box().one(celsius, {}, limit)).toBe(reason);
  });

  it.each([-39, -5, 0.5, 41, 104.4, 123])("%s is believed", (celsius) => {
    expect(new Box().one(celsius, {}, 99)).toBeNull();
  });

  it("costs its sensor one more reading, and a sensor that keeps giving it all trust", () => {
    const box = new Box();
    box.one(50);
    expect(box.one(0)).toMatch(/^says 0/);
    expect(box.one(50)).toBe(
      "has yet to make sense for a while (says 0 °C exactly, as a sensor without power does)",
    );
    expect(box.one(51)).toBeNull();
    for (let round = 0; round < 10; round += 1) {
      expect(box.one(200)).not.toBeNull();
      expect(box.one(51)).not.toBeNull();
    }
    const after = Array.from({ length: 8 }, () => box.one(51));
    expect(after.at(-1)).toBeNull();
  });
});

describe("a jump", () => {
  it("of more than a chip's heat can do has to say so twice", () => {
    const box = new Box();
    box.one(40);
    expect(box.one(85)).toBe("went from 40 °C to 85 °C in 1 s, which has yet to be confirmed");
    expect(box.one(87)).toBeNull();
    expect(box.one(60)).toBeNull();
  });

  it("that the next reading denies was nonsense", () => {
    const box = new Box();
    box.one(40);
    expect(box.one(120)).not.toBeNull();
    expect(box.one(41)).toBe("has yet to make sense for a while (jumps to and fro)");
    expect(box.one(41)).toBeNull();
  });

  it("within a long time is none", () => {
    const box = new Box();
    box.one(40);
    expect(box.one(85, {}, null, 5000)).toBeNull();
  });
});

describe("a temperature that stands still", () => {
  const stand = (box: Box, ms: number, celsius: number, work: Partial<Work>) => {
    let reason: string | null = null;
    for (const end = box.now + ms; box.now < end; ) reason = box.one(celsius, work);
    return reason;
  };

  it("with fine steps is distrusted when the work changed meanwhile, until it moves", () => {
    const box = new Box();
    expect(stand(box, MINUTE, 53.406, { load: 0 })).toBeNull();
    expect(stand(box, 2 * MINUTE, 53.406, { load: 1 })).toBe(
      "has stood at exactly 53.406 °C for 2 min, while the work changed",
    );
    expect(box.one(53.437, { load: 1 })).toBeNull();
  });

  it("is believed as long as nothing else changes", () => {
    expect(stand(new Box(), 30 * MINUTE, 53.406, { load: 0.2, watts: 6 })).toBeNull();
  });

  it("with steps of a degree is given twenty minutes", () => {
    const box = new Box();
    stand(box, MINUTE, 41, { load: 0, watts: 20 });
    expect(stand(box, 18 * MINUTE, 41, { load: 1, watts: 20 })).toBeNull();
    expect(stand(box, 2 * MINUTE, 41, { load: 1, watts: 20 })).toMatch(/stood at exactly 41 °C/);
  });

  it("is believed where hardware holds it at its limit under steady work", () => {
    const box = new Box();
    expect(stand(box, 60 * MINUTE, 83, { load: 0.9, watts: 300 })).toBeNull();
  });

  it("and short bursts of work, which need not warm anything, is believed", () => {
    const box = new Box();
    let reason: string | null = null;
    for (let second = 0; second < 1800; second += 1)
      reason = box.one(41.25, { load: second % 10 === 0 ? 1 : 0 });
    expect(reason).toBeNull();
  });

  it("with fine steps is distrusted when the rest of the box warmed up", () => {
    const box = new Box();
    let verdict = box.read({ stuck: 44.031, a: 44, b: 44 });
    for (let second = 0; second < 150; second += 1) {
      const warm = 44 + second / 10 + (second % 3) / 32;
      verdict = box.read({ stuck: 44.031, a: warm, b: warm + 1 });
    }
    expect(verdict.distrusted).toEqual([
      {
        sensor: "stuck",
        reason: "has stood at exactly 44.031 °C for 2 min, while the rest of the box changed",
      },
    ]);
    expect(verdict.zones.map(({ id }) => id)).toEqual(["a", "b"]);
  });
});

it("A reading is judged once, however often it is looked at", () => {
  const at = 5000;
  const look = (trust: Trust, celsius: number, time: number, now: number) =>
    judge(trust, [{ zone: { id: "z", celsius, limit: null }, at: time }], { load: null, watts: null }, now);
  const first = look({}, 40, at, at);
  const odd = look(first.trust, 90, at + 1000, at + 1000);
  const again = look(odd.trust, 90, at + 1000, at + 2000);
  expect(again.distrusted).toEqual(odd.distrusted);
  expect(look(again.trust, 90, at + 3000, at + 3000).distrusted).toEqual([]);
});

it("Whatever sensors say, every zone is either within bounds or named", () => {
  const number = fc.oneof(
    fc.double(),
    fc.constantFrom(0, -273.15, 85, 127, 150, 200, Number.NaN, Number.POSITIVE_INFINITY),
    fc.integer({ min: 20, max: 110 }),
  );
  const reading = fc.record({
    a: number,
    b: number,
    load: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
    watts: fc.option(number),
    limit: fc.option(fc.constantFrom(83, 99, 100)),
    ms: fc.constantFrom(1, 1000, 60_000, 1_000_000),
  });
  fc.assert(
    fc.property(fc.array(reading, { maxLength: 40 }), (readings) => {
      const box = new Box();
      for (const { a, b, load, watts, limit, ms } of readings) {
        const { zones, distrusted } = box.read({ a, b }, { load, watts }, limit, ms);
        expect([...zones.map(({ id }) => id), ...distrusted.map(({ sensor }) => sensor)].sort()).toEqual([
          "a",
          "b",
        ]);
        for (const { celsius } of zones) {
          expect(celsius).toBeGreaterThan(-40);
          expect(celsius).toBeLessThan(150);
        }
        for (const { reason } of distrusted) expect(reason.length).toBeGreaterThan(5);
      }
    }),
  );
});
