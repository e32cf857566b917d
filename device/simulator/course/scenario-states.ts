import type { Issue } from "../../../service/kernel/config-file.ts";
import type { ScenarioEvent, ScenarioFile } from "./scenario-schema.ts";
import type { Shown } from "./timeline-scene.ts";

/** All but people and sounds. */
export type Look = Shown & { readonly daylight: number };

/** From a moment on, ms. */
export interface LookFrom {
  readonly at: number;
  readonly look: Look;
}

interface Change {
  readonly at: number;
  readonly look: Partial<Look>;
}

/** How a scenario begins and every change of lamp, display, furniture, daylight and camera. */
export function scenarioStates(file: ScenarioFile): LookFrom[] {
  const { light, blinking, display, belt, things, camera, daylight, furniture } = file;
  let look: Look = {
    ...{ light, blinking, display, camera, daylight },
    ...(furniture === "belt" && { belt: belt ?? "running" }),
    ...(furniture === "desk" && { things: things ?? [] }),
  };
  const changes = file.events.flatMap((event, index) => changesOf(event, file.events.slice(index + 1)));
  changes.sort((a, b) => a.at - b.at);
  const states: LookFrom[] = [{ at: Number.NEGATIVE_INFINITY, look }];
  for (const change of changes) {
    look = { ...look, ...change.look };
    states.push({ at: change.at, look });
  }
  return states;
}

/** A fault of the camera that lasts for a time ends then, unless the camera changes before. */
function changesOf(event: ScenarioEvent, later: readonly ScenarioEvent[]): Change[] {
  const { at, light, blinking = false, display, belt, things, camera, daylight } = event;
  const look: Partial<Look> = {
    ...(light !== undefined && { light, blinking }),
    ...(display !== undefined && { display }),
    ...(belt !== undefined && { belt }),
    ...(things !== undefined && { things }),
    ...(camera !== undefined && { camera }),
    ...(daylight !== undefined && { daylight }),
  };
  if (Object.keys(look).length === 0) return [];
  const until = at + (event.for ?? 0);
  const next = later.find((other) => other.camera !== undefined);
  const ends = camera !== undefined && event.for !== undefined && (next === undefined || next.at > until);
  return [{ at, look }, ...(ends ? [{ at: until, look: { camera: "ok" } as const }] : [])];
}

/** What is shown that is not there: of a scenario's beginning and of its events. */
export function furnitureIssues(file: ScenarioFile): Issue[] {
  const parts = [
    { path: [], part: file },
    ...file.events.map((part, index) => ({ path: ["events", index], part })),
  ];
  return parts.flatMap(({ path, part }) => {
    const issues: Issue[] = [];
    const missing = (key: string, needed: string) =>
      issues.push({ path: [...path, key], message: `there is none: add furniture: ${needed} above` });
    if (part.belt !== undefined && file.furniture !== "belt") missing("belt", "belt");
    if (part.things !== undefined && file.furniture !== "desk") missing("things", "desk");
    if (part.blinking === true && part.light === "off")
      issues.push({ path: [...path, "blinking"], message: "a light that is off does not blink" });
    return issues;
  });
}
