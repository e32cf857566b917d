import { momentText } from "../../../service/contract/units.ts";
import type { Issue } from "../../../service/kernel/config-file.ts";
import type { ScenarioEvent, ScenarioFile } from "./scenario-schema.ts";

type Key = keyof ScenarioEvent;

/** What an event can be about. */
const SUBJECTS: readonly Key[] = [
  "person",
  "says",
  "alarm",
  "noise",
  "light",
  "display",
  "belt",
  "things",
  "camera",
  "daylight",
];

/** Keys that say more about another one of the same event. */
const FURTHER: readonly { key: Key; of: string; belongs: (event: ScenarioEvent) => boolean }[] = [
  { key: "name", of: "person or says", belongs: ({ person, says }) => (person ?? says) !== undefined },
  { key: "spot", of: "person: enters", belongs: ({ person }) => person === "enters" },
  {
    key: "side",
    of: "person: enters or person: leaves",
    belongs: ({ person }) => person === "enters" || person === "leaves",
  },
  { key: "loudness", of: "says", belongs: ({ says }) => says !== undefined },
  { key: "voice", of: "says", belongs: ({ says }) => says !== undefined },
  { key: "speed", of: "says", belongs: ({ says }) => says !== undefined },
  { key: "level", of: "noise or alarm", belongs: ({ noise, alarm }) => (noise ?? alarm) !== undefined },
  { key: "blinking", of: "light", belongs: ({ light }) => light !== undefined },
  {
    key: "for",
    of: "noise or a fault of the camera",
    belongs: ({ noise, camera }) => noise !== undefined || (camera !== undefined && camera !== "ok"),
  },
];

/** Events without a subject, keys without their own, times that do not go forward or not within the length. */
export function orderIssues({ events, length }: Pick<ScenarioFile, "events" | "length">): Issue[] {
  return events.flatMap((event, index) => {
    const at = (key: Key, message: string, atKey = false): Issue => ({
      path: ["events", index, key],
      message,
      ...(atKey && { atKey }),
    });
    const issues: Issue[] = [];
    const before = events[index - 1];
    if (before && before.at > event.at)
      issues.push(at("at", `is before ${momentText(before.at)} of the event above: keep the order of time`));
    if (event.at >= length) issues.push(at("at", `is not before the end, length: ${momentText(length)}`));
    if (SUBJECTS.every((key) => event[key] === undefined))
      issues.push({
        path: ["events", index],
        message: `nothing happens: add one of ${SUBJECTS.join(", ")}`,
      });
    else
      for (const { key, of, belongs } of FURTHER)
        if (event[key] !== undefined && !belongs(event))
          issues.push(at(key, `${key} belongs to ${of}, which is not there`, true));
    return issues;
  });
}
