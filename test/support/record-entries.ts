import type { Event, Observation } from "../../service/contract/observation.ts";
import { eventTopic, observationTopic } from "../../service/contract/topics.ts";
import { iso } from "../../service/kernel/clock.ts";
import type { Entry } from "../../service/record/record.ts";

const BASE = "perch/test-node";
/** What fake clocks start at, epoch ms. */
export const THEN = 1_750_000_000_000;

/** An observation as the watch room makes it; `at` is when it was captured, epoch ms. */
export function observation(id: string, over: Partial<Observation> = {}, at = THEN): Observation {
  return {
    id,
    node: "test-node",
    watch: "door",
    feeds: ["hall"],
    captured: iso(at),
    answered: iso(at + 900),
    answer: { person: true, people: 2, light: "red", note: "a blue crate blocks the way" },
    provenance: {
      ladder: "perch-small",
      level: "full",
      model: "93567e57a8fe10b2",
      hottest: 61.5,
      queue: 3.25,
      prompt: 410,
      decode: 380,
      tokens: { prompt: 412, cached: 96, answer: 24 },
    },
    ...over,
  };
}

/** One message of an event; `at` is when it started, epoch ms. */
export function event(id: string, over: Partial<Event> = {}, at = THEN): Event {
  return {
    id,
    sequence: 0,
    node: "test-node",
    watch: "door",
    rule: "blocked",
    title: "The door is blocked",
    severity: "warning",
    phase: "start",
    started: iso(at),
    at: iso(at),
    ended: null,
    observation: "",
    answer: { person: true },
    ...over,
  };
}

/** An entry with one observation, the events and a message for each of them, as the service writes it. */
export function entry(seen: Observation | undefined, ...events: Event[]): Entry {
  return {
    ...(seen ? { observation: seen } : {}),
    events,
    messages: [
      ...(seen ? [{ topic: observationTopic(BASE, seen.watch), payload: JSON.stringify(seen) }] : []),
      ...events.map((one) => ({
        topic: eventTopic(BASE, one.watch, one.rule),
        payload: JSON.stringify(one),
      })),
    ],
  };
}
