/** A course of things that somebody wrote down, as docs/simulator.md describes it. */
import Type from "typebox";
import type { Truth } from "../../../service/contract/media.ts";
import { type Issue, readConfigFile } from "../../../service/kernel/config-file.ts";
import { decodeUnits, fillDefaults, isObject, schemaIssues } from "../../../service/kernel/config-schema.ts";
import type { Script, Setting, SoundSegment } from "../script.ts";
import type { Scene } from "../world.ts";
import { clipTruth } from "./heard.ts";
import { orderIssues } from "./scenario-order.ts";
import { scenarioPeople } from "./scenario-people.ts";
import { ScenarioFile } from "./scenario-schema.ts";
import { scenarioSounds } from "./scenario-sounds.ts";
import { furnitureIssues, type Look, type LookFrom, scenarioStates } from "./scenario-states.ts";
import { peopleAt, type Visit } from "./visits.ts";

/** Shortest and longest scenario, ms. */
const LENGTH = { least: 1000, most: 24 * 3_600_000 } as const;

/** Times are ms from its beginning; before that all is as it begins, and after its end as it ended. */
export class Scenario implements Script {
  readonly seed: number;
  /** Ms. */
  readonly length: number;
  readonly loop: boolean;
  private readonly place: number;
  private readonly states: readonly LookFrom[];

  constructor(
    file: ScenarioFile,
    private readonly visits: readonly Visit[],
    private readonly sounds: readonly SoundSegment[],
  ) {
    this.seed = file.seed;
    this.length = file.length;
    this.loop = file.loop;
    this.place = file.place;
    this.states = scenarioStates(file);
  }

  sceneAt(at: number): Scene {
    const { daylight: _, ...shown } = this.lookAt(at);
    return { ...shown, people: peopleAt(this.visits, at) };
  }

  settingAt(at: number): Setting {
    return { place: this.place, daylight: this.lookAt(at).daylight };
  }

  soundsBetween(from: number, to: number): SoundSegment[] {
    return this.sounds.filter((sound) => sound.from < to && sound.to > from);
  }

  soundTruth(from: number, to: number): Truth | undefined {
    return clipTruth(this.soundsBetween(from, to), from, to);
  }

  private lookAt(at: number): Look {
    const state = this.states.findLast((candidate) => candidate.at <= at);
    if (!state) throw new Error("a scenario has a state before everything");
    return state.look;
  }
}

/** Throws ConfigError with every error at once, each with its line. */
export function readScenario(file: string): Scenario {
  const raw = readConfigFile<unknown>(Type.Unknown(), file, (value) => scenarioOf(value).issues);
  const { scenario } = scenarioOf(raw);
  if (!scenario) throw new Error("unreachable: a scenario without issues can be made");
  return scenario;
}

/** A scenario of what stands in a file, or all that is wrong with it. */
export function scenarioOf(raw: unknown): { scenario?: Scenario; issues: Issue[] } {
  const filled = fillDefaults(ScenarioFile, raw);
  const wrong = schemaIssues(ScenarioFile, filled);
  const file = decodeUnits(ScenarioFile, filled) as ScenarioFile;
  const issues = isObject(filled) ? [...wrong, ...furtherIssues(file, wrong)] : wrong;
  if (issues.length > 0) return { issues };
  const sounds = scenarioSounds(file);
  return { issues, scenario: new Scenario(file, scenarioPeople(file).visits, sounds.segments) };
}

/** What no schema can say, about all of which the schema says nothing. */
function furtherIssues(file: ScenarioFile, wrong: readonly Issue[]): Issue[] {
  const holds = (key: keyof ScenarioFile) => !wrong.some(({ path }) => path[0] === key && path.length < 3);
  const numbers = Array.isArray(file.events)
    ? [...file.events.keys()].filter((i) => !wrong.some(({ path }) => path[0] === "events" && path[1] === i))
    : [];
  const given = typeof file.length === "number";
  const allowed = !given || (file.length >= LENGTH.least && file.length <= LENGTH.most);
  const length = given && allowed ? file.length : Number.POSITIVE_INFINITY;
  const events = numbers.flatMap((number) => file.events[number] ?? []);
  const sound: ScenarioFile = { ...file, length, events };
  // Of what follows from an event that is wrong itself nothing is said.
  const complete = holds("people") && events.length === file.events?.length;
  const issues = [
    ...orderIssues(sound),
    ...(holds("furniture") ? furnitureIssues(sound) : []),
    ...(complete ? scenarioPeople(sound).issues : []),
    ...scenarioSounds(sound).issues,
  ];
  const placed = issues.map((issue) => {
    const [key, index, ...rest] = issue.path;
    return key === "events" ? { ...issue, path: [key, numbers[Number(index)] ?? 0, ...rest] } : issue;
  });
  return allowed ? placed : [{ path: ["length"], message: "must be from 1s to 24h" }, ...placed];
}
