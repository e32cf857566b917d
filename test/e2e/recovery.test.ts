import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Event, Observation } from "../../service/contract/observation.ts";
import { Database } from "../../service/kernel/sqlite.ts";
import { cellVideo } from "../support/cell-media.ts";
import { Mosquitto, Subscriber } from "../support/mosquitto.ts";
import { CELL_FEEDS, PerchProcess, SCENE_WATCH, SOUND_WATCH } from "../support/perch.ts";
import { until } from "../support/until.ts";

interface Committed {
  readonly observations: string[];
  /** Id, newest sequence and phase of every event. */
  readonly events: { id: string; sequence: number; phase: string }[];
  readonly waiting: number;
}

let broker: Mosquitto;
let subscriber: Subscriber;
let perch: PerchProcess;

beforeEach(async () => {
  // Every change is written before the broker acknowledges more: what it acknowledged outlives kill -9.
  broker = await Mosquitto.start({
    persistence: true,
    lines: ["autosave_on_changes true", "autosave_interval 1"],
  });
  subscriber = await Subscriber.connect(broker.url, "perch/#", { clientId: "reader" });
});

afterEach(async () => {
  await perch.dispose();
  await subscriber.end();
  await broker.dispose();
});

const messages = <T>(topic: RegExp): T[] =>
  subscriber.on(topic).map(({ payload }) => JSON.parse(payload) as T);
const observations = () => messages<Observation>(/\/observation\//);
const events = () => messages<Event>(/\/event\//);

function committed(): Committed {
  const database = new Database(perch.database, { readonly: true });
  try {
    return {
      observations: database.prepare("select id from observation").pluck().all() as string[],
      events: database.prepare("select id, sequence, phase from event").all() as Committed["events"],
      waiting: database.prepare("select count(*) from outbox").pluck().get() as number,
    };
  } finally {
    database.close();
  }
}

const moreObservations = async (count: number) => {
  const before = observations().length;
  await until(() => observations().length >= before + count);
};

/** All that stands in the database was received, under the same ids, event by event without a gap. */
async function expectNothingLost(): Promise<void> {
  const kept = committed();
  expect(kept.waiting).toBe(0);
  const seen = () => new Set(observations().map(({ id }) => id));
  await until(() => kept.observations.every((id) => seen().has(id)));
  for (const event of kept.events) {
    const sequences = new Set(
      events()
        .filter(({ id }) => id === event.id)
        .map(({ sequence }) => sequence),
    );
    expect([...sequences].sort((a, b) => a - b)).toEqual(
      Array.from({ length: event.sequence + 1 }, (_, index) => index),
    );
  }
  // Nothing was published that is not in the record.
  const ids = new Set(kept.events.map(({ id }) => id));
  expect(events().filter(({ id }) => !ids.has(id))).toEqual([]);
  expect(kept.observations.length).toBeGreaterThan(0);
  expect(kept.events.length).toBeGreaterThan(0);
}

const cell = () => ({
  mqtt: { broker: { kind: "external", url: broker.url } },
  feeds: CELL_FEEDS,
  // Whatever the cell shows just now, there is an event.
  watches: [
    { ...SCENE_WATCH, rules: [...SCENE_WATCH.rules, { id: "always", when: "display >= 0" }] },
    SOUND_WATCH,
  ],
});

describe("kill -9 in mid-run", () => {
  it("of the engine: the next answers come from a new one and nothing committed is lost", async () => {
    perch = new PerchProcess(cell());
    perch.start();
    for (let time = 0; time < 2; time += 1) {
      await moreObservations(3);
      const [engine] = perch.children("llama-server");
      expect(engine).toBeDefined();
      process.kill(engine as number, "SIGKILL");
      await until(() => perch.children("llama-server").some((pid) => pid !== engine));
    }
    await moreObservations(3);
    expect(await perch.end()).toBe(0);
    await expectNothingLost();
  });

  it("of ffmpeg: the camera is live again and nothing committed is lost", async () => {
    perch = new PerchProcess({
      ...cell(),
      feeds: [
        {
          id: "camera",
          kind: "camera",
          source: `file:${cellVideo(6).file}`,
          loop: true,
          fps: 5,
          gate: { kind: "interval", interval: "200ms" },
        },
      ],
      watches: [{ ...SCENE_WATCH, rules: [{ id: "always", when: "display >= 0" }] }],
    });
    perch.start();
    await moreObservations(3);
    const [ffmpeg] = perch.children("ffmpeg");
    expect(ffmpeg).toBeDefined();
    process.kill(ffmpeg as number, "SIGKILL");
    await until(() => perch.children("ffmpeg").some((pid) => pid !== ffmpeg));
    await moreObservations(3);
    expect(await perch.end()).toBe(0);
    await expectNothingLost();
  });

  it("of the broker: what was recorded meanwhile is published when it is back", async () => {
    perch = new PerchProcess(cell());
    perch.start();
    await moreObservations(3);
    await broker.kill("SIGKILL");
    const before = committed().observations.length;
    await until(() => committed().observations.length >= before + 4);
    expect(committed().waiting).toBeGreaterThan(0);
    await broker.restart();
    await moreObservations(4);
    expect(await perch.end()).toBe(0);
    await expectNothingLost();
  });

  it("of the service: what it had committed is published by the next one, with the same ids", async () => {
    perch = new PerchProcess(cell());
    perch.start();
    await moreObservations(3);
    for (let time = 0; time < 3; time += 1) {
      await broker.kill("SIGKILL");
      const before = committed().observations.length;
      await until(() => committed().observations.length >= before + 2);
      await perch.end("SIGKILL");
      await until(() => perch.children("llama-server").length === 0);
      expect(committed().waiting).toBeGreaterThan(0);
      await broker.restart();
      perch.start();
      await moreObservations(3);
    }
    expect(await perch.end()).toBe(0);
    await expectNothingLost();
  });
});
