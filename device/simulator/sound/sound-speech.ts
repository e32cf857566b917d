/**
 * Speech of a vocal effort. Who raises the voice gets not only louder: pitch and first formant rise and the
 * upper spectrum gains more than the lower, as H. Traunmueller and A. Eriksson measured ("Acoustic effects of
 * variation in vocal effort by men, women, and children", J. Acoust. Soc. Am. 107, 2000). Here a loud word is
 * 8 to 15 % higher, brighter and driven into soft clipping, a quiet one darker; so they are told apart where
 * levels are not heard, as in the model's audio projector.
 */
import type { Random } from "../random.ts";
import type { Loudness } from "../world.ts";
import { filter, leveled, loudest, made } from "./sound-filters.ts";

/** Of the loudest 100 ms, dBFS. */
export const SPEECH_LEVELS: Record<Loudness, readonly [number, number]> = {
  quiet: [-40, -34],
  normal: [-28, -20],
  loud: [-14, -6],
};

/** How many times higher a loud voice is at most; the word gets shorter by as much. */
const HIGHEST = 1.15;

/** `speed` times as fast as recorded; what is whispered already is not darkened as well. */
export function speech(
  recorded: Int16Array,
  speed: number,
  loudness: Loudness,
  random: Random,
  whispered = false,
): Float32Array {
  const rise = loudness === "loud" ? random.between(1.08, HIGHEST) : 1;
  const samples = leveled(resampled(recorded, speed * rise), -20);
  filter(samples, "high", 60);
  if (loudness === "quiet")
    filter(samples, "shelf", random.between(800, 1100), 0.6, whispered ? -4 : random.between(-18, -14));
  if (loudness === "loud") shout(samples, random);
  return leveled(samples, random.between(...SPEECH_LEVELS[loudness]));
}

function shout(samples: Float32Array, random: Random): void {
  filter(samples, "shelf", random.between(1100, 1500), 0.6, random.between(10, 13));
  const drive = random.between(2, 3.5) / loudest(samples);
  for (let i = 0; i < samples.length; i += 1) samples[i] = Math.tanh((samples[i] ?? 0) * drive);
}

/** Read faster or slower, through a cubic between samples (Catmull and Rom, 1974). */
function resampled(samples: Int16Array, speed: number): Float32Array {
  return made(Math.floor(samples.length / speed), (i) => {
    const at = Math.floor(i * speed);
    const t = i * speed - at;
    const [a, b] = [samples[at - 1] ?? 0, samples[at] ?? 0];
    const [c, d] = [samples[at + 1] ?? 0, samples[at + 2] ?? 0];
    return (b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))) / 32768;
  });
}
