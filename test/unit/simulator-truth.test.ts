import { describe, expect, it } from "vitest";
import { clipTruth } from "../../device/simulator/course/heard.ts";
import { frameTruth, picturesTruthBetween } from "../../device/simulator/course/seen.ts";
import type { Script, SoundSegment } from "../../device/simulator/script.ts";
import type { Person, Scene } from "../../device/simulator/world.ts";

const SCENE: Scene = { people: [], light: "green", blinking: false, display: 42, camera: "ok" };
const at = (x: number, pose: Person["pose"] = "standing"): Person => ({ looks: 1, x, pose });

describe("the truth of a frame", () => {
  it("is all that the picture shows", () => {
    const scene: Scene = { ...SCENE, people: [at(0.3), at(0.6, "lying")], belt: "jammed" };
    expect(frameTruth(scene, 0)).toEqual({
      person: true,
      people: 2,
      lying: true,
      light: "green",
      display: 42,
      belt: "jammed",
      camera: "ok",
      description: "one person waits, one lies on the floor, light is green",
    });
  });

  it.each([
    ["far out", [at(-0.15)], { person: false, people: 0, lying: false }],
    ["half in", [at(0.02)], { lying: false }],
    ["half in on the right, beside somebody", [at(0.97), at(0.5)], { person: true, lying: false }],
    ["far enough in", [at(0.12)], { person: true, people: 1, lying: false }],
    ["before somebody else", [at(0.5), at(0.6)], { person: true, lying: false }],
    ["above somebody who lies", [at(0.5), at(0.5, "lying")], { person: true, people: 2, lying: true }],
  ])("counts people as far as they can be counted: %s", (_, people, told) => {
    const { person, people: count, lying, description } = frameTruth({ ...SCENE, people }, 0);
    const counted = count === undefined ? {} : { people: count };
    expect({ ...(person !== undefined && { person }), ...counted, lying }).toEqual(told);
    expect(description === undefined).toBe(count === undefined);
  });

  it("is nothing but the fault where the camera has one", () => {
    const told = { camera: "covered", description: "the camera is covered" };
    expect(frameTruth({ ...SCENE, people: [at(0)], camera: "covered" }, 0)).toEqual(told);
  });
});

describe("the truth of several pictures", () => {
  const script = (sceneAt: (at: number) => Scene): Script => ({
    seed: 1,
    sceneAt,
    settingAt: () => ({ place: 1, daylight: 1 }),
    soundsBetween: () => [],
    soundTruth: () => undefined,
  });
  const blinking = script(() => ({ ...SCENE, light: "red", blinking: true }));

  it("has the lamp blink where one of them shows it lit and one unlit", () => {
    const told = { light: "red", blinking: true, description: "nobody is here, light is red and blinks" };
    expect(picturesTruthBetween(blinking, 100, 600)).toMatchObject(told);
    expect(picturesTruthBetween(blinking, -400, 100)).toMatchObject(told);
    const steady = picturesTruthBetween(
      script(() => SCENE),
      100,
      1100,
    );
    expect(steady).toMatchObject({ light: "green", blinking: false, description: expect.anything() });
  });

  it("leaves the lamp open where both show the same of one that blinks", () => {
    const truth = picturesTruthBetween(blinking, 100, 1100);
    expect(truth).toEqual({ person: false, people: 0, lying: false, display: 42, camera: "ok" });
  });

  it("holds what was the same all the time, and leaves out what changed, if only in between", () => {
    const counts = script((time) => ({ ...SCENE, display: time > 150 && time < 350 ? 43 : 42 }));
    const { display, light, description } = picturesTruthBetween(counts, 0, 500);
    expect([display, light, description]).toEqual([undefined, "green", "nobody is here, light is green"]);
    const comes = script((time) => ({ ...SCENE, people: time > 250 ? [at(0.5)] : [] }));
    const truth = picturesTruthBetween(comes, 0, 500);
    expect(truth).toEqual({ lying: false, light: "green", blinking: false, display: 42, camera: "ok" });
  });
});

describe("the truth of a clip", () => {
  const word: SoundSegment = {
    from: 1000,
    to: 1600,
    what: { sound: "speech", word: "help", voice: "us", loudness: "loud", speed: 1 },
  };
  const noise = (from: number, to: number, level = -40): SoundSegment => ({
    from,
    to,
    what: { sound: "noise", noise: "grinding", level },
  });
  const alarm: SoundSegment = { from: 1000, to: 3000, what: { sound: "alarm", level: -20 } };
  const sound = (segments: readonly SoundSegment[], from: number, to: number) =>
    clipTruth(
      segments.filter((segment) => segment.from < to && segment.to > from),
      from,
      to,
    );

  it("is silence where nothing sounds", () => {
    const told = { sound: "silence", words: "", loudness: "none", help: false, machine: "other" };
    expect(sound([word], 1600, 3000)).toEqual({ ...told, description: "it is silent" });
  });

  it("is the word where the clip holds it by 80 %, and unknown where it holds less", () => {
    const told = { sound: "speech", words: "help", loudness: "loud", help: true };
    expect(sound([word], 800, 2000)).toMatchObject(told);
    expect(sound([word], 1100, 2000)).toMatchObject(told);
    expect(sound([word], 1200, 2000)).toBeUndefined();
    expect(sound([word], 0, 1010)).toBeUndefined();
  });

  it("is noise or alarm where that is whole or fills half of the clip, and unknown where it only begins", () => {
    expect(sound([noise(1000, 5000)], 0, 2000)).toMatchObject({ sound: "noise", machine: "grinding" });
    expect(sound([noise(1000, 5000)], 0, 1900)).toBeUndefined();
    expect(sound([alarm], 0, 10_000)).toMatchObject({ sound: "alarm", machine: "alarm" });
  });

  it("is what sounds over a noise, unless the noise is too loud for it", () => {
    expect(sound([noise(0, 3000), word], 800, 2000)).toMatchObject({ sound: "speech", words: "help" });
    expect(sound([noise(0, 3000, -20), word], 800, 2000)).toBeUndefined();
    expect(sound([noise(0, 3000), alarm], 900, 3000)).toMatchObject({ sound: "alarm" });
    expect(sound([noise(0, 3000), word], 1300, 3000)).toBeUndefined();
  });

  it("is unknown where two words, two noises, or a word and an alarm sound", () => {
    expect(sound([word, { ...word, from: 2000, to: 2600 }], 0, 3000)).toBeUndefined();
    expect(sound([noise(0, 1000), noise(1000, 2000)], 0, 2000)).toBeUndefined();
    expect(sound([alarm, word], 0, 3000)).toBeUndefined();
  });
});
