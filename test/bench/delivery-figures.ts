import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import mqtt from "mqtt";
import { Delivery } from "../../service/delivery/delivery.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { Record } from "../../service/record/record.ts";
import { Mosquitto } from "../support/mosquitto.ts";
import { entry, event, observation } from "../support/record-entries.ts";
import type { Figure } from "./figure.ts";

const ROWS = 20_000;
const ROUNDS = 5;
const WINDOW = 500;
/** The least share of the speed of mqtt.js alone. */
const GOAL = 0.5;
const LONE = 300;
const WRITERS = 256;
const SUSTAINED_MS = 10_000;
const SUSTAINED_GOAL = 5_000;
const OBSERVATION_TOPIC = "perch/bench/observation/watch";
const TOPIC = "perch/bench/event/watch/rule";
/** About what an event with its answer comes to: 600 bytes. */
const PAYLOAD = JSON.stringify({ id: "019a488f-4b15-7a01-8c55-6b8a1f0c9d33", answer: "x".repeat(540) });

/**
 * A backlog in a real record goes to a local mosquitto at QoS 1, until the outbox is durably empty; and
 * mqtt.js alone sends the same messages from memory with a window of the same size. Both in turn.
 */
export async function deliveryFigures(): Promise<Figure[]> {
  const mosquitto = await Mosquitto.start({ lines: ["max_inflight_messages 0"] });
  try {
    const ours: number[] = [];
    const bare: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      bare.push(await bareRate(mosquitto.url));
      ours.push(await deliveryRate(mosquitto.url));
    }
    const ratio = median(ours.map((rate, round) => rate / (bare[round] ?? Number.NaN)));
    const sustained = await sustainedRate(mosquitto.url);
    const lone = await loneTimes(mosquitto.url);
    return [
      {
        name: "events committed and acknowledged, sustained",
        value: sustained,
        unit: "1/s",
        goal: SUSTAINED_GOAL,
        ok: sustained >= SUSTAINED_GOAL,
      },
      {
        name: "backlog through delivery",
        value: Math.round(median(ours)),
        unit: "1/s",
        goal: null,
        ok: true,
      },
      {
        name: "backlog through mqtt.js alone",
        value: Math.round(median(bare)),
        unit: "1/s",
        goal: null,
        ok: true,
      },
      {
        name: "delivery against mqtt.js alone",
        value: rounded(ratio),
        unit: "ratio",
        goal: GOAL,
        ok: ratio >= GOAL,
      },
      {
        name: "commit to PUBACK of a lone event, p50",
        value: share(lone, 0.5),
        unit: "ms",
        goal: null,
        ok: true,
      },
      {
        name: "commit to PUBACK of a lone event, p99",
        value: share(lone, 0.99),
        unit: "ms",
        goal: null,
        ok: true,
      },
    ];
  } finally {
    await mosquitto.dispose();
  }
}

/** Messages a second with mqtt.js and nothing else, connecting included. */
async function bareRate(url: string): Promise<number> {
  const begun = performance.now();
  const client = await mqtt.connectAsync(url, { protocolVersion: 5, reconnectPeriod: 0 });
  await new Promise<void>((resolve, reject) => {
    let sent = 0;
    let acknowledged = 0;
    const next = () => {
      sent += 1;
      client.publish(TOPIC, PAYLOAD, { qos: 1 }, (error) => {
        if (error) return reject(error);
        acknowledged += 1;
        if (sent < ROWS) next();
        else if (acknowledged === ROWS) resolve();
      });
    };
    while (sent < WINDOW) next();
  });
  const rate = perSecond(ROWS, begun);
  await client.endAsync();
  return rate;
}

/** Messages a second from a full record to an empty one, connecting included. */
async function deliveryRate(url: string): Promise<number> {
  return await withDelivery(url, async (record, delivery) => {
    const message = { topic: TOPIC, payload: PAYLOAD };
    for (let filled = 0; filled < ROWS; filled += 1000)
      await record.write({ events: [], messages: Array.from({ length: 1000 }, () => message) });
    const begun = performance.now();
    await delivery.start(new AbortController().signal);
    while (record.outbox.pending() > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    return perSecond(ROWS, begun);
  });
}

/**
 * Events a second that are committed (each with its observation, one event and two messages) while they are
 * published, until the last is acknowledged and out of the durable outbox.
 */
async function sustainedRate(url: string): Promise<number> {
  return await withDelivery(url, async (record, delivery) => {
    await delivery.start(new AbortController().signal);
    const begun = performance.now();
    let written = 0;
    const writers = Array.from({ length: WRITERS }, async (_, writer) => {
      for (let number = 0; performance.now() - begun < SUSTAINED_MS; number += 1) {
        const name = `${writer}-${number}`;
        const messages = [
          { topic: OBSERVATION_TOPIC, payload: PAYLOAD },
          { topic: TOPIC, payload: PAYLOAD },
        ];
        const whole = entry(
          observation(`sustained-${name}`, {}, Date.now()),
          event(`event-${name}`, {}, Date.now()),
        );
        await record.write({ ...whole, messages });
        written += 1;
      }
    });
    await Promise.all(writers);
    while (record.outbox.pending() > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    return perSecond(written, begun);
  });
}

/** Ms from a lone commit to its PUBACK, sorted. */
async function loneTimes(url: string): Promise<number[]> {
  return await withDelivery(url, async (record, delivery, metrics) => {
    await delivery.start(new AbortController().signal);
    const times: number[] = [];
    metrics.observeStage = (stage, ms) => {
      if (stage === "commit_to_ack") times.push(ms);
    };
    for (let number = 0; number < LONE; number += 1) {
      await record.write({ events: [], messages: [{ topic: TOPIC, payload: PAYLOAD }] });
      while (times.length <= number) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return times.sort((a, b) => a - b);
  });
}

async function withDelivery<T>(
  url: string,
  work: (record: Record, delivery: Delivery, metrics: Metrics) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "perch-bench-delivery-"));
  const metrics = new Metrics();
  const common = { clock: systemClock, logger: silentLogger, metrics };
  const record = new Record({ folder, config: { thumbnail: 0, age: 86_400_000, bytes: 1e9 }, ...common });
  const config = {
    broker: { kind: "external", url },
    prefix: "perch",
    window: WINDOW,
    commands: false,
  } as const;
  const { outbox } = record;
  const delivery = new Delivery({
    node: "bench",
    version: "0",
    config,
    url: () => undefined,
    outbox,
    ...common,
  });
  await record.start();
  try {
    return await work(record, delivery, metrics);
  } finally {
    await delivery.stop();
    await record.stop();
    await rm(folder, { recursive: true });
  }
}

const perSecond = (count: number, begun: number) => (count / (performance.now() - begun)) * 1000;
const rounded = (value: number) => Math.round(value * 1000) / 1000;
const median = (values: readonly number[]) =>
  share(
    [...values].sort((a, b) => a - b),
    0.5,
  );

function share(sorted: readonly number[], part: number): number {
  return rounded(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN);
}
