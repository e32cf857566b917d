import { describe, expect, it } from "vitest";
import { CHUNK, CHUNK_SAMPLES, Soundtrack } from "../../device/simulator/sound.ts";
import { Timeline } from "../../device/simulator/timeline.ts";
import { recording, VOICES, WORDS } from "../../device/simulator/words.ts";

const AT = 1_760_000_000_000;

describe("the simulated microphone", () => {
  it("gives the same samples for the same seed and chunk, in whatever order they are asked for", () => {
    const { from, sounds } = new Timeline(7).stretchAt(AT);
    const first = Math.floor((sounds[0]?.from ?? from) / CHUNK);
    const forwards = new Soundtrack(new Timeline(7));
    const run = [0, 1, 2, 3].map((i) => forwards.chunk(first + i));
    const backwards = new Soundtrack(new Timeline(7));
    for (const i of [3, 2, 1, 0]) expect(backwards.chunk(first + i)).toEqual(run[i]);
    expect(new Soundtrack(new Timeline(8)).chunk(first)).not.toEqual(run[0]);
    expect(run[0]).toHaveLength(CHUNK_SAMPLES);
  });

  it("is loud where the timeline has a sound and nearly silent where it has none", () => {
    const timeline = new Timeline(7);
    const soundtrack = new Soundtrack(timeline);
    for (const { from, to } of timeline.stretchAt(AT).sounds) {
      expect(level(soundtrack.between(from, to))).toBeGreaterThan(-40);
      expect(level(soundtrack.between(to + CHUNK, to + 1400))).toBeLessThan(-60);
    }
  });
});

describe("the recordings", () => {
  it("hold every word in every voice, trimmed", () => {
    for (const word of WORDS)
      for (const voice of VOICES) {
        const samples = recording(word, voice);
        expect(samples.length).toBeGreaterThan(5000);
        expect(samples.length).toBeLessThan(10_000);
        expect(level(samples)).toBeGreaterThan(-30);
      }
  });
});

/** dBFS. */
function level(samples: Int16Array): number {
  const power = samples.reduce((sum, value) => sum + (value / 32768) ** 2, 0) / samples.length;
  return 10 * Math.log10(power + 1e-12);
}
