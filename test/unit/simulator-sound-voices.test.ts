import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { dbOf, loudest } from "../../device/simulator/sound/sound-filters.ts";
import { recordingLength, shippedVoices, voiceNames } from "../../device/simulator/sound/voices.ts";
import { WORDS } from "../../device/simulator/world.ts";
import { packageRoot } from "../../service/kernel/paths.ts";

describe("the shipped voices", () => {
  const all = [...voiceNames("known"), ...voiceNames("new")];

  it("are four that the small model knows and two that it does not", () => {
    expect(voiceNames("known")).toEqual(["us", "gb", "us-m1", "gb-f3"]);
    expect(voiceNames("new")).toEqual(["scotland", "us-f4"]);
  });

  it("say every word, loud enough and trimmed", () => {
    for (const voice of all)
      for (const word of WORDS) {
        const { samples } = shippedVoices().take(word, voice);
        expect(samples.length).toBeGreaterThan(0.2 * 16_000);
        expect(samples.length).toBeLessThan(1.1 * 16_000);
        expect(dbOf(loudest(samples) / 32768)).toBeGreaterThan(-30);
        expect(recordingLength(word, voice, 1.25)).toBe(Math.ceil(samples.length / 20));
      }
  });

  it("say no two words alike", () => {
    const takes = WORDS.map((word) => shippedVoices().take(word, "us").samples);
    for (const [i, samples] of takes.entries())
      for (const other of takes.slice(i + 1)) expect(samples).not.toEqual(other);
  });

  it("take less than 1.8 MB", () => {
    const folder = join(packageRoot, "device/simulator/sounds");
    const sizes = all.map((voice) => statSync(join(folder, `${voice}.wav`)).size);
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(1.8e6);
    expect(readdirSync(folder)).toContain("voices.json");
  });

  it("say so where a word or a voice is missing", () => {
    expect(() => shippedVoices().take("help", "nobody")).toThrow('no "help" in a voice "nobody"');
  });
});
