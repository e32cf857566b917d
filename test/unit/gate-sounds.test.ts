import { describe, expect, it } from "vitest";
import { shippedVoices, voiceNames } from "../../device/simulator/sound/voices.ts";
import { WORDS } from "../../device/simulator/world.ts";
import type { SoundGate, VoiceGate } from "../../service/contract/config-feeds.ts";
import { SAMPLE_RATE, type Sound } from "../../service/contract/media.ts";
import { ClipCutter } from "../../service/gate/clip-cutter.ts";
import { type ClipGate, createClipGate } from "../../service/gate/clip-gate.ts";

const AT = 1_760_000_000_000;
const TIMES = { preroll: 200, silence: 400, minimum: 200, maximum: 15_000, heartbeat: 0 };
const VOICE: VoiceGate = { kind: "voice", aggressiveness: 2, ...TIMES };
const SOUND: SoundGate = { kind: "sound", above: 12, floor: -50, ...TIMES };

const samplesOf = (ms: number) => (ms * SAMPLE_RATE) / 1000;
const silence = (ms: number) => new Int16Array(samplesOf(ms));

/** White noise of a level in dBFS, the same in every run. */
function noise(ms: number, level: number): Int16Array {
  let state = 11;
  // Of a uniform distribution the root mean square is the peak over the root of 3.
  const peak = 32768 * 10 ** (level / 20) * Math.sqrt(3);
  return Int16Array.from({ length: samplesOf(ms) }, () => {
    state = (state * 1_664_525 + 1_013_904_223) >>> 0;
    return Math.round((state / 2 ** 31 - 1) * peak);
  });
}

const joined = (...pieces: Int16Array[]) => Int16Array.from(pieces.flatMap((piece) => [...piece]));

/** What a gate makes of samples that come 100 ms at a time, or as long as `step` says. */
function cutsOf(gate: Pick<ClipGate, "push">, samples: Int16Array, at = AT, step = 100) {
  const pushes: Sound[] = [];
  for (let start = 0; start < samples.length; start += samplesOf(step)) {
    const piece = samples.slice(start, start + samplesOf(step));
    pushes.push({ feed: "microphone", at: at + (start * 1000) / SAMPLE_RATE, samples: piece });
  }
  const cuts = pushes.map((sound) => gate.push(sound));
  return { clips: cuts.flatMap(({ clips }) => clips), held: cuts.reduce((sum, { held }) => sum + held, 0) };
}

describe("the voice gate", () => {
  it.each(WORDS.flatMap((word) => voiceNames("known").map((voice) => [word, voice] as const)))(
    'passes "%s" as %s says it, in one clip',
    async (word, voice) => {
      const said = shippedVoices().take(word, voice).samples;
      const { clips } = cutsOf(await createClipGate(VOICE), joined(silence(1000), said, silence(1500)));
      expect(clips).toHaveLength(1);
      const [{ clip, reason } = { clip: undefined, reason: undefined }] = clips;
      expect(reason).toBe("voice");
      expect(clip?.length).toBe((clip?.samples.length ?? 0) / samplesOf(1));
      // Half a second of it at least is in the clip, and its beginning is.
      expect(clip?.at).toBeLessThan(AT + 1000 + 150);
      expect((clip?.at ?? 0) + (clip?.length ?? 0)).toBeGreaterThan(AT + 1000 + said.length / 16 - 250);
    },
  );

  it("passes nothing of silence and of steady noise", async () => {
    const { clips } = cutsOf(await createClipGate(VOICE), joined(silence(10_000), noise(20_000, -60)));
    expect(clips).toEqual([]);
  });
});

describe("the sound gate", () => {
  it("passes what is by so much louder than the room, and nothing of less", async () => {
    const room = noise(5000, -58);
    const heard = async (level: number) =>
      cutsOf(await createClipGate(SOUND), joined(room, noise(600, level), room)).clips.length;
    expect(await heard(-56)).toBe(0);
    expect(await heard(-40)).toBe(1);
    expect(await heard(-20)).toBe(1);
  });

  it("passes a machine that starts, and then takes it for the room", async () => {
    const gate = await createClipGate({ ...SOUND, maximum: 2000 });
    const first = cutsOf(gate, joined(silence(2000), noise(60_000, -40)));
    expect(first.clips.length).toBeGreaterThan(0);
    const later = cutsOf(gate, noise(30_000, -40), AT + 62_000);
    expect(later.clips).toEqual([]);
  });

  it("takes a steady hum for the room as fast after a digital silence as after a quiet room", async () => {
    const lengths = await Promise.all(
      [silence(30_000), noise(30_000, -62)].map(async (before) => {
        const { clips } = cutsOf(await createClipGate(SOUND), joined(before, noise(60_000, -45)));
        return clips.reduce((sum, { clip }) => sum + clip.length, 0);
      }),
    );
    expect(Math.max(...lengths)).toBeLessThan(10_000);
    expect(Math.abs((lengths[0] ?? 0) - (lengths[1] ?? 0))).toBeLessThanOrEqual(500);
  });
});

/** Hears loud samples only. */
const cutter = (changes: Partial<typeof TIMES> = {}) =>
  new ClipCutter("sound", { ...TIMES, ...changes }, (frame) => frame.some((sample) => sample !== 0));
/** A sound in which no two samples are alike, so that one that is lost or doubled shows. */
const counted = (ms: number) => Int16Array.from({ length: samplesOf(ms) }, (_, n) => (n % 32_000) + 1);

describe("a sound longer than the longest clip", () => {
  it.each([20, 50, 100, 333, 1000])(
    "loses and doubles no sample where sound comes %d ms at a time",
    (step) => {
      const whole = joined(silence(500), counted(1650), silence(1000));
      const { clips, held } = cutsOf(cutter({ maximum: 900 }), whole, AT, step);
      const said = joined(...clips.map(({ clip }) => clip.samples));
      expect(said).toEqual(whole.slice(samplesOf(300), samplesOf(300) + said.length));
      // The last 50 ms are shorter than the minimum, and yet the end of a long sound.
      expect(said.length).toBe(samplesOf(200 + 1660 + 100));
      expect(held).toBe(0);
      for (const [index, { clip }] of clips.entries()) {
        expect(clip.length).toBe(clip.samples.length / samplesOf(1));
        expect(clip.at).toBe(AT + 300 + index * 900);
      }
    },
  );

  it("ends without a clip of mere silence where it ends just at a cut", () => {
    const whole = joined(silence(500), counted(400), silence(1000));
    for (const minimum of [0, 200]) {
      const { clips, held } = cutsOf(cutter({ maximum: 600, minimum }), whole);
      expect(clips.map(({ clip }) => clip.length)).toEqual([600]);
      expect(held).toBe(0);
    }
  });
});

describe("the clip cutter", () => {
  it("keeps the sound that came before the first whole frame", () => {
    const { clips } = cutsOf(cutter(), joined(counted(500), silence(600)), AT, 7);
    expect(clips.map(({ clip }) => [clip.at - AT, clip.length])).toEqual([[0, 600]]);
  });

  it("ends a clip at the first quiet frame where no silence is asked for", () => {
    const { clips } = cutsOf(cutter({ silence: 0 }), joined(silence(500), counted(300), silence(300)));
    expect(clips.map(({ clip }) => [clip.at - AT, clip.length])).toEqual([[300, 520]]);
  });

  it("never makes a clip shorter than the model takes", () => {
    const short = { minimum: 0, silence: 20, preroll: 0 };
    const { clips, held } = cutsOf(cutter(short), joined(silence(500), counted(40), silence(300)));
    expect(clips).toEqual([]);
    expect(held).toBe(1);
  });

  it("goes on with heartbeats when the clock is set back by a day", () => {
    const gate = cutter({ heartbeat: 5000 });
    expect(cutsOf(gate, silence(6000)).clips).toHaveLength(1);
    const back = AT - 86_400_000;
    const { clips } = cutsOf(gate, silence(11_000), back);
    expect(clips.map(({ reason, clip }) => [reason, clip.at - back])).toEqual([
      ["heartbeat", 3500],
      ["heartbeat", 8500],
    ]);
  });
});

describe("the interval cutter", () => {
  const config = { kind: "interval", interval: 5000, length: 2000 } as const;

  it("takes no clip across a gap, and begins its interval anew after it", async () => {
    const gate = await createClipGate(config);
    const before = cutsOf(gate, counted(4000));
    const after = cutsOf(gate, counted(6000), AT + 60_000);
    expect(before.clips).toEqual([]);
    expect(after.clips.map(({ clip }) => [clip.at - AT, clip.length])).toEqual([[63_000, 2000]]);
    expect(after.clips[0]?.clip.samples).toEqual(counted(6000).slice(samplesOf(3000), samplesOf(5000)));
  });

  it("goes on when the clock is set back by a day", async () => {
    const gate = await createClipGate(config);
    expect(cutsOf(gate, counted(6000)).clips).toHaveLength(1);
    expect(cutsOf(gate, counted(6000), AT - 86_400_000).clips).toHaveLength(1);
  });
});
