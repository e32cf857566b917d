/** What is to be heard in a minute of the timeline. */
import type { Random } from "../random.ts";
import { NOISE_ABOVE, type SoundEvent, type SoundSegment } from "../script.ts";
import { SPEECH_LEVELS } from "../sound/sound-speech.ts";
import { recordingLength, voiceNames } from "../sound/voices.ts";
import { CALLS, LOUDNESS, NOISES, WORDS, type Word } from "../world.ts";
import { isHere, isWalking, type Span, type Visit } from "./visits.ts";

/** Ms. */
const QUIET_BETWEEN = 1500;
const QUIET_AT_ENDS = 500;
/** Ms that a noise sounds alone before and after what is said or sounds over it. */
const LEAD = { least: 1000, most: 1600 } as const;
/** dB that a noise is softer than what is heard over it. */
const BELOW = { least: 10, most: 20 } as const;

/** One sound after the other, some over a noise. */
export function stretchSounds(
  random: Random,
  { from: begin, to: end }: Span,
  visits: readonly Visit[],
): SoundSegment[] {
  const sounds: SoundSegment[] = [];
  let from = begin + random.whole(QUIET_AT_ENDS, 2000);
  for (;;) {
    const group = groupOf(random, from, visits);
    const to = Math.max(...group.map((sound) => sound.to));
    if (to > end - QUIET_AT_ENDS) return sounds;
    sounds.push(...group);
    from = Math.max(to + QUIET_BETWEEN, from + random.whole(3000, 5000));
  }
}

/** A sound, or a noise and a sound over it. */
function groupOf(random: Random, from: number, visits: readonly Visit[]): SoundSegment[] {
  const what = soundOf(random, somebodyStays(visits, from));
  const length = lengthOf(random, what);
  if (what.sound === "noise" || !random.chance(0.2)) return [{ from, to: from + length, what }];
  const at = from + random.whole(LEAD.least, LEAD.most);
  const to = at + length + random.whole(LEAD.least, LEAD.most);
  return [
    { from, to, what: { sound: "noise", noise: random.pick(NOISES), level: levelUnder(random, what) } },
    { from: at, to: at + length, what },
  ];
}

function levelUnder(random: Random, what: Exclude<SoundEvent, { sound: "noise" }>): number {
  const [softest] = what.sound === "speech" ? SPEECH_LEVELS[what.loudness] : [what.level];
  return Math.max(NOISE_ABOVE, softest - random.between(BELOW.least, BELOW.most));
}

/** Somebody is in the picture now and in the second after. */
const somebodyStays = (visits: readonly Visit[], at: number): boolean =>
  visits.some((visit) => [at, at + 1000].every((time) => isHere(visit, time) && !isWalking(visit, time)));

function soundOf(random: Random, person: boolean): SoundEvent {
  switch (random.pick(["noise", "noise", "alarm", "speech", "speech", "speech", "speech"])) {
    case "noise":
      return { sound: "noise", noise: random.pick(NOISES), level: random.between(-44, -20) };
    case "alarm":
      return { sound: "alarm", level: random.between(-30, -12) };
    default:
      return speechOf(random, person);
  }
}

function speechOf(random: Random, person: boolean): SoundEvent {
  return {
    sound: "speech",
    word: wordOf(random, person),
    voice: voiceOf(random),
    loudness: random.pick([...LOUDNESS, "normal"]),
    speed: random.between(0.9, 1.12),
  };
}

/** A person who calls for help is what the kiosk and the clinic examples wait for. */
function wordOf(random: Random, person: boolean): Word {
  if (!person || !random.chance(0.4)) return random.pick(WORDS);
  return random.chance(0.6) ? "help" : (random.anyOf(CALLS) ?? "help");
}

function voiceOf(random: Random): string {
  const voice = random.anyOf([...voiceNames("known"), ...voiceNames("new")]);
  if (voice === undefined) throw new Error("the voice bank is empty");
  return voice;
}

/** Ms. */
function lengthOf(random: Random, what: SoundEvent): number {
  switch (what.sound) {
    case "noise":
      return random.whole(1200, 3000);
    case "alarm":
      return random.whole(1000, 2500);
    case "speech":
      return recordingLength(what.word, what.voice, what.speed);
  }
}
