import { afterEach, describe, expect, it } from "vitest";
import type { Delivery } from "../../service/delivery/delivery.ts";
import { deliveryTo, firsts, rows, start, topicsOf } from "../support/delivery-opened.ts";
import { MemoryOutbox } from "../support/memory-outbox.ts";
import { Mosquitto, Subscriber } from "../support/mosquitto.ts";
import { until } from "../support/until.ts";

const UNLIMITED = ["max_inflight_messages 0", "max_queued_messages 0"];
const LOGGED = [...UNLIMITED, "log_type all"];
/** Without a limit of queued messages mosquitto 2.0.11 ends the connection after it refused a message. */
const REFUSING = ["max_inflight_messages 0", "log_type all"];

const opened: { end(): Promise<unknown> }[] = [];
const broker = async (options: Parameters<typeof Mosquitto.start>[0]) => {
  const mosquitto = await Mosquitto.start(options);
  opened.push({ end: () => mosquitto.dispose() });
  return mosquitto;
};
const started = async (delivery: Delivery) => {
  opened.push({ end: () => delivery.stop() });
  await start(delivery);
};
const subscriber = async (url: string, topic = "perch/#") => {
  const one = await Subscriber.connect(url, topic);
  opened.push(one);
  return one;
};
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.end();
});

describe("a backlog", () => {
  it("comes to a subscriber in order and exactly once, and leaves the outbox empty", async () => {
    const mosquitto = await broker({ lines: UNLIMITED });
    const outbox = new MemoryOutbox();
    const expected = topicsOf(outbox.appendAll(rows(3000)));
    const reader = await subscriber(mosquitto.url, "perch/n1/event/#");
    const { delivery, metrics } = deliveryTo({ url: mosquitto.url }, outbox);
    await started(delivery);
    await until(() => outbox.pending() === 0 && reader.received.length >= 3000);
    expect(topicsOf(reader.received)).toEqual(expected);
    expect(await metrics.total(metrics.published)).toBe(3000);
    expect(await metrics.total(metrics.acknowledged)).toBe(3000);
    expect(delivery.health()).toMatchObject({
      state: "ok",
      detail: { protocol: "MQTT 5", waiting: 0, inFlight: 0 },
    });
  });

  it("grows while it is sent, and the new rows follow the old ones", async () => {
    const mosquitto = await broker({ lines: UNLIMITED });
    const outbox = new MemoryOutbox();
    const reader = await subscriber(mosquitto.url, "perch/n1/event/#");
    await started(deliveryTo({ url: mosquitto.url }, outbox, 7).delivery);
    const all = rows(1200);
    for (let from = 0; from < all.length; from += 100) {
      outbox.appendAll(all.slice(from, from + 100));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => outbox.pending() === 0 && reader.received.length >= 1200);
    expect(topicsOf(reader.received)).toEqual(topicsOf(all));
  });

  it("has never more rows under way than the window, nor than the broker's Receive Maximum", async () => {
    const frozen = async (lines: string[], window: number) => {
      const mosquitto = await broker({ lines });
      const outbox = new MemoryOutbox();
      const { delivery, metrics } = deliveryTo({ url: mosquitto.url }, outbox, window);
      await started(delivery);
      outbox.append("perch/n1/event/w/first", "{}");
      await until(() => outbox.pending() === 0);
      mosquitto.freeze();
      outbox.appendAll(rows(200));
      await until(() => delivery.health().detail?.inFlight !== 0);
      await new Promise((resolve) => setTimeout(resolve, 100));
      const published = (await metrics.total(metrics.published)) - 1;
      mosquitto.thaw();
      await until(() => outbox.pending() === 0);
      return published;
    };
    expect(await frozen(UNLIMITED, 50)).toBe(50);
    expect(await frozen(["max_inflight_messages 20"], 50)).toBe(20);
  });

  it("waits for a broker that is absent at the start and goes out when it comes", async () => {
    const mosquitto = await broker({ lines: LOGGED });
    await mosquitto.kill();
    const outbox = new MemoryOutbox();
    const expected = topicsOf(outbox.appendAll(rows(300)));
    const { delivery } = deliveryTo({ url: mosquitto.url }, outbox);
    await started(delivery);
    expect(delivery.health()).toMatchObject({
      state: "degraded",
      reason: `nothing listens at 127.0.0.1:${mosquitto.port}: is the broker running?`,
    });
    await mosquitto.restart();
    await until(() => outbox.pending() === 0);
    expect(mosquitto.receivedFrom("perch-n1").filter((topic) => topic.includes("row"))).toEqual(expected);
    expect(delivery.health().state).toBe("ok");
  });

  it("loses nothing and keeps its order when the broker is killed again and again while it is sent", async () => {
    const mosquitto = await broker({ lines: LOGGED });
    const outbox = new MemoryOutbox();
    const expected = topicsOf(outbox.appendAll(rows(4000)));
    const { delivery } = deliveryTo({ url: mosquitto.url }, outbox, 100);
    await started(delivery);
    for (const left of [3500, 2500, 1000]) {
      await until(() => outbox.pending() < left);
      await mosquitto.kill("SIGKILL");
      await until(() => delivery.health().state === "degraded");
      await mosquitto.restart();
    }
    await until(() => outbox.pending() === 0);
    await delivery.stop();
    const received = mosquitto.receivedFrom("perch-n1").filter((topic) => topic.includes("row"));
    expect(firsts(received)).toEqual(expected);
    expect([...outbox.released].sort((a, b) => a - b)).toEqual(expected.map((_, index) => index + 1));
    expect(outbox.released.length).toBe(4000);
  });

  it("goes on over a new connection when the broker freezes and acknowledges nothing", async () => {
    const mosquitto = await broker({ lines: LOGGED });
    const outbox = new MemoryOutbox();
    const { delivery } = deliveryTo({ url: mosquitto.url }, outbox, 10);
    await started(delivery);
    mosquitto.freeze();
    const expected = topicsOf(outbox.appendAll(rows(50)));
    await until(() => delivery.health().state === "degraded");
    expect(delivery.health().reason).toContain("did not acknowledge a message within 30 s");
    mosquitto.thaw();
    await until(() => outbox.pending() === 0);
    const received = mosquitto.receivedFrom("perch-n1").filter((topic) => topic.includes("row"));
    expect(firsts(received)).toEqual(expected);
  });
});

describe("what the broker refuses", () => {
  const acl = (...topics: string[]) => [
    "topic write perch/n1/status",
    ...topics.map((topic) => `topic write ${topic}`),
  ];

  it("stays in the outbox and is sent when the broker takes it; other topics go on meanwhile", async () => {
    const mosquitto = await broker({ acl: acl("perch/n1/event/#"), lines: REFUSING });
    const outbox = new MemoryOutbox();
    const { delivery } = deliveryTo({ url: mosquitto.url }, outbox);
    for (const row of rows(20)) {
      outbox.append("perch/n1/observation/w", row.payload);
      outbox.append(row.topic, row.payload);
    }
    await started(delivery);
    await until(() => outbox.released.length === 20);
    expect(outbox.pending()).toBe(20);
    expect(delivery.health().state).toBe("degraded");
    expect(delivery.health().reason).toContain("the broker refuses perch/n1/observation/w: not authorized");
    mosquitto.configure({ acl: acl("perch/n1/event/#", "perch/n1/observation/#"), lines: REFUSING });
    await mosquitto.restart();
    await until(() => outbox.pending() === 0);
    await until(() => delivery.health().state === "ok");
    expect(outbox.released.slice(20)).toEqual([...outbox.released.slice(20)].sort((a, b) => a - b));
  });

  it("is held even where each refusal ends the connection, so that other topics go on", async () => {
    const mosquitto = await broker({ acl: acl("perch/n1/event/#"), lines: LOGGED });
    const outbox = new MemoryOutbox();
    for (const row of rows(5)) {
      outbox.append("perch/n1/observation/w", row.payload);
      outbox.append(row.topic, row.payload);
    }
    await started(deliveryTo({ url: mosquitto.url }, outbox).delivery);
    await until(() => outbox.released.length === 5);
    expect(outbox.pending()).toBe(5);
  });

  it("is tried again with pauses, not in a loop", async () => {
    const mosquitto = await broker({ acl: acl(), lines: REFUSING });
    const outbox = new MemoryOutbox();
    outbox.append("perch/n1/event/w/r", "{}");
    const { delivery, metrics } = deliveryTo({ url: mosquitto.url }, outbox);
    await started(delivery);
    await until(() => delivery.health().state === "degraded");
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await metrics.total(metrics.published)).toBe(1);
    while ((await metrics.total(metrics.published)) < 2)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(outbox.pending()).toBe(1);
  });

  it("is set aside alone where it is larger than the packets that the broker takes", async () => {
    const mosquitto = await broker({ lines: [...UNLIMITED, "max_packet_size 2000"] });
    const outbox = new MemoryOutbox();
    const [small, ...others] = rows(10);
    if (!small) throw new Error("no rows");
    outbox.append("perch/n1/event/w/large", "x".repeat(5000));
    outbox.appendAll([small, ...others]);
    const { delivery } = deliveryTo({ url: mosquitto.url }, outbox);
    await started(delivery);
    await until(() => outbox.pending() === 1);
    expect(delivery.health().state).toBe("degraded");
    expect(delivery.health().reason).toMatch(
      /^message 1 on perch\/n1\/event\/w\/large: its \d+ bytes are more than the 2000/,
    );
  });

  it("does not stop the rest where an outbox row cannot be taken out: it is not sent a second time", async () => {
    const mosquitto = await broker({ lines: LOGGED });
    const outbox = new MemoryOutbox();
    const { delivery } = deliveryTo({ url: mosquitto.url }, outbox);
    await started(delivery);
    const acknowledge = outbox.acknowledge.bind(outbox);
    outbox.acknowledge = () => Promise.reject(new Error("the disk is full"));
    outbox.appendAll(rows(10));
    await until(() => delivery.health().reason?.includes("the disk is full") === true);
    await mosquitto.kill();
    await mosquitto.restart();
    outbox.appendAll(rows(10, 11));
    await until(() => mosquitto.receivedFrom("perch-n1").some((topic) => topic.endsWith("row-20")));
    outbox.acknowledge = acknowledge;
    await until(() => outbox.pending() === 0);
    const received = mosquitto.receivedFrom("perch-n1").filter((topic) => topic.includes("row"));
    expect(received).toEqual(topicsOf(rows(20)));
    expect(delivery.health().state).toBe("ok");
  });
});
