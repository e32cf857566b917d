import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { frameTruth } from "../../device/simulator/course/seen.ts";
import { STRETCH, type Stretch, stretchOf, Timeline } from "../../device/simulator/course/timeline.ts";
import { isLying, isWalking } from "../../device/simulator/course/visits.ts";
import { voiceNames } from "../../device/simulator/sound/voices.ts";
import {
  BELTS,
  CALLS,
  CAMERA_STATES,
  LIGHTS,
  LOUDNESS,
  MOST_PEOPLE,
  NOISES,
  type Scene,
  THINGS,
  WORDS,
} from "../../device/simulator/world.ts";

const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const indexes = fc.integer({ min: 0, max: 40_000_000 });
const hour = Array.from({ length: 60 }, (_, index) => stretchOf(7, index));
const timeline = new Timeline(7);

function scenesOf({ from, to }: Stretch, seed = 7, step = 500): Scene[] {
  const own = seed === 7 ? timeline : new Timeline(seed);
  return Array.from({ length: (to - from) / step }, (_, i) => own.sceneAt(from + i * step));
}

describe("a stretch of the simulated cell", () => {
  it("is the same for the same seed, and another for another", () => {
    fc.assert(
      fc.property(seeds, indexes, (seed, index) => {
        expect(stretchOf(seed, index)).toEqual(stretchOf(seed, index));
        expect(stretchOf(seed, index)).not.toEqual(stretchOf((seed + 1) % 2 ** 32, index));
      }),
    );
  });

  it("shows one thing after the other without a gap, each for 2 to 4 s", () => {
    fc.assert(
      fc.property(seeds, indexes, (seed, index) => {
        const { from, to, states, visits } = stretchOf(seed, index);
        expect([from, to]).toEqual([index * STRETCH, (index + 1) * STRETCH]);
        expect(states[0]?.from).toBe(from);
        expect(states.at(-1)?.to).toBe(to);
        for (const [i, state] of states.entries()) {
          expect(state.to - state.from).toBeGreaterThanOrEqual(2000);
          expect(state.to - state.from).toBeLessThanOrEqual(4000);
          const next = states[i + 1];
          if (!next) continue;
          expect(next.from).toBe(state.to);
          const changes = visits.some(({ comes, goes, lies }) =>
            [comes, goes, ...lies].some((span) => span?.from === next.from || span?.to === next.from),
          );
          if (!changes) expect(next.shows).not.toEqual(state.shows);
        }
      }),
    );
  });

  it("lets people walk one at a time, past nobody who stands nearer than 0.2 to their spot", () => {
    fc.assert(
      fc.property(seeds, indexes, (seed, index) => {
        const stretch = stretchOf(seed, index);
        const { states, visits } = stretch;
        for (const { from, to } of states) {
          const walking = visits.filter((visit) => isWalking(visit, from));
          expect(walking.length).toBeLessThanOrEqual(1);
          for (const { comes, goes } of walking) {
            const walk = comes?.from === from ? comes : goes;
            expect((walk?.to ?? 0) - from).toBeGreaterThanOrEqual(1500);
            expect(walk?.to).toBeLessThanOrEqual(Math.min(from + 2500, to - 500));
          }
        }
        for (const { people } of scenesOf(stretch, seed)) {
          expect(people.length).toBeLessThanOrEqual(MOST_PEOPLE);
          expect(people.filter(({ pose }) => pose === "lying").length).toBeLessThanOrEqual(1);
        }
        const standing = visits.filter((visit) => states.some(({ to }) => !isWalking(visit, to - 1)));
        for (const { spot } of standing) {
          expect(spot).toBeGreaterThanOrEqual(0.12);
          expect(spot).toBeLessThanOrEqual(0.88);
        }
      }),
      { numRuns: 50 },
    );
    for (const { people } of hour.flatMap((stretch) => scenesOf(stretch))) {
      const spots = people
        .filter(({ pose, x }) => pose === "standing" && x > 0.1 && x < 0.9)
        .map(({ x }) => x)
        .sort((a, b) => a - b);
      const gaps = spots.slice(1).map((x, i) => x - (spots[i] ?? 0));
      if (allStay(people)) for (const gap of gaps) expect(gap).toBeGreaterThan(0.199);
    }
  });

  it("sounds every few seconds with quiet between and at both ends, at times over a noise", () => {
    fc.assert(
      fc.property(seeds, indexes, (seed, index) => {
        const { from, to, sounds } = stretchOf(seed, index);
        expect(sounds.length).toBeGreaterThanOrEqual(9);
        let quietSince = from - 1000;
        for (const [i, sound] of sounds.entries()) {
          expect(sound.to).toBeGreaterThan(sound.from);
          expect(to - sound.to).toBeGreaterThanOrEqual(500);
          const under = sounds[i - 1];
          if (under && sound.from < under.to) {
            expect(under.what.sound).toBe("noise");
            expect(sound.what.sound).not.toBe("noise");
            expect(sound.from - under.from).toBeGreaterThanOrEqual(1000);
            expect(under.to - sound.to).toBeGreaterThanOrEqual(1000);
          } else expect(sound.from - quietSince).toBeGreaterThanOrEqual(1500);
          quietSince = Math.max(quietSince, sound.to);
        }
      }),
    );
  });
});

/** Nobody is on foot: all are where they stay. */
const allStay = (people: Scene["people"]) =>
  people.every(({ looks, x }) =>
    hour.some(({ visits }) => visits.some((visit) => visit.looks === looks && visit.spot === x)),
  );

describe("an hour of the simulated cell", () => {
  const states = hour.flatMap((stretch) => stretch.states);
  const sounds = hour.flatMap((stretch) => stretch.sounds).map(({ what }) => what);
  const spoken = sounds.filter((what) => what.sound === "speech");

  it("has every light, belt, thing, fault, noise, word, voice and loudness", () => {
    const shown = states.map(({ shows }) => shows);
    expect(new Set(shown.map(({ light }) => light))).toEqual(new Set(LIGHTS));
    expect(new Set(shown.map(({ blinking }) => blinking)).size).toBe(2);
    expect(new Set(shown.map(({ camera }) => camera))).toEqual(new Set(CAMERA_STATES));
    expect(new Set(shown.flatMap(({ belt }) => belt ?? []))).toEqual(new Set(BELTS));
    expect(new Set(shown.flatMap(({ things }) => things ?? []))).toEqual(new Set(THINGS));
    expect(shown.every(({ belt, things }) => belt === undefined || things === undefined)).toBe(true);
    const noises = sounds.flatMap((what) => (what.sound === "noise" ? what.noise : []));
    expect(new Set(noises)).toEqual(new Set(NOISES));
    expect(sounds.some((what) => what.sound === "alarm")).toBe(true);
    expect(new Set(spoken.map(({ word }) => word))).toEqual(new Set(WORDS));
    expect(new Set(spoken.map(({ loudness }) => loudness))).toEqual(new Set(LOUDNESS));
    const voices = [...voiceNames("known"), ...voiceNames("new")];
    expect(new Set(spoken.map(({ voice }) => voice))).toEqual(new Set(voices));
  });

  it("has places of every kind, day, dusk and night", () => {
    const daylight = hour.map((stretch) => stretch.daylight);
    expect(daylight.filter((light) => light < 0.2).length).toBeGreaterThan(3);
    expect(daylight.filter((light) => light > 0.6).length).toBeGreaterThan(25);
    expect(daylight.filter((light) => light >= 0.2 && light <= 0.6).length).toBeGreaterThan(3);
    expect(new Set(hour.map(({ place }) => place)).size).toBe(60);
  });

  it("has nobody to three people there, somebody who lies, and a camera at fault for about 5 % of the time", () => {
    const truths = hour.flatMap((stretch) => scenesOf(stretch).map((scene, i) => frameTruth(scene, i * 500)));
    const share = (field: string, value: unknown) =>
      truths.filter((truth) => truth[field] === value).length / truths.length;
    for (const people of [0, 1, 2, 3]) expect(share("people", people)).toBeGreaterThan(0.03);
    expect(share("lying", true)).toBeGreaterThan(0.04);
    expect(share("camera", "ok")).toBeGreaterThan(0.92);
    expect(share("camera", "ok")).toBeLessThan(0.98);
    // While somebody is half in the picture nobody can say how many there are.
    expect(share("people", undefined) - (1 - share("camera", "ok"))).toBeLessThan(0.08);
  });

  it("has somebody who is there call for help more often than others would", () => {
    const calls = (there: boolean) => {
      const said = hour.flatMap(({ sounds, visits }) =>
        sounds.filter(({ from, what }) => {
          const stays = visits.some(
            ({ comes, goes }) => (comes?.to ?? 0) <= from && from + 1000 < (goes?.from ?? 1e15),
          );
          return what.sound === "speech" && stays === there;
        }),
      );
      const called = said.filter(({ what }) => what.sound === "speech" && CALLS.includes(what.word));
      return called.length / said.length;
    };
    expect(calls(true)).toBeGreaterThan(0.35);
    expect(calls(false)).toBeLessThan(0.3);
  });

  it("lets who falls lie for seconds", () => {
    const falls = hour.flatMap(({ visits, to }) =>
      visits.flatMap(({ lies }) => lies.map((span) => Math.min(span.to, to) - span.from)),
    );
    expect(falls.length).toBeGreaterThan(20);
    expect(Math.min(...falls)).toBeGreaterThanOrEqual(2000);
    const visit = hour.flatMap(({ visits }) => visits).find(({ lies }) => lies.length > 0);
    expect(visit && isLying(visit, visit.lies[0]?.from ?? 0)).toBe(true);
  });
});

describe("sounds between two moments", () => {
  it("are those of all minutes that lie between", () => {
    const { from } = timeline.stretchAt(1_760_000_000_000);
    const found = timeline.soundsBetween(from - STRETCH, from + 2 * STRETCH);
    const each = [-1, 0, 1].flatMap((i) => timeline.stretchAt(from + i * STRETCH).sounds);
    expect(found).toEqual(each);
    expect(timeline.soundTruth(from - 20_000, from + 20_000)).toBeUndefined();
  });
});
