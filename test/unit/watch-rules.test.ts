import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Rule } from "../../service/contract/config-watches.ts";
import type { Event } from "../../service/contract/observation.ts";
import { compileCondition } from "../../service/watch/condition.ts";
import { closed, RuleMachine } from "../../service/watch/rule-machine.ts";
import { ANSWER, AT, observation, rule } from "../support/observations.ts";

/** A machine of the rule "somebody is there", and the events of answers `[ms, person, count]`. */
function machine(changes: Partial<Rule> = {}, open?: Event) {
  const own = rule(changes);
  const made = new RuleMachine({
    node: "cell",
    watch: "scene",
    rule: own,
    condition: compileCondition(own.when, ANSWER),
    ...(open && { open }),
  });
  return (...answers: [ms: number, person: boolean, count?: number][]): Event[] =>
    answers.flatMap(([ms, person, count = 0]) => made.observe(observation(ms, { person, count })));
}

/** Phase and time of each message, ms after AT. */
const told = (events: readonly Event[]) => events.map(({ phase, at }) => `${phase} ${Date.parse(at) - AT}`);

describe("an event", () => {
  it("starts with the first answer that holds, says what changes under it, and ends with the first that does not", () => {
    const events = machine({ title: "Somebody is there", severity: "alarm" })(
      [0, false],
      [1000, true, 1],
      [2000, true, 1],
      [3000, true, 2],
      [4000, false],
      [5000, false],
    );
    const [start, update, end] = events;
    expect(told(events)).toEqual(["start 1000", "update 3000", "end 4000"]);
    expect(start).toEqual({
      id: start?.id,
      sequence: 0,
      node: "cell",
      watch: "scene",
      rule: "present",
      title: "Somebody is there",
      severity: "alarm",
      phase: "start",
      started: new Date(AT + 1000).toISOString(),
      at: new Date(AT + 1000).toISOString(),
      ended: null,
      observation: "observation-1000",
      answer: { person: true, count: 1 },
    });
    expect(update).toMatchObject({ sequence: 1, ended: null, answer: { person: true, count: 2 } });
    expect(end).toMatchObject({ sequence: 2, ended: new Date(AT + 4000).toISOString() });
    expect(new Set(events.map(({ id }) => id)).size).toBe(1);
  });

  it("is called by its rule's id where it has no title", () => {
    expect(machine()([0, true])[0]?.title).toBe("present");
  });

  it("has an id of its own each time", () => {
    const events = machine()([0, true], [1000, false], [2000, true]);
    expect(told(events)).toEqual(["start 0", "end 1000", "start 2000"]);
    expect(events[0]?.id).not.toBe(events[2]?.id);
  });
});

describe("for", () => {
  it("has to be held without a break, and the event began when it began to hold", () => {
    const events = machine({ for: 3000 })(
      [0, true],
      [2000, true],
      [2500, false],
      [3000, true],
      [5999, true],
      [6000, true],
    );
    expect(told(events)).toEqual(["start 6000"]);
    expect(events[0]?.started).toBe(new Date(AT + 3000).toISOString());
  });
});

describe("release", () => {
  it("bridges shorter breaks, without a word", () => {
    const events = machine({ release: 2000 })(
      [0, true],
      [1000, false, 5],
      [2900, false, 6],
      [3000, true],
      [4000, false],
    );
    expect(told(events)).toEqual(["start 0"]);
  });

  it("ends the event when it is over, at the moment in which the break began", () => {
    const events = machine({ release: 2000 })([0, true], [1000, false], [2500, false], [3000, false]);
    expect(told(events)).toEqual(["start 0", "end 3000"]);
    expect(events[1]?.ended).toBe(new Date(AT + 1000).toISOString());
  });
});

describe("cooldown", () => {
  it("keeps quiet after an end, and starts at once what still holds then", () => {
    const events = machine({ cooldown: 5000 })(
      [0, true],
      [1000, false],
      [2000, true],
      [5999, true],
      [6000, true],
    );
    expect(told(events)).toEqual(["start 0", "end 1000", "start 6000"]);
    expect(events[2]?.started).toBe(new Date(AT + 2000).toISOString());
  });
});

describe("an event that was open when the service last ran", () => {
  const [open] = machine()([0, true, 1]);

  it("goes on under its id, with the next sequence", () => {
    const events = machine({}, open)([60_000, true, 1], [61_000, true, 2], [62_000, false]);
    expect(told(events)).toEqual(["update 61000", "end 62000"]);
    expect(events.map(({ id, sequence }) => [id, sequence])).toEqual([
      [open?.id, 1],
      [open?.id, 2],
    ]);
  });

  it("may be closed for another reason, never before it began", () => {
    if (!open) throw new Error("no event");
    expect(closed(open, AT + 5000, "its rule is gone")).toMatchObject({
      id: open.id,
      sequence: 1,
      phase: "end",
      ended: new Date(AT + 5000).toISOString(),
      reason: "its rule is gone",
      observation: "",
    });
    expect(closed(open, AT - 5000, "its rule is gone").ended).toBe(open.started);
  });
});

describe("time", () => {
  it("is not turned back by an answer that comes late", () => {
    const events = machine()([0, false], [2000, true], [1000, false], [3000, true], [2500, false]);
    expect(told(events)).toEqual(["start 2000"]);
  });

  it("goes on where the clock was set back by a day, while waiting to start", () => {
    const day = 86_400_000;
    const events = machine({ for: 2000 })([0, true], [-day, true], [-day + 1999, true], [-day + 2000, true]);
    expect(told(events)).toEqual([`start ${-day + 2000}`]);
  });

  it("goes on where the clock was set back by a day, while waiting to end or to start again", () => {
    const day = 86_400_000;
    const events = machine({ release: 2000, cooldown: 5000 })(
      [0, true],
      [1000, false],
      [-day, false],
      [-day + 2000, false],
      [-day + 3000, true],
      [-day + 5000, true],
    );
    expect(told(events)).toEqual(["start 0", `end ${-day + 2000}`, `start ${-day + 5000}`]);
    expect(events[1]?.ended).toBe(events[1]?.started);
  });
});

describe("whatever is answered, and when", () => {
  const ms = fc.integer({ min: 0, max: 5000 });
  const steps = fc.array(
    fc.record({
      // Mostly forwards, at times late or after the clock was set back.
      step: fc.oneof(
        { weight: 8, arbitrary: ms },
        { weight: 1, arbitrary: fc.integer({ min: -200_000, max: 0 }) },
      ),
      person: fc.boolean(),
      count: fc.integer({ min: 0, max: 2 }),
    }),
    { maxLength: 60 },
  );

  it("each event is a start, updates with another answer each, and one end; one at a time", () => {
    fc.assert(
      fc.property(steps, ms, ms, ms, (answers, hold, release, cooldown) => {
        const observe = machine({ for: hold, release, cooldown });
        let at = 0;
        const events = answers.flatMap(({ step, person, count }) => {
          at += step;
          return observe([at, person, count]);
        });
        let open: Event | undefined;
        for (const event of events) {
          if (!open) expect(event).toMatchObject({ phase: "start", sequence: 0, ended: null });
          else {
            expect(event).toMatchObject({ id: open.id, sequence: open.sequence + 1, started: open.started });
            expect(event.phase).not.toBe("start");
            if (event.phase === "update") expect(event.answer).not.toEqual(open.answer);
          }
          if (event.phase === "end")
            expect(Date.parse(event.ended ?? "")).toBeGreaterThanOrEqual(Date.parse(event.started));
          else expect(event.answer.person).toBe(true);
          open = event.phase === "end" ? undefined : event;
        }
      }),
    );
  });

  it("a restart in between changes nothing of an event that is open", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 2, maxLength: 20 }), fc.nat(18), (answers, cut) => {
        const all = answers.map((person, n) => [n * 1000, person] as [number, boolean]);
        const whole = machine()(...all);
        const before = machine()(...all.slice(0, cut));
        const last = before.at(-1);
        const after = machine({}, last?.phase === "end" ? undefined : last)(...all.slice(cut));
        expect(told([...before, ...after])).toEqual(told(whole));
      }),
    );
  });
});
