import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Playing } from "../../device/simulator/course/playing.ts";
import { readScenario, type Scenario } from "../../device/simulator/course/scenario.ts";
import { ConfigError } from "../../service/kernel/config-file.ts";
import { packageRoot } from "../../service/kernel/paths.ts";

const folder = mkdtempSync(join(tmpdir(), "perch-scenario-"));
afterAll(() => rmSync(folder, { recursive: true }));

function scenario(text: string): Scenario {
  const file = join(folder, "s.yaml");
  writeFileSync(file, text);
  return readScenario(file);
}

/** The errors of a text, with the file's name left out. */
function errors(text: string): string[] {
  try {
    scenario(text);
  } catch (error) {
    if (error instanceof ConfigError)
      return error.problems.map((line) => line.slice(`${folder}/s.yaml:`.length));
    throw error;
  }
  return [];
}

const events = (...lines: string[]) =>
  `length: 30s\nevents:\n${lines.map((line) => `  - { ${line} }\n`).join("")}`;

describe("a scenario", () => {
  it("needs no more than a length", () => {
    const { seed, length, loop, ...rest } = scenario("length: 5s");
    expect([seed, length, loop]).toEqual([1, 5000, true]);
    expect(rest).toBeDefined();
    const scene = scenario("length: 5s").sceneAt(1000);
    expect(scene).toEqual({ people: [], light: "green", blinking: false, display: 0, camera: "ok" });
    expect(scenario("length: 5s").settingAt(0)).toEqual({ place: 1, daylight: 1 });
  });

  it("begins as it says and changes from each event's time on", () => {
    const told = scenario(`
length: 60s
furniture: belt
light: red
blinking: true
display: 41
place: 9
daylight: 0.5
events:
  - { at: 00:10, display: 42, belt: jammed }
  - { at: 0:20.500, light: amber }
  - { at: 30s, daylight: 0, camera: covered, for: 3s }
`);
    const begin = { people: [], light: "red", blinking: true, display: 41, camera: "ok", belt: "running" };
    expect(told.sceneAt(-5000)).toEqual(begin);
    expect(told.sceneAt(9999)).toEqual(begin);
    expect(told.sceneAt(10_000)).toEqual({ ...begin, display: 42, belt: "jammed" });
    expect(told.sceneAt(20_499).light).toBe("red");
    expect(told.sceneAt(20_500)).toMatchObject({ light: "amber", blinking: false });
    expect([29_999, 30_000, 32_999, 33_000].map((at) => told.sceneAt(at).camera)).toEqual([
      "ok",
      "covered",
      "covered",
      "ok",
    ]);
    expect([0, 30_000, 99_000].map((at) => told.settingAt(at))).toEqual([
      { place: 9, daylight: 0.5 },
      { place: 9, daylight: 0 },
      { place: 9, daylight: 0 },
    ]);
  });

  it("ends a fault of the camera early where the camera changes, and keeps one without a time", () => {
    const told = scenario(
      events("at: 1s, camera: dark, for: 9s", "at: 2s, camera: moved", "at: 12s, camera: ok"),
    );
    expect([1, 2, 11, 12].map((s) => told.sceneAt(s * 1000).camera)).toEqual([
      "dark",
      "moved",
      "moved",
      "ok",
    ]);
  });

  it("lets people come, fall, rise and leave", () => {
    const told = scenario(
      events(
        "at: 1s, person: enters, name: anna, spot: 0.4, side: left",
        "at: 5s, person: falls, name: anna",
        "at: 9s, person: rises, name: anna",
        "at: 12s, person: leaves, name: anna, side: right",
        "at: 20s, person: enters, name: anna",
      ),
    );
    const people = (at: number) => told.sceneAt(at).people;
    expect(people(999)).toEqual([]);
    const [enters] = people(1000);
    expect(enters?.x).toBeCloseTo(-0.15);
    expect(people(2000)[0]?.x).toBeCloseTo(0.125);
    expect(people(3000)).toEqual([{ looks: enters?.looks, x: 0.4, pose: "standing" }]);
    expect(people(5000)).toEqual([{ looks: enters?.looks, x: 0.4, pose: "lying" }]);
    expect(people(9000)[0]?.pose).toBe("standing");
    expect(people(13_999)[0]?.x).toBeCloseTo(1.15, 2);
    expect(people(14_000)).toEqual([]);
    expect(people(23_000)[0]?.looks).toBe(enters?.looks);
  });

  it("keeps people apart who were given no spot, and has who is there from the beginning", () => {
    const told = scenario(`people: [a, b]\n${events("at: 1s, person: enters")}`);
    expect(told.sceneAt(0).people).toHaveLength(2);
    const spots = told
      .sceneAt(4000)
      .people.map(({ x }) => x)
      .sort((a, b) => a - b);
    expect(spots).toHaveLength(3);
    for (const [i, x] of spots.slice(1).entries()) expect(x - (spots[i] ?? 0)).toBeGreaterThan(0.199);
  });

  it("lets each name speak in its voice, and noises and alarms sound as long as they are asked to", () => {
    const told = scenario(
      events(
        "at: 1s, says: help, name: anna, loudness: loud",
        "at: 5s, noise: hiss",
        "at: 9s, noise: hum, for: 5s, level: -40",
        "at: 10s, says: stop, name: anna, speed: 1.25",
        "at: 20s, alarm: 4s",
      ),
    );
    const [help, hiss, hum, stop, alarm] = told.soundsBetween(0, 30_000);
    expect(help?.what).toMatchObject({ sound: "speech", word: "help", loudness: "loud", speed: 1 });
    expect(stop?.what).toMatchObject({ voice: Object(help?.what).voice, loudness: "normal", speed: 1.25 });
    expect(hiss).toEqual({ from: 5000, to: 8000, what: { sound: "noise", noise: "hiss", level: -30 } });
    expect(hum).toEqual({ from: 9000, to: 14_000, what: { sound: "noise", noise: "hum", level: -40 } });
    expect(alarm).toEqual({ from: 20_000, to: 24_000, what: { sound: "alarm", level: -20 } });
    expect(told.soundTruth(9800, 11_000)).toMatchObject({ sound: "speech", words: "stop" });
    expect(told.soundsBetween(15_000, 19_000)).toEqual([]);
  });

  it("is the same each time it is read, and otherwise with another seed", () => {
    const text = events("at: 1s, person: enters", "at: 5s, says: help");
    const scene = (seed: number) => {
      const told = scenario(`seed: ${seed}\n${text}`);
      return [told.sceneAt(4000), told.soundsBetween(0, 9000)];
    };
    expect(scene(1)).toEqual(scene(1));
    expect(scene(1)).not.toEqual(scene(2));
  });
});

describe("a scenario's errors", () => {
  it("are told all at once, each with line, key, the value found and what is allowed", () => {
    expect(
      errors(`seed: 7
length: 30s
furniture: table
blinkin: true
events:
  - { at: 10, person: enters, name: anna }
  - { at: 00:08, says: helpp, loudness: loud }
  - { at: 00:06, light: red, spot: 0.3 }
  - { at: 00:07, display: 142 }
  - { at: 00:40, light: green }
  - { at: 00:29, alarm: 4s }
  - { name: bob }
  - { at: 00:29, says: help, voice: darth }
  - { at: 00:29, person: falls, name: bob }
`),
    ).toEqual([
      '3: furniture = "table": must be one of belt, desk, none',
      expect.stringMatching(/^4: blinkin: unknown key blinkin; known keys: seed, length, loop, place/),
      '6: events[0].at = 10: must be a time like "00:20", "1:02.500" or "20s"',
      expect.stringMatching(/^7: events\[1\]\.says = "helpp": must be one of help, nurse, stop, .*broken$/),
      "8: events[2].spot: spot belongs to person: enters, which is not there",
      "9: events[3].display = 142: must be <= 99",
      '10: events[4].at = "00:40": is not before the end, length: 00:30',
      '11: events[5].at = "00:29": is before 00:40 of the event above: keep the order of time',
      '11: events[5].alarm = "4s": is heard until 00:33, past the end, length: 00:30',
      "12: events[6]: the key at is missing (When, since the beginning.)",
      expect.stringMatching(/^13: events\[7\]\.voice = "darth": must be one of us, gb/),
    ]);
  });

  it.each<[string, string[], string]>([
    ["who is not there", ["at: 1s, person: falls, name: bob"], 'person = "falls": bob is not there'],
    [
      "who is not there while others are",
      ["at: 1s, person: enters, name: anna", "at: 9s, person: leaves, name: ana"],
      'person = "leaves": ana is not there; there: anna',
    ],
    [
      "who is on the way in",
      ["at: 1s, person: enters, name: anna", "at: 2s, person: falls, name: anna"],
      'person = "falls": anna is on the way in until 00:03',
    ],
    [
      "who is on the way out",
      ["at: 1s, person: enters", "at: 5s, person: leaves", "at: 6s, person: enters"],
      'person = "enters": somebody is on the way out until 00:07',
    ],
    [
      "who is there already",
      ["at: 1s, person: enters, name: anna", "at: 5s, person: enters, name: anna"],
      'name = "anna": anna is there already',
    ],
    [
      "who has no name",
      ["at: 1s, person: enters", "at: 5s, person: enters"],
      'person = "enters": somebody is there already: give people names, name: anna',
    ],
    [
      "a fourth",
      ["a", "b", "c", "d"].map((name) => `at: 1s, person: enters, name: ${name}`),
      'person = "enters": a, b, c are there already: 3 at most',
    ],
    [
      "who would stand before another",
      ["at: 1s, person: enters, name: a, spot: 0.5", "at: 1s, person: enters, name: b, spot: 0.6"],
      "spot = 0.6: a stands at 0.50: keep 0.18 away",
    ],
    [
      "a second who falls",
      [
        "at: 1s, person: enters, name: a",
        "at: 1s, person: enters, name: b",
        "at: 5s, person: falls, name: a",
        "at: 5s, person: falls, name: b",
      ],
      'person = "falls": a lies there already, and two would hide each other',
    ],
    [
      "who lies and leaves",
      ["at: 1s, person: enters", "at: 5s, person: falls", "at: 6s, person: leaves"],
      'person = "leaves": somebody lies on the floor: { at: …, person: rises } comes first',
    ],
    [
      "who rises and stands",
      ["at: 1s, person: enters", "at: 5s, person: rises"],
      'person = "rises": somebody does not lie',
    ],
    [
      "a belt that is not there",
      ["at: 1s, belt: jammed"],
      'belt = "jammed": there is none: add furniture: belt above',
    ],
    ["things without a desk", ["at: 1s, things: [cup]"], "things: there is none: add furniture: desk above"],
    [
      "a light that is off and blinks",
      ["at: 1s, light: off, blinking: true"],
      "blinking = true: a light that is off does not blink",
    ],
    ["an event without anything", ["at: 1s"], "nothing happens: add one of person, says, alarm"],
    ["blinking alone", ["at: 1s, display: 3, blinking: true"], "blinking: blinking belongs to light"],
    ["a time that none is", ["at: 1:2, light: red"], 'at = "1:2": must be a time like "00:20"'],
  ])("say what is wrong with %s", (_, lines, message) => {
    const [only, ...others] = errors(events(...lines));
    expect(others).toEqual([]);
    expect(only).toContain(message);
    expect(only).toMatch(new RegExp(`^${lines.length + 2}: events\\[${lines.length - 1}\\]`));
  });

  it("do not repeat themselves where a length or the whole file is wrong", () => {
    expect(errors(events("at: 1s, light: red").replace("30s", "500ms"))).toEqual([
      '1: length = "500ms": must be from 1s to 24h',
    ]);
    expect(errors("- a list")).toEqual(["1: must be a mapping of keys to values"]);
    expect(errors("events: 3\n")).toEqual([
      "1: events = 3: must be a list",
      "1: the key length is missing (How long it takes.)",
    ]);
  });
});

describe("the example scenarios", () => {
  const examples = join(packageRoot, "config/examples/scenarios");
  it.each(readdirSync(examples))("%s is right", (name) => {
    expect(readScenario(join(examples, name)).length).toBeGreaterThan(20_000);
  });
});

describe("a scenario on the wall clock", () => {
  const text = "length: 10s\nevents:\n  - { at: 2s, light: red, alarm: 2s }\n  - { at: 8s, display: 9 }\n";
  const begin = 1_760_000_000_000;

  it("begins at its time, and anew at its end", () => {
    const playing = new Playing(scenario(text), begin);
    const light = (at: number) => playing.sceneAt(begin + at).light;
    expect([-1, 0, 1999, 2000, 9999, 10_000, 12_000, 32_000].map(light)).toEqual([
      "green",
      "green",
      "green",
      "red",
      "red",
      "green",
      "red",
      "red",
    ]);
    const heard = playing.soundsBetween(begin - 60_000, begin + 25_000).map(({ from, to }) => [from, to]);
    expect(heard).toEqual([2000, 12_000, 22_000].map((at) => [begin + at, begin + at + 2000]));
    expect(playing.soundTruth(begin + 12_000, begin + 14_000)).toMatchObject({ sound: "alarm" });
    expect(playing.soundTruth(begin + 10_000, begin + 11_000)).toMatchObject({ sound: "silence" });
  });

  it("stays as it ended where it does not loop", () => {
    const playing = new Playing(scenario(`loop: false\n${text}`), begin);
    expect(playing.sceneAt(begin + 3_600_000)).toMatchObject({ light: "red", display: 9 });
    expect(playing.soundsBetween(begin + 10_000, begin + 3_600_000)).toEqual([]);
  });
});
