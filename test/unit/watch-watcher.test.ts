import { describe, expect, it } from "vitest";
import type { Watch } from "../../service/contract/config-watches.ts";
import type { Clip, Frame, Truth } from "../../service/contract/media.ts";
import type { Event } from "../../service/contract/observation.ts";
import { type NotAsked, type Question, Watcher } from "../../service/watch/watcher.ts";
import { AT, observation, rule, watchOf } from "../support/observations.ts";

const frame = (at: number, feed = "camera", truth?: Truth): Frame => ({
  feed,
  at: AT + at,
  jpeg: Buffer.from("jpeg"),
  luma: { width: 1, height: 1, data: new Uint8Array(1) },
  ...(truth && { truth }),
});
const clip = (at: number, length = 1000, feed = "microphone", truth?: Truth): Clip => ({
  feed,
  at: AT + at,
  length,
  samples: new Int16Array(length * 16),
  ...(truth && { truth }),
});

interface Parts {
  readonly watch?: Partial<Watch>;
  readonly openEvents?: readonly Event[];
  readonly truthOf?: (feed: string, from: number, to: number) => Truth | undefined;
}

const watcher = (feeds: { camera?: string; microphone?: string }, parts: Parts = {}) => {
  const { watch, openEvents = [], truthOf = () => undefined } = parts;
  return new Watcher({ watch: watchOf(watch), feeds, node: "cell", openEvents, truthOf });
};

/** The question that was asked; fails where none was. */
function asked(question: Question | NotAsked | undefined): Question {
  if (typeof question !== "object") throw new Error(`no question: ${question}`);
  return question;
}

describe("a watch of a camera", () => {
  it("asks about each frame that its gate passes, and of no other feed", () => {
    const scene = watcher({ camera: "camera" });
    const passed = frame(0, "camera", { person: true });
    expect(scene.framePassed(passed)).toEqual({
      watch: scene.watch,
      feeds: ["camera"],
      captured: AT,
      frames: [passed],
      truth: { person: true },
    });
    expect(scene.framePassed(frame(0, "other"))).toBeUndefined();
    expect(scene.clipPassed(clip(0))).toBeUndefined();
  });
});

describe("a watch of a microphone", () => {
  it("asks about each clip that its gate passes; it was captured when it ended", () => {
    const sound = watcher({ microphone: "microphone" });
    const passed = clip(0, 1500);
    expect(sound.clipPassed(passed)).toEqual({
      watch: sound.watch,
      feeds: ["microphone"],
      captured: AT + 1500,
      frames: [],
      clip: passed,
    });
    expect(sound.clipPassed(clip(0, 1500, "other"))).toBeUndefined();
    expect(sound.framePassed(frame(0))).toBeUndefined();
  });
});

describe("a watch of a camera and a microphone", () => {
  const both = () => watcher({ camera: "camera", microphone: "microphone" });

  it("asks when a clip passes, with the newest frame, whether its gate passed it or not", () => {
    const joint = both();
    joint.saw(frame(0));
    joint.saw(frame(900));
    joint.saw(frame(1000, "other"));
    expect(joint.framePassed(frame(900))).toBeUndefined();
    const question = asked(joint.clipPassed(clip(0)));
    expect(question.feeds).toEqual(["camera", "microphone"]);
    expect(question.frames.map(({ at }) => at)).toEqual([AT + 900]);
    expect(question.captured).toBe(AT + 1000);
  });

  it("was captured when the newer of the two was", () => {
    const joint = both();
    joint.saw(frame(1300));
    expect(asked(joint.clipPassed(clip(0))).captured).toBe(AT + 1300);
  });

  it("asks nothing without a frame, or with one of another time", () => {
    const joint = both();
    expect(joint.clipPassed(clip(0))).toBeUndefined();
    joint.saw(frame(0));
    expect(joint.clipPassed(clip(4000))).toBeDefined();
    expect(joint.clipPassed(clip(4001))).toBeUndefined();
    joint.saw(frame(60_000));
    expect(joint.clipPassed(clip(4001))).toBeUndefined();
  });

  it("knows what is true where both feeds do, and only then", () => {
    const truthOf = (ofFrame?: Truth, ofClip?: Truth) => {
      const joint = both();
      joint.saw(frame(0, "camera", ofFrame));
      return asked(joint.clipPassed(clip(0, 1000, "microphone", ofClip))).truth;
    };
    expect(truthOf({ person: true }, { sound: "alarm" })).toEqual({ person: true, sound: "alarm" });
    expect(truthOf({ person: true })).toBeUndefined();
    expect(truthOf(undefined, { sound: "alarm" })).toBeUndefined();
  });
});

describe("a watch over several frames", () => {
  const blink = { frames: 2, spacing: 500 };
  const truthOf = (feed: string, from: number, to: number) => ({ feed, from: from - AT, to: to - AT });

  it("asks about the frame that the gate passed and the one a spacing before it, the older first", () => {
    const lamp = watcher({ camera: "camera" }, { watch: blink });
    for (const at of [0, 200, 400, 600, 800, 1000]) lamp.saw(frame(at));
    const question = asked(lamp.framePassed(frame(1000)));
    expect(question.frames.map(({ at }) => at - AT)).toEqual([400, 1000]);
    expect(question.captured).toBe(AT + 1000);
    expect(question).not.toHaveProperty("truth");
  });

  it("asks nothing while there is no earlier frame, and says why", () => {
    const lamp = watcher({ camera: "camera" }, { watch: blink });
    lamp.saw(frame(0));
    expect(lamp.framePassed(frame(0))).toBe("no_earlier_frame");
    lamp.saw(frame(200));
    expect(lamp.framePassed(frame(200))).toBe("no_earlier_frame");
    lamp.saw(frame(400));
    expect(asked(lamp.framePassed(frame(400))).frames).toHaveLength(2);
    expect(lamp.framePassed(frame(400, "other"))).toBeUndefined();
  });

  it("asks what was true from the oldest to the newest, and not what was of the newest", () => {
    const lamp = watcher({ camera: "camera" }, { watch: blink, truthOf });
    lamp.saw(frame(100, "camera", { light: "off" }));
    lamp.saw(frame(600, "camera", { light: "red" }));
    const question = asked(lamp.framePassed(frame(600, "camera", { light: "red" })));
    expect(question.truth).toEqual({ feed: "camera", from: 100, to: 600 });
  });

  it("puts them beside a clip where it is of a microphone too", () => {
    const feeds = { camera: "camera", microphone: "microphone" };
    const joint = watcher(feeds, { watch: blink, truthOf });
    joint.saw(frame(0));
    expect(joint.clipPassed(clip(0))).toBe("no_earlier_frame");
    joint.saw(frame(500));
    const question = asked(joint.clipPassed(clip(0, 1000, "microphone", { sound: "alarm" })));
    expect(question.frames.map(({ at }) => at - AT)).toEqual([0, 500]);
    expect(question.captured).toBe(AT + 1000);
    expect(question.truth).toEqual({ feed: "camera", from: 0, to: 500, sound: "alarm" });
  });
});

describe("the rules of a watch", () => {
  it("each make events of their own of one observation", () => {
    const rules = [rule({ id: "one" }), rule({ id: "two", when: "count > 3" }), rule({ id: "three" })];
    const scene = watcher({ camera: "camera" }, { watch: { rules } });
    const events = scene.observe(observation(0, { person: true, count: 3 }));
    expect(events.map((event) => event.rule)).toEqual(["one", "three"]);
  });

  it("take up the events of theirs that were open, and of no other watch", () => {
    const before = watcher({ camera: "camera" });
    const open = before.observe(observation(0, { person: true, count: 1 }));
    const other = open.map((event) => ({ ...event, watch: "other" }));
    const ended = (events: typeof open) =>
      watcher({ camera: "camera" }, { openEvents: events })
        .observe(observation(1000, { person: false, count: 0 }))
        .map(({ id, phase }) => [id, phase]);
    expect(ended(open)).toEqual([[open[0]?.id, "end"]]);
    expect(ended(other)).toEqual([]);
  });

  it("parse answers by the watch's schema", () => {
    const scene = watcher({ camera: "camera" });
    expect(scene.parse('{"person":true,"count":4}')).toEqual({ person: true, count: 4 });
    expect(() => scene.parse('{"person":true}')).toThrow("no valid count");
  });
});
