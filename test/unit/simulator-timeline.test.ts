import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { STRETCH, stretchOf, Timeline } from "../../device/simulator/timeline.ts";

const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const indexes = fc.integer({ min: 0, max: 40_000_000 });

describe("a stretch of the simulated cell", () => {
  it("is the same for the same seed, and another for another", () => {
    fc.assert(
      fc.property(seeds, indexes, (seed, index) => {
        expect(stretchOf(seed, index)).toEqual(stretchOf(seed, index));
        expect(stretchOf(seed, index)).not.toEqual(stretchOf((seed + 1) % 2 ** 32, index));
      }),
    );
  });

  it("shows one thing after the other without a gap, each for 2 to 4 s and unlike the one before", () => {
    fc.assert(
      fc.property(seeds, indexes, (seed, index) => {
        const { from, to, scene } = stretchOf(seed, index);
        expect([from, to]).toEqual([index * STRETCH, (index + 1) * STRETCH]);
        expect(scene[0]?.from).toBe(from);
        expect(scene.at(-1)?.to).toBe(to);
        for (const [i, segment] of scene.entries()) {
          expect(segment.to - segment.from).toBeGreaterThanOrEqual(2000);
          expect(segment.to - segment.from).toBeLessThanOrEqual(4000);
          const next = scene[i + 1];
          if (!next) continue;
          expect(next.from).toBe(segment.to);
          expect(next.truth).not.toEqual(segment.truth);
        }
      }),
    );
  });

  it("sounds every few seconds with quiet between and at both ends", () => {
    fc.assert(
      fc.property(seeds, indexes, (seed, index) => {
        const { from, to, sounds } = stretchOf(seed, index);
        expect(sounds.length).toBeGreaterThanOrEqual(10);
        for (const [i, sound] of sounds.entries()) {
          expect(sound.to).toBeGreaterThan(sound.from);
          expect(sound.from - (sounds[i - 1]?.to ?? from - 1000)).toBeGreaterThanOrEqual(1500);
          expect(to - sound.to).toBeGreaterThanOrEqual(500);
        }
      }),
    );
  });

  it("has somebody who is there call for help now and then, and everything else too", () => {
    const timeline = new Timeline(7);
    const minutes = Array.from({ length: 30 }, (_, index) => stretchOf(7, index));
    const sounds = minutes.flatMap((minute) => minute.sounds);
    const calls = sounds.filter(
      ({ from, kind }) =>
        kind.sound === "speech" && kind.word === "help" && timeline.sceneAt(from).truth.person,
    );
    expect(calls.length).toBeGreaterThan(15);
    expect(new Set(sounds.map(({ kind }) => kind.sound)).size).toBe(3);
    expect(new Set(sounds.map(({ kind }) => (kind.sound === "speech" ? kind.word : ""))).size).toBe(11);
    const shown = minutes.flatMap((minute) => minute.scene).map(({ truth }) => truth);
    expect(new Set(shown.map(({ light }) => light)).size).toBe(4);
    expect(new Set(shown.map(({ person }) => person)).size).toBe(2);
  });
});

describe("the truth of a piece of sound", () => {
  const timeline = new Timeline(7);
  const { from: begin, sounds } = timeline.stretchAt(1_760_000_000_000);
  const word = sounds.find(({ kind }) => kind.sound === "speech");
  const noise = sounds.find(({ kind }) => kind.sound === "noise");
  if (word?.kind.sound !== "speech" || !noise) throw new Error("seed 7 should have both");
  const length = word.to - word.from;
  const spoken = { sound: "speech", words: word.kind.word };

  it("is the word where the clip holds it", () => {
    expect(timeline.soundTruth(word.from - 200, word.to + 400)).toEqual(spoken);
    expect(timeline.soundTruth(word.from + length * 0.15, word.to)).toEqual(spoken);
  });

  it("is unknown where the clip cuts the word", () => {
    expect(timeline.soundTruth(word.from + length * 0.3, word.to + 400)).toBeUndefined();
    expect(timeline.soundTruth(word.from - 1000, word.from + 10)).toBeUndefined();
  });

  it("is noise or alarm where that fills the clip, and unknown where it only begins", () => {
    expect(timeline.soundTruth(noise.from + 300, noise.to - 300)).toEqual({ sound: "noise", words: "" });
    expect(timeline.soundTruth(noise.from - 900, noise.from + 100)).toBeUndefined();
  });

  it("is silence between sounds", () => {
    expect(timeline.soundTruth(word.to, word.to + 1500)).toEqual({ sound: "silence", words: "" });
  });

  it("is unknown where there are two sounds, also across minutes", () => {
    expect(timeline.soundTruth(begin, begin + 20_000)).toBeUndefined();
    expect(timeline.soundTruth(begin - 20_000, begin + STRETCH + 20_000)).toBeUndefined();
    expect(timeline.soundsBetween(begin - STRETCH, begin + 2 * STRETCH).length).toBeGreaterThan(30);
  });
});
