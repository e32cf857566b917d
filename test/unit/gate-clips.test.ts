import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SAMPLE_RATE, type Sound } from "../../service/contract/media.ts";
import { ClipCutter, type GatedClip } from "../../service/gate/clip-cutter.ts";
import { createClipGate } from "../../service/gate/clip-gate.ts";
import { levelDetector, loudness } from "../../service/gate/level.ts";

const START = 1_750_000_000_000;
const FRAME = 320;
const timing = { preroll: 200, silence: 400, minimum: 200, maximum: 15_000, heartbeat: 0 };
const LOUD = 9000;

/** Sound as alternating stretches of [loud?, ms]; loud samples are LOUD, quiet ones 0. */
const sound = (...stretches: [boolean, number][]): Int16Array =>
  Int16Array.from(
    stretches.flatMap(([loud, ms]) => Array<number>((ms * SAMPLE_RATE) / 1000).fill(loud ? LOUD : 0)),
  );

const isLoud = (frame: Int16Array): boolean => frame.some((sample) => sample === LOUD);

/** Sounds of so many samples each. */
function pieces(samples: Int16Array, sizes: readonly number[] = [FRAME]): Sound[] {
  const found: Sound[] = [];
  for (let at = 0, n = 0; at < samples.length; n += 1) {
    const size = sizes[n % sizes.length] ?? FRAME;
    found.push({
      feed: "microphone",
      at: START + (at * 1000) / SAMPLE_RATE,
      samples: samples.slice(at, at + size),
    });
    at += size;
  }
  return found;
}

function cut(samples: Int16Array, changes: Partial<typeof timing> = {}, sizes?: readonly number[]) {
  const cutter = new ClipCutter("sound", { ...timing, ...changes }, isLoud);
  const clips: GatedClip[] = [];
  let held = 0;
  for (const piece of pieces(samples, sizes)) {
    const result = cutter.push(piece);
    clips.push(...result.clips);
    held += result.held;
  }
  return { clips, held };
}

describe("the clip cutter", () => {
  test("cuts a sound with its pre-roll and a tail of 100 ms, and says when it began", () => {
    const { clips, held } = cut(sound([false, 1000], [true, 800], [false, 1000]));
    expect(held).toBe(0);
    expect(clips).toHaveLength(1);
    expect(clips[0]).toMatchObject({
      reason: "sound",
      clip: { feed: "microphone", at: START + 800, length: 1100 },
    });
    expect(clips[0]?.clip.samples).toEqual(sound([false, 200], [true, 800], [false, 100]));
  });

  test("a pause shorter than the silence that ends a clip stays inside it", () => {
    const { clips } = cut(sound([false, 500], [true, 400], [false, 300], [true, 400], [false, 1000]));
    expect(clips.map(({ clip }) => clip.length)).toEqual([1400]);
  });

  test("sounds with enough quiet between them are clips of their own", () => {
    const { clips } = cut(sound([false, 500], [true, 400], [false, 800], [true, 400], [false, 800]));
    expect(clips.map(({ clip }) => clip.at - START)).toEqual([300, 1500]);
  });

  test("a sound shorter than the minimum is let go and counted", () => {
    expect(cut(sound([false, 500], [true, 100], [false, 1000]))).toEqual({ clips: [], held: 1 });
  });

  test("a click of a single frame is nothing", () => {
    expect(cut(sound([false, 500], [true, 20], [false, 1000]))).toEqual({ clips: [], held: 0 });
  });

  test("a long sound is cut at the maximum and goes on without a hole", () => {
    const { clips } = cut(sound([false, 500], [true, 7000], [false, 1000]), { maximum: 3000 });
    expect(clips.map(({ clip }) => clip.length)).toEqual([3000, 3000, 1300]);
    expect(clips.map(({ clip }) => clip.at - START)).toEqual([300, 3300, 6300]);
    const loud = clips.reduce(
      (sum, { clip }) => sum + clip.samples.filter((value) => value === LOUD).length,
      0,
    );
    expect(loud).toBe(7 * SAMPLE_RATE);
  });

  test("when nothing came for the heartbeat's time the last 1.5 s are a clip", () => {
    const { clips } = cut(sound([false, 25_000]), { heartbeat: 10_000 });
    expect(clips.map(({ reason, clip }) => [reason, clip.at - START, clip.length])).toEqual([
      ["heartbeat", 8500, 1500],
      ["heartbeat", 18_500, 1500],
    ]);
  });

  test("a clip puts the heartbeat off", () => {
    const { clips } = cut(sound([false, 8000], [true, 500], [false, 8000]), { heartbeat: 10_000 });
    expect(clips.map(({ reason }) => reason)).toEqual(["sound"]);
  });

  test("a gap in the stream ends what was open, and nothing from before it is in what follows", () => {
    const cutter = new ClipCutter("sound", timing, isLoud);
    const before = pieces(sound([false, 500], [true, 600])).flatMap((piece) => cutter.push(piece).clips);
    expect(before).toEqual([]);
    const later = pieces(sound([true, 600], [false, 1000])).map((piece) => ({
      ...piece,
      at: piece.at + 60_000,
    }));
    const after = later.flatMap((piece) => cutter.push(piece).clips);
    expect(after.map(({ clip }) => clip.at - START)).toEqual([300, 60_000]);
  });

  const stretches = fc.array(
    fc.tuple(
      fc.boolean(),
      fc.integer({ min: 0, max: 40 }).map((n) => n * 20),
    ),
    {
      maxLength: 14,
    },
  );

  test("any chunking of a sound gives the same clips", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(stretches, sizes, (parts, chunking) => {
        const samples = sound(...parts);
        const shape = ({ clips, held }: ReturnType<typeof cut>) => ({
          held,
          clips: clips.map(({ clip, reason }) => [reason, Math.round(clip.at), clip.length, clip.samples]),
        });
        expect(shape(cut(samples, {}, chunking))).toEqual(shape(cut(samples)));
      }),
      { numRuns: 60 },
    );
  });

  test("clips never overlap, never exceed the maximum, and hold just what was heard then", () => {
    fc.assert(
      fc.property(stretches, fc.integer({ min: 25, max: 60 }), (parts, maximum) => {
        const samples = sound(...parts);
        let end = START;
        for (const { clip } of cut(samples, { maximum: maximum * 20 }).clips) {
          expect(clip.at).toBeGreaterThanOrEqual(end);
          expect(clip.length).toBeLessThanOrEqual(maximum * 20);
          const from = ((clip.at - START) * SAMPLE_RATE) / 1000;
          expect(clip.samples).toEqual(samples.slice(from, from + clip.samples.length));
          end = clip.at + clip.length;
        }
      }),
      { numRuns: 100 },
    );
  });
});

test("the interval gate takes a clip of its length at every interval", async () => {
  const cutter = await createClipGate({ kind: "interval", interval: 10_000, length: 2000 });
  const clips = pieces(sound([false, 32_000])).flatMap((piece) => cutter.push(piece).clips);
  expect(clips.map(({ reason, clip }) => [reason, clip.at - START, clip.samples.length])).toEqual([
    ["interval", 8000, 32_000],
    ["interval", 18_000, 32_000],
    ["interval", 28_000, 32_000],
  ]);
});

/** A frame of a tone with that loudness in dBFS. */
const tone = (decibels: number): Int16Array =>
  Int16Array.from({ length: FRAME }, (_, n) =>
    Math.round(32_768 * Math.SQRT2 * 10 ** (decibels / 20) * Math.sin((2 * Math.PI * 500 * n) / SAMPLE_RATE)),
  );

describe("the sound level", () => {
  test("is the root mean square in dB below full scale", () => {
    expect(loudness(tone(-20))).toBeCloseTo(-20, 1);
    expect(loudness(new Int16Array(FRAME))).toBe(-100);
  });

  test("counts as a sound when it is above the background by what was asked", () => {
    const heard = levelDetector({ above: 12, floor: -50 });
    for (let n = 0; n < 200; n += 1) heard(tone(-45));
    expect(heard(tone(-40))).toBe(false);
    expect(heard(tone(-25))).toBe(true);
  });

  test("never counts below the floor", () => {
    const heard = levelDetector({ above: 12, floor: -50 });
    for (let n = 0; n < 200; n += 1) heard(tone(-90));
    expect(heard(tone(-55))).toBe(false);
  });

  test("that lasts becomes the background, and a louder one is heard above it", () => {
    const heard = levelDetector({ above: 12, floor: -50 });
    for (let n = 0; n < 100; n += 1) heard(tone(-60));
    expect(heard(tone(-30))).toBe(true);
    for (let n = 0; n < 5 * 60 * 50; n += 1) heard(tone(-30));
    expect(heard(tone(-30))).toBe(false);
    expect(heard(tone(-12))).toBe(true);
  });
});
