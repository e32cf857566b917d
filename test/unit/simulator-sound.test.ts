import { describe, expect, it } from "vitest";
import { Random } from "../../device/simulator/random.ts";
import {
  NOISE_ABOVE,
  type Script,
  SILENCE_BELOW,
  type SoundEvent,
  type SoundSegment,
} from "../../device/simulator/script.ts";
import { CHUNK_SAMPLES, eventSamples, heardOf, Soundtrack } from "../../device/simulator/sound/sound.ts";
import { alarm } from "../../device/simulator/sound/sound-alarm.ts";
import { dbOf, filter, loudest, rms } from "../../device/simulator/sound/sound-filters.ts";
import { noise } from "../../device/simulator/sound/sound-noise.ts";
import { SPEECH_LEVELS, speech } from "../../device/simulator/sound/sound-speech.ts";
import { recordingLength, shippedVoices } from "../../device/simulator/sound/voices.ts";
import { LOUDNESS, NOISES, WORDS } from "../../device/simulator/world.ts";

const HELP: SoundEvent = { sound: "speech", word: "help", voice: "us", loudness: "normal", speed: 1 };
const SEGMENTS: SoundSegment[] = [
  { from: 1000, to: 2000, what: { sound: "noise", noise: "grinding", level: -30 } },
  { from: 3010, to: 3010 + recordingLength("help", "us", 1), what: HELP },
  { from: 5000, to: 6500, what: { sound: "alarm", level: -20 } },
  { from: 8000, to: 70_000, what: { sound: "noise", noise: "hum", level: -50 } },
];

const scripted = (seed: number, place = 1): Script => ({
  seed,
  sceneAt: () => ({ people: [], light: "off", blinking: false, display: 0, camera: "ok" }),
  settingAt: () => ({ place, daylight: 1 }),
  soundsBetween: (from, to) => SEGMENTS.filter((segment) => segment.from < to && segment.to > from),
  soundTruth: () => undefined,
});

const levelOf = (samples: Int16Array) => dbOf(rms(samples) / 32768);

describe("the simulated microphone", () => {
  it("gives the same samples for the same script and chunk, in whatever order they are asked for", () => {
    const chunks = [3, 50, 99, 152, 155, 180, 260, 325, 326, 1500, 3499];
    const forwards = new Soundtrack(scripted(7));
    const run = chunks.map((index) => forwards.chunk(index));
    const backwards = new Soundtrack(scripted(7));
    for (const i of [...chunks.keys()].reverse()) expect(backwards.chunk(chunks[i] ?? 0)).toEqual(run[i]);
    expect(new Soundtrack(scripted(8)).chunk(50)).not.toEqual(run[1]);
    expect(run[0]).toHaveLength(CHUNK_SAMPLES);
  });

  it("gives between two moments what it gives in chunks", () => {
    const track = new Soundtrack(scripted(7));
    const whole = track.between(2905, 3300);
    expect(whole).toHaveLength(20 * CHUNK_SAMPLES);
    for (let i = 0; i < 20; i += 1)
      expect(whole.slice(i * CHUNK_SAMPLES, (i + 1) * CHUNK_SAMPLES)).toEqual(track.chunk(145 + i));
  });

  it("is as loud as the script says where it has a sound, and silent where it has none", () => {
    for (let place = 0; place < 20; place += 1) {
      const track = new Soundtrack(scripted(7, place));
      // An echo may add a little to a sound, and goes on for a quarter of a second.
      expect(dbOf(loudest(track.between(1000, 2000)) / 32768)).toBeCloseTo(-30, -1);
      expect(dbOf(loudest(track.between(5000, 6500)) / 32768)).toBeCloseTo(-20, -1);
      expect(levelOf(track.between(40_000, 41_000))).toBeGreaterThan(NOISE_ABOVE - 3);
      for (const [from, to] of [
        [0, 1000],
        [2260, 3000],
        [4200, 5000],
        [6760, 8000],
      ] as const)
        expect(levelOf(track.between(from, to))).toBeLessThan(SILENCE_BELOW);
    }
  });

  it("goes on evenly through a noise of a minute", () => {
    const track = new Soundtrack(scripted(7));
    for (let at = 9000; at < 69_000; at += 2500)
      expect(Math.abs(levelOf(track.between(at, at + 500)) + 50)).toBeLessThan(6);
  });

  it("is heard as its event", () => {
    expect(heardOf(HELP)).toEqual({ sound: "speech", word: "help", loudness: "normal" });
    expect(heardOf({ sound: "noise", noise: "hiss", level: -30 })).toEqual({ sound: "noise", noise: "hiss" });
    expect(heardOf({ sound: "alarm", level: -30 })).toEqual({ sound: "alarm" });
  });

  it("renders each event at its level", () => {
    for (const which of NOISES) {
      const samples = eventSamples({ sound: "noise", noise: which, level: -33 }, 16_000, new Random(which));
      expect(dbOf(loudest(samples))).toBeCloseTo(-33, 0);
    }
  });
});

describe("vocal effort", () => {
  const said = LOUDNESS.map((loudness) =>
    WORDS.flatMap((word) =>
      ["us", "gb-f3", "scotland"].map((voice) => {
        const { samples } = shippedVoices().take(word, voice);
        return { loudness, word, samples: speech(samples, 1, loudness, new Random(word, voice)) };
      }),
    ),
  );

  it("has the level of its loudness", () => {
    for (const { loudness, samples } of said.flat()) {
      const [least, most] = SPEECH_LEVELS[loudness];
      expect(dbOf(loudest(samples))).toBeGreaterThan(least - 0.1);
      expect(dbOf(loudest(samples))).toBeLessThan(most + 0.1);
      expect(samples.every((sample) => Math.abs(sample) <= 1)).toBe(true);
    }
  });

  it("is told apart where levels are not: the louder, the brighter, and a shout is clipped", () => {
    const [quiet, normal, loud] = said.map((list) => median(list.map(({ samples }) => brightness(samples))));
    expect(normal).toBeGreaterThan(3 * (quiet ?? 0));
    expect(loud).toBeGreaterThan(2 * (normal ?? 0));
    const [, calm, clipped] = said.map((list) => list.map(({ samples }) => peakiness(samples)));
    expect(Math.max(...(clipped ?? []))).toBeLessThan(Math.min(...(calm ?? [])));
  });
});

describe("noises and alarms", () => {
  const clips = ["train", "held-out"].flatMap((recipes) =>
    Array.from({ length: 25 }, (_, i) => ({ recipes: recipes as "train", random: [recipes, i] as const })),
  );

  it("keep to the bounds of their class", () => {
    for (const { recipes, random } of clips) {
      const made = (which: (typeof NOISES)[number]) =>
        noise(which, 16_000, new Random(which, ...random), recipes);
      expect(highShare(made("hiss"))).toBeGreaterThan(0.8);
      expect(highShare(made("hum"))).toBeLessThan(0.75);
      expect(roughness(made("hum"))).toBeLessThan(0.45);
      expect(roughness(made("grinding"))).toBeGreaterThan(0.5);
      expect(highShare(made("grinding"))).toBeLessThan(0.5);
    }
  });

  it("have no constant part", () => {
    for (const { recipes, random } of clips)
      for (const sound of [
        ...NOISES.map((which) => noise(which, 16_000, new Random(...random), recipes)),
        alarm(16_000, new Random(...random), recipes),
      ])
        expect(Math.abs(mean(sound))).toBeLessThan(0.05 * rms(sound));
  });

  it("pause, as alarms, for no longer than 0.3 s", () => {
    for (const { recipes, random } of clips) {
      const sound = alarm(48_000, new Random(...random), recipes);
      const least = loudest(sound) / 100;
      let silent = 0;
      for (let at = 0; at < sound.length; at += 160) {
        silent = rms(sound, at, at + 160) < least ? silent + 10 : 0;
        expect(silent).toBeLessThanOrEqual(310);
      }
    }
  });
});

const mean = (samples: ArrayLike<number>) =>
  Array.from(samples).reduce((sum, x) => sum + x, 0) / samples.length;
const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] ?? 0;

/** Power above 1 kHz over power below, of what is loud. */
function brightness(samples: Float32Array): number {
  const high = rms(filter(filter(samples.slice(), "high", 1000), "high", 1000));
  const low = rms(filter(filter(samples.slice(), "low", 1000), "low", 1000));
  return (high / low) ** 2;
}

/** Mean peak over root mean square of the louder frames of 40 ms. */
function peakiness(samples: Float32Array): number {
  const frames = Array.from({ length: Math.floor(samples.length / 640) }, (_, k) =>
    samples.subarray(k * 640, (k + 1) * 640),
  );
  const loud = frames.filter((frame) => rms(frame) > loudest(samples) / 5);
  return mean(loud.map((frame) => Math.max(...frame.map(Math.abs)) / rms(frame)));
}

/** Share of the power that is above 2.5 kHz. */
function highShare(samples: Float32Array): number {
  return (rms(filter(filter(samples.slice(), "high", 2500), "high", 2500)) / rms(samples)) ** 2;
}

/** By how much of itself the level goes up and down 7 to 50 times a second. */
function roughness(samples: Float32Array): number {
  const steps = Array.from({ length: Math.floor(samples.length / 80) }, (_, k) =>
    rms(samples, k * 80, (k + 1) * 80),
  );
  const slow = steps.map((_, k) => mean(steps.slice(Math.max(0, k - 14), k + 15)));
  return mean(steps.map((step, k) => Math.abs(step - (slow[k] ?? 0)) / (slow[k] || 1))) * 1.25;
}
