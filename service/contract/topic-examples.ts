import type { GovernorState } from "./governor.ts";
import type { Event, Observation } from "./observation.ts";
import type { AcknowledgedMessage, FeedStateMessage, NodeStatus } from "./topics.ts";

const status: NodeStatus = { status: "online", version: "0.1.0", at: "2026-11-03T08:00:00.000Z" };

const feedState: FeedStateMessage = {
  feed: "camera",
  state: "offline",
  reason: "no answer from rtsp://10.0.0.20: is the camera on?",
  since: "2026-11-03T08:12:41.218Z",
};

const governor: GovernorState = {
  at: "2026-11-03T13:40:12.004Z",
  mode: "auto",
  until: null,
  level: "q4_0",
  running: "q4_0",
  pace: 0.62,
  reason: "heat",
  text: "The model may work 62% of the time: tj-thermal is at 95.5 °C, 3.5 °C under its limit of 99.0 °C",
  next: "q8_0 when it would stay cool enough for 300 s",
  refused: null,
  readings: {
    simulated: false,
    zones: [{ id: "tj-thermal", celsius: 95.5, limit: 99 }],
    memories: [{ id: "ram", total: 65_000_000_000, free: 41_200_000_000, own: 8_450_000_000 }],
    pressure: { some: 0, full: 0 },
    throttling: [],
    watts: 38.4,
    distrusted: [],
  },
};

const observation: Observation = {
  id: "019a488f-4b13-7f6e-9a3e-2f2d7c9a1b04",
  node: "cell",
  watch: "scene",
  feeds: ["camera"],
  captured: "2026-11-03T08:13:05.121Z",
  answered: "2026-11-03T08:13:05.564Z",
  answer: { person: true, light: "red" },
  provenance: {
    ladder: "perch-small",
    level: "q8",
    model: "93567e57a8fe10b2",
    hottest: 61.5,
    queue: 3,
    prompt: 310,
    decode: 118,
    tokens: { prompt: 214, cached: 96, answer: 17 },
  },
};

const event: Event = {
  id: "019a488f-4b15-7a01-8c55-6b8a1f0c9d33",
  sequence: 0,
  node: "cell",
  watch: "scene",
  rule: "red-with-person",
  title: "Somebody stands at the red light",
  severity: "warning",
  phase: "start",
  started: "2026-11-03T08:13:03.098Z",
  at: "2026-11-03T08:13:05.121Z",
  ended: null,
  observation: observation.id,
  answer: observation.answer,
};

const acknowledged: AcknowledgedMessage = {
  ...{ event: event.id, node: event.node, watch: event.watch, rule: event.rule },
  acknowledged: { at: "2026-11-03T08:14:20.480Z", by: "line-3", note: "sent home" },
};

/** One payload of every topic, by the topic's path. */
export const TOPIC_EXAMPLES: Readonly<Record<string, object>> = {
  status,
  "feed/<feed>/state": feedState,
  governor,
  "observation/<watch>": observation,
  "event/<watch>/<rule>": event,
  "event/<watch>/<rule>/acknowledged": acknowledged,
};
