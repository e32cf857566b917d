/** What somebody who heard only a clip could rightly say, of a script that knows more. */
import type { Truth } from "../../../service/contract/media.ts";
import type { SoundSegment } from "../script.ts";
import { heardOf } from "../sound/sound.ts";
import { SPEECH_LEVELS } from "../sound/sound-speech.ts";
import { soundTruth } from "../world.ts";

/** Share of a sound that a clip must hold for the clip to be about that sound. */
const HEARD = 0.8;
/** dB by which a sound must be above the noise under it. */
const CLEARANCE = 8;

/**
 * The right answers about a clip from `from` to `to`, ms, in which these segments sound: silence where there
 * is none. A word has to be in the clip by 80 %, an alarm or a noise by as much or so that it fills half of
 * the clip; speech or an alarm over a noise at least 8 dB softer is speech or an alarm. Undefined where there
 * is no one right answer.
 */
export function clipTruth(segments: readonly SoundSegment[], from: number, to: number): Truth | undefined {
  if (segments.length === 0) return soundTruth({ sound: "silence" });
  const noises = segments.filter(({ what }) => what.sound === "noise");
  const others = segments.filter(({ what }) => what.sound !== "noise");
  const [main, second] = others.length > 0 ? others : noises;
  if (!main || second) return undefined;
  if (others.length > 0 && noises.some((noise) => covers(noise, main))) return undefined;
  const heard = Math.min(to, main.to) - Math.max(from, main.from);
  const whole = heard >= HEARD * (main.to - main.from);
  const fills = main.what.sound !== "speech" && heard >= (to - from) / 2;
  return whole || fills ? soundTruth(heardOf(main.what)) : undefined;
}

/** A noise is too loud for what is heard over it. */
function covers({ what: noise }: SoundSegment, { what }: SoundSegment): boolean {
  const [softest] = what.sound === "speech" ? SPEECH_LEVELS[what.loudness] : [what.level];
  return noise.sound === "noise" && noise.level > softest - CLEARANCE;
}
