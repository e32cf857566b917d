import { describe, expect, it } from "vitest";
import { transcriptOf } from "../../service/api/openai/transcript.ts";
import { ClipCutter, type SoundClip } from "../../service/inference/clip-cutter.ts";

const RATE = 16_000;

/** Sound of so many seconds that is heard in these spans, by a tone of this level at its loudest. */
function heardIn(seconds: number, spans: readonly (readonly [number, number])[], floor = 0): Int16Array {
  return Int16Array.from({ length: seconds * RATE }, (_, index) => {
    const at = index / RATE;
    const loud = spans.some(([from, to]) => at >= from && at < to);
    return Math.round((loud ? 8000 : floor) * Math.sin(index));
  });
}

/** What a cutter makes of sound that comes in pieces of so many samples. */
function cut(samples: Int16Array, size = 5_000): SoundClip[] {
  const cutter = new ClipCutter();
  const clips: SoundClip[] = [];
  for (let at = 0; at < samples.length; at += size)
    clips.push(...cutter.push(samples.subarray(at, at + size)));
  clips.push(...cutter.end());
  expect(cutter.seconds).toBeCloseTo(samples.length / RATE, 5);
  return clips;
}
const bytesOf = ({ buffer, byteOffset, byteLength }: Int16Array) =>
  Buffer.from(buffer, byteOffset, byteLength);
const spans = (clips: readonly SoundClip[]) =>
  clips.map(({ from, to }) => [Math.round(from * 10) / 10, Math.round(to * 10) / 10]);

describe("long sound", () => {
  it("is cut where nothing is said, with what is heard and a little around it", () => {
    const words: [number, number][] = [
      [1, 9],
      [10, 13.5],
      [14.2, 17],
      [40, 41],
    ];
    expect(spans(cut(heardIn(60, words)))).toEqual([
      [0.8, 13.7],
      [14, 17.2],
      [39.8, 41.2],
    ]);
  });

  it("is cut at the quietest place where it never is silent", () => {
    const [first, second] = spans(
      cut(
        heardIn(
          20,
          [
            [0, 8],
            [8.6, 20],
          ],
          300,
        ),
      ),
    );
    expect(first?.[0]).toBe(0);
    expect(first?.[1]).toBeGreaterThan(8);
    expect(first?.[1]).toBeLessThan(8.6);
    expect(second).toEqual([first?.[1], 20]);
  });

  it("loses no sample and takes 15 s at most, however it comes", () => {
    const samples = heardIn(100, [[0, 100]]);
    for (const size of [320, 4_097, 800_000]) {
      const clips = cut(samples, size);
      expect(clips.reduce((sum, clip) => sum + clip.samples.length, 0)).toBe(samples.length);
      expect(Math.max(...clips.map((clip) => clip.samples.length))).toBeLessThanOrEqual(15 * RATE);
      const whole = Buffer.concat(clips.map((clip) => bytesOf(clip.samples)));
      expect(whole.equals(bytesOf(samples))).toBe(true);
    }
  });

  it("of silence has nothing in it", () => {
    expect(cut(heardIn(40, []))).toEqual([]);
    expect(cut(new Int16Array(0))).toEqual([]);
  });
});

describe("a transcript", () => {
  const segments = [
    { from: 0.8, to: 2.25, text: "Help." },
    { from: 3_661.0404, to: 3_662, text: "a --> b\n\nc" },
  ];
  const of = (response_format: "json" | "text" | "verbose_json" | "srt" | "vtt") =>
    transcriptOf(segments, 3_700.2, { model: "perch", response_format, language: "en" });

  it("is subtitles", () => {
    expect(of("srt").content).toBe(
      "1\n00:00:00,800 --> 00:00:02,250\nHelp.\n\n2\n01:01:01,040 --> 01:01:02,000\na -> b c\n\n",
    );
    expect(of("vtt")).toEqual({
      type: "text/vtt; charset=utf-8",
      content:
        "WEBVTT\n\n00:00:00.800 --> 00:00:02.250\nHelp.\n\n01:01:01.040 --> 01:01:02.000\na -> b c\n\n",
    });
  });

  it("is a text, or tells its times", () => {
    expect(of("text").content).toBe("Help. a --> b\n\nc\n");
    expect(JSON.parse(of("json").content)).toEqual({
      text: "Help. a --> b\n\nc",
      usage: { type: "duration", seconds: 3_701 },
    });
    expect(JSON.parse(of("verbose_json").content)).toMatchObject({
      task: "transcribe",
      language: "en",
      duration: 3_700.2,
      segments: [
        { id: 0, start: 0.8, end: 2.25, text: "Help." },
        { id: 1, start: 3_661.04 },
      ],
    });
  });
});
