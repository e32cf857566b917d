import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { Record } from "../../service/record/record.ts";
import { deliveryTo, firsts, rows, start, topicsOf } from "../support/delivery-opened.ts";
import { MemoryOutbox } from "../support/memory-outbox.ts";
import { Mosquitto, Subscriber } from "../support/mosquitto.ts";
import { until } from "../support/until.ts";

const opened: { end(): Promise<unknown> }[] = [];
const broker = async (lines: string[] = []) => {
  const mosquitto = await Mosquitto.start({ lines });
  opened.push({ end: () => mosquitto.dispose() });
  return mosquitto;
};
const subscriber = async (url: string, topic: string) => {
  const one = await Subscriber.connect(url, topic);
  opened.push(one);
  return one;
};
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.end();
});

async function child(folder: string, url: string): Promise<ChildProcess> {
  const script = join(import.meta.dirname, "../support/delivery-child.ts");
  const process_ = spawn(process.execPath, ["--import", "tsx", script, folder, url, "50"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  opened.push({ end: () => kill(process_, "SIGKILL") });
  await new Promise((resolve, reject) => {
    process_.stdout?.once("data", resolve);
    process_.once("exit", reject);
  });
  return process_;
}

async function kill(process_: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (process_.exitCode !== null || process_.signalCode !== null) return;
  const gone = new Promise((resolve) => process_.once("exit", resolve));
  process_.kill(signal);
  await gone;
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "perch-delivery-"));
  opened.push({ end: () => rm(path, { recursive: true, force: true }) });
  return path;
}

/** Writes messages into the record of a data folder, in one commit. */
async function fill(data: string, count: number): Promise<void> {
  const record = new Record({
    folder: data,
    config: { thumbnail: 0, age: 86_400_000, bytes: 1e9 },
    clock: systemClock,
    logger: silentLogger,
    metrics: new Metrics(),
  });
  await record.start();
  await record.write({ events: [], messages: rows(count) });
  await record.stop();
}

const statuses = (reader: Subscriber) =>
  reader.on(/\/status$/).map(({ payload }) => (JSON.parse(payload) as { status: string }).status);

describe("the status of the box", () => {
  it("is offline by the last will when the process is killed, and online when it is back", async () => {
    const mosquitto = await broker();
    const reader = await subscriber(mosquitto.url, "perch/n1/status");
    const data = await folder();
    const first = await child(data, mosquitto.url);
    await until(() => statuses(reader).includes("online"));
    await kill(first, "SIGKILL");
    await until(() => statuses(reader).includes("offline"));
    expect(JSON.parse(reader.received.at(-1)?.payload ?? "")).toEqual({
      status: "offline",
      version: "1.2.3",
      at: null,
    });
    const second = await child(data, mosquitto.url);
    await until(() => statuses(reader).at(-1) === "online");
    await kill(second, "SIGTERM");
    await until(() => statuses(reader).at(-1) === "stopped");
    expect(statuses(reader)).toEqual(["online", "offline", "online", "stopped"]);
  });

  it("is retained: who comes later still learns that it was stopped on purpose", async () => {
    const mosquitto = await broker();
    const { delivery } = deliveryTo({ url: mosquitto.url });
    await start(delivery);
    await delivery.stop();
    expect(delivery.health().state).toBe("stopped");
    const reader = await subscriber(mosquitto.url, "perch/n1/status");
    await until(() => reader.received.length > 0);
    expect(reader.received[0]).toMatchObject({ retained: true });
    expect(statuses(reader)).toEqual(["stopped"]);
  });

  it("is stopped after the backlog that could still be sent", async () => {
    const mosquitto = await broker(["log_type all", "max_inflight_messages 0"]);
    const outbox = new MemoryOutbox();
    const { delivery } = deliveryTo({ url: mosquitto.url }, outbox, 500, systemClock);
    await start(delivery);
    outbox.appendAll(rows(500));
    await delivery.stop();
    const received = mosquitto.receivedFrom("perch-n1");
    expect(outbox.pending()).toBe(0);
    expect(received.at(-1)).toBe("perch/n1/status");
    expect(received.filter((topic) => topic.includes("row")).length).toBe(500);
  });

  it("does not hold up the end of the service where the broker answers nothing", async () => {
    const mosquitto = await broker();
    const outbox = new MemoryOutbox();
    const { delivery } = deliveryTo({ url: mosquitto.url }, outbox);
    await start(delivery);
    mosquitto.freeze();
    outbox.appendAll(rows(100));
    await delivery.stop();
    expect(outbox.pending()).toBe(100);
  });
});

describe("a killed process", () => {
  it("loses no message: another one sends the rest in order, with the same ids", async () => {
    const mosquitto = await broker(["log_type all", "max_inflight_messages 0"]);
    const data = await folder();
    const expected = topicsOf(rows(6000));
    await fill(data, 6000);
    const sent = () => mosquitto.receivedFrom("perch-n1").filter((topic) => topic.includes("row"));
    const first = await child(data, mosquitto.url);
    await until(() => sent().length > 0);
    await kill(first, "SIGKILL");
    const before = sent().length;
    const second = await child(data, mosquitto.url);
    await until(() => sent().includes("perch/n1/event/w/row-6000"));
    await kill(second, "SIGTERM");
    expect(before).toBeLessThan(6000);
    expect(firsts(sent())).toEqual(expected);
  });
});

describe("the state of feeds", () => {
  const state = (feed: string, value: "live" | "stalled" | "offline") =>
    ({ feed, state: value, since: "2026-01-01T00:00:00.000Z" }) as const;

  it("is kept at the broker: the newest of each feed, again on every connection", async () => {
    const mosquitto = await broker();
    const { delivery } = deliveryTo({ url: mosquitto.url });
    opened.push({ end: () => delivery.stop() });
    delivery.feedState(state("door", "offline"));
    delivery.feedState(state("door", "live"));
    delivery.feedState(state("hall", "live"));
    await start(delivery);
    const reader = await subscriber(mosquitto.url, "perch/n1/feed/+/state");
    const newest = () => new Map(reader.received.map(({ topic, payload }) => [topic, JSON.parse(payload)]));
    await until(() => newest().size === 2);
    expect(newest().get("perch/n1/feed/door/state")).toEqual(state("door", "live"));
    delivery.feedState(state("door", "stalled"));
    await until(() => newest().get("perch/n1/feed/door/state")?.state === "stalled");
    // This mosquitto keeps nothing on a disk: after its restart only what is sent again is there.
    await mosquitto.restart();
    delivery.feedState(state("hall", "offline"));
    await until(() => delivery.health().state === "ok");
    const late = await subscriber(mosquitto.url, "perch/n1/feed/+/state");
    await until(() => late.received.length >= 2);
    const kept = late.received
      .map(({ payload }) => JSON.parse(payload))
      .sort((a, b) => (a.feed < b.feed ? -1 : 1));
    expect(kept).toEqual([state("door", "stalled"), state("hall", "offline")]);
  });
});
