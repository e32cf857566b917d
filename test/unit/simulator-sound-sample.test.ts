import { describe, expect, it } from "vitest";
import { Random } from "../../device/simulator/random.ts";
import { NOISE_ABOVE, SILENCE_BELOW } from "../../device/simulator/script.ts";
import { dbOf, rms } from "../../device/simulator/sound/sound-filters.ts";
import { FRAME, type SampleOptions, soundSample, TARGET } from "../../device/simulator/sound/sound-sample.ts";
import { shippedVoices } from "../../device/simulator/sound/voices.ts";
import { type Heard, LOUDNESS, NOISES, WORDS } from "../../device/simulator/world.ts";

const HARD: SampleOptions = { split: "train", difficulty: 1, voices: "known" };
const bank = shippedVoices();
const lengthOf = (random: Random) => random.whole(9600, 48_000);

const samplesOf = (count: number, options: SampleOptions) =>
  Array.from({ length: count }, (_, i) => {
    const random = new Random("sample", i);
    return soundSample(random, lengthOf(random), bank, options);
  });

const many = samplesOf(800, HARD);
const shareOf = (is: (heard: Heard) => boolean) => many.filter(({ heard }) => is(heard)).length / many.length;

describe("sound samples", () => {
  it("are the same for the same random numbers, and others for others", () => {
    const [first, second, other] = [1, 1, 2].map((n) => soundSample(new Random(n), 20_000, bank, HARD));
    expect(first).toEqual(second);
    expect(first?.samples).not.toEqual(other?.samples);
    expect(first?.samples).toHaveLength(20_000);
    expect(first?.targets).toHaveLength(32);
  });

  it("hold every sort of sound in its share", () => {
    expect(shareOf(({ sound }) => sound === "silence")).toBeCloseTo(0.15, 1);
    expect(shareOf(({ sound }) => sound === "alarm")).toBeCloseTo(0.15, 1);
    expect(shareOf(({ sound }) => sound === "speech")).toBeCloseTo(0.45, 1);
    for (const noise of NOISES)
      expect(shareOf((heard) => heard.sound === "noise" && heard.noise === noise)).toBeCloseTo(0.083, 1);
    for (const loudness of LOUDNESS)
      expect(shareOf((heard) => heard.sound === "speech" && heard.loudness === loudness)).toBeCloseTo(
        0.15,
        1,
      );
    for (const word of WORDS)
      expect(shareOf((heard) => heard.sound === "speech" && heard.word === word)).toBeGreaterThan(0);
  });

  it("have targets that say what they are about, and nothing else but quiet and noise under it", () => {
    for (const { heard, targets } of many) {
      const own = codeOf(heard);
      const frames = targets.filter((target) => target === own).length;
      if (heard.sound !== "silence") expect(frames * 40).toBeGreaterThan(heard.sound === "speech" ? 80 : 100);
      const beds: number[] = heard.sound === "noise" ? [] : [TARGET.hum, TARGET.hiss, TARGET.grinding];
      const allowed = new Set<number>([own, TARGET.silence, TARGET.unclear, ...beds]);
      expect([...targets].every((target) => allowed.has(target))).toBe(true);
    }
  });

  it("are silent where a target says so, and never where it names a sound", () => {
    for (const { samples, targets } of many)
      for (const [frame, target] of targets.entries()) {
        const level = dbOf(rms(samples.subarray(frame * FRAME, (frame + 1) * FRAME)) / 32768);
        if (target === TARGET.silence) expect(level).toBeLessThan(SILENCE_BELOW + 3);
        else if (target !== TARGET.unclear) expect(level).toBeGreaterThan(NOISE_ABOVE - 26);
      }
  });

  it("hold speech that is well above the noise under it", () => {
    let beds = 0;
    for (const { heard, samples, targets } of many) {
      const bed = [...targets.keys()].filter((frame) => NOISE_CODES.includes(targets[frame] ?? 0));
      if (heard.sound !== "speech" || bed.length < 5) continue;
      beds += 1;
      const levels = (frames: number[]) =>
        frames.map((frame) => rms(samples.subarray(frame * FRAME, (frame + 1) * FRAME)));
      const said = [...targets.keys()].filter((frame) => targets[frame] === codeOf(heard));
      const under = Math.hypot(...levels(bed)) / Math.sqrt(bed.length);
      expect(dbOf(Math.max(...levels(said))) - dbOf(under)).toBeGreaterThan(7);
    }
    expect(beds).toBeGreaterThan(50);
  });

  it("are dry and still at difficulty 0", () => {
    for (const { heard, targets } of samplesOf(200, { ...HARD, difficulty: 0 }))
      if (heard.sound !== "noise")
        expect([...targets].some((target) => NOISE_CODES.includes(target))).toBe(false);
  });

  it("come in unheard voices and backgrounds too", () => {
    const held = samplesOf(200, { split: "held-out", difficulty: 1, voices: "new" });
    for (const [i, { heard, samples }] of held.entries())
      if (heard.sound !== "silence") expect(samples).not.toEqual(many[i]?.samples);
  });

  it("cannot be made of a voice bank that lacks the voices", () => {
    const none = Object.assign(Object.create(bank), { takes: () => [] });
    const speak = () => Array.from({ length: 20 }, (_, i) => soundSample(new Random(i), 9600, none, HARD));
    expect(speak).toThrow(/no voice of this split/);
  });
});

const NOISE_CODES: number[] = NOISES.map((noise) => TARGET[noise]);

function codeOf(heard: Heard): number {
  if (heard.sound === "speech") return TARGET.word + WORDS.indexOf(heard.word);
  return heard.sound === "noise" ? TARGET[heard.noise] : TARGET[heard.sound];
}
