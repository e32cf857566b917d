import { describe, expect, it } from "vitest";
import type { Feed } from "../../service/contract/config-feeds.ts";
import type { Watch } from "../../service/contract/config-watches.ts";
import type { Event } from "../../service/contract/observation.ts";
import type { Watcher } from "../../service/watch/watcher.ts";
import { Watchers } from "../../service/watch/watchers.ts";
import { cameraFeed } from "../support/feed-recorder.ts";
import { AT, observation, rule, watchOf } from "../support/observations.ts";

const CAMERA = cameraFeed("sim:cell");
const crowd = rule({ id: "crowd", when: "count > 3", release: 5_000 });
const SCENE = watchOf({ rules: [rule(), crowd] });

class Bench {
  readonly watchers = new Watchers({ node: "cell", truthOf: () => undefined });

  become(watches: readonly Watch[], ms = 0, feeds: readonly Feed[] = [CAMERA]): Event[] {
    return this.watchers.become({ feeds: [...feeds], watches: [...watches] }, AT + ms);
  }

  get scene(): Watcher {
    const [found] = this.watchers.all;
    if (!found) throw new Error("nothing is watched");
    return found;
  }

  see(ms: number, person: boolean, count: number, asked = this.scene): Event[] {
    return this.watchers.observe(asked, observation(ms, { person, count }));
  }
}

/** Somebody is there, and many: an event of each rule is open. */
function withOpenEvents() {
  const bench = new Bench();
  bench.become([SCENE]);
  const [present, many] = bench.see(0, true, 5);
  if (!present || !many) throw new Error("no events");
  return { bench, present, many };
}

describe("watches that are changed while events are open", () => {
  it("keeps a watch that did not change as it is", () => {
    const { bench } = withOpenEvents();
    const before = bench.scene;
    expect(bench.become([structuredClone(SCENE), watchOf({ id: "other" })])).toEqual([]);
    expect(bench.scene).toBe(before);
    expect(bench.watchers.all).toHaveLength(2);
  });

  it("goes on with the event of a rule that stays, and ends that of a rule that is gone", () => {
    const { bench, present, many } = withOpenEvents();
    const ends = bench.become([{ ...SCENE, question: "Who is there?", rules: [rule()] }], 1_000);
    expect(ends).toEqual([
      {
        ...many,
        phase: "end",
        sequence: 1,
        at: new Date(AT + 1_000).toISOString(),
        ended: new Date(AT + 1_000).toISOString(),
        observation: "",
        reason: "its watch or rule is no longer in the configuration",
      },
    ]);
    expect(bench.see(2_000, false, 0)).toMatchObject([{ id: present.id, sequence: 1, phase: "end" }]);
  });

  it("keeps the waits of a rule that is as it was", () => {
    const { bench, many } = withOpenEvents();
    expect(bench.see(1_000, true, 0)).toMatchObject([{ rule: "present", phase: "update" }]);
    bench.become([{ ...SCENE, rules: [rule({ severity: "alarm" }), crowd] }]);
    // The release of crowd began a second in.
    expect(bench.see(6_000, true, 0)).toMatchObject([{ id: many.id, phase: "end" }]);
  });

  it("goes on with an event whose rule has another condition, or whose watch has another answer", () => {
    const { bench, present } = withOpenEvents();
    const rules = [rule({ when: "!person" })];
    bench.become([{ ...SCENE, rules, answer: { person: { type: "boolean" } } }]);
    const ended = bench.watchers.observe(bench.scene, observation(1_000, { person: true }));
    expect(ended).toMatchObject([{ id: present.id, phase: "end" }]);
  });

  it.each([
    ["is gone", []],
    ["is switched off", [{ ...SCENE, enabled: false }]],
  ])("ends all events of a watch that %s", (_, watches) => {
    const { bench } = withOpenEvents();
    const ends = bench.become(watches);
    expect(ends.map(({ rule, phase }) => [rule, phase])).toEqual([
      ["present", "end"],
      ["crowd", "end"],
    ]);
    expect(bench.watchers.all).toEqual([]);
    expect(bench.become(watches)).toEqual([]);
  });

  it("ends the events of a watch whose feed is switched off, and asks again when it is on", () => {
    const { bench } = withOpenEvents();
    const ends = bench.become([SCENE], 0, [{ ...CAMERA, enabled: false }]);
    expect(ends).toMatchObject([
      { reason: "the camera camera is switched off" },
      { reason: "the camera camera is switched off" },
    ]);
    bench.become([SCENE]);
    expect(bench.see(1_000, true, 0)).toMatchObject([{ phase: "start", sequence: 0 }]);
  });

  it("decides by the rules of now about an answer that was under way, where it has their fields", () => {
    const { bench, present } = withOpenEvents();
    const asked = bench.scene;
    bench.become([{ ...SCENE, rules: [rule({ title: "Somebody" })] }]);
    expect(bench.see(1_000, false, 0, asked)).toMatchObject([{ id: present.id, phase: "end" }]);
    bench.become([{ ...SCENE, answer: { person: { type: "boolean" } }, rules: [rule()] }]);
    expect(bench.see(2_000, true, 9, asked)).toEqual([]);
    bench.become([]);
    expect(bench.see(3_000, true, 9, asked)).toEqual([]);
  });
});
