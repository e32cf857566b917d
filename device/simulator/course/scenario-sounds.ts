import { momentText } from "../../../service/contract/units.ts";
import type { Issue } from "../../../service/kernel/config-file.ts";
import { Random } from "../random.ts";
import type { SoundEvent, SoundSegment } from "../script.ts";
import { recordingLength, voiceNames } from "../sound/voices.ts";
import type { ScenarioEvent, ScenarioFile } from "./scenario-schema.ts";

/** Ms and dBFS where an event says nothing else. */
const NOISE_LENGTH = 3000;
const NOISE_LEVEL = -30;
const ALARM_LEVEL = -20;

/** What is said and sounds, in the order of beginnings. */
export function scenarioSounds({ seed, length: end, events }: ScenarioFile): {
  segments: SoundSegment[];
  issues: Issue[];
} {
  const segments: SoundSegment[] = [];
  const issues: Issue[] = [];
  for (const [index, event] of events.entries()) {
    const issue = (key: string, message: string) => issues.push({ path: ["events", index, key], message });
    for (const { key, length, what } of eventSounds(event, seed, issue)) {
      const to = event.at + length;
      if (to > end) issue(key, `is heard until ${momentText(to)}, past the end, length: ${momentText(end)}`);
      else segments.push({ from: event.at, to, what });
    }
  }
  return { segments, issues };
}

interface EventSound {
  readonly key: "noise" | "alarm" | "says";
  /** Ms. */
  readonly length: number;
  readonly what: SoundEvent;
}

function eventSounds(
  event: ScenarioEvent,
  seed: number,
  issue: (key: string, message: string) => void,
): EventSound[] {
  const { says: word, loudness = "normal", speed = 1, alarm, noise, level } = event;
  const sounds: EventSound[] = [];
  if (noise !== undefined) {
    const what = { sound: "noise", noise, level: level ?? NOISE_LEVEL } as const;
    sounds.push({ key: "noise", length: event.for ?? NOISE_LENGTH, what });
  }
  if (alarm !== undefined)
    sounds.push({ key: "alarm", length: alarm, what: { sound: "alarm", level: level ?? ALARM_LEVEL } });
  if (word === undefined) return sounds;
  const voices = [...voiceNames("known"), ...voiceNames("new")];
  // A name has its voice, wherever it speaks.
  const own = new Random(seed, "voice", event.name ?? event.at).anyOf(voices) ?? "";
  const voice = event.voice ?? own;
  if (voices.includes(voice)) {
    const what = { sound: "speech", word, voice, loudness, speed } as const;
    sounds.push({ key: "says", length: recordingLength(word, voice, speed), what });
  } else issue("voice", `must be one of ${voices.join(", ")}`);
  return sounds;
}
