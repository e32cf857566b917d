import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { Delivery } from "../../service/delivery/delivery.ts";
import { EmbeddedBroker } from "../../service/delivery/embedded-broker.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { deliveryTo, rows, start, topicsOf } from "../support/delivery-opened.ts";
import { freePort } from "../support/free-port.ts";
import { hurriedClock } from "../support/hurried-clock.ts";
import { MemoryOutbox } from "../support/memory-outbox.ts";
import { Mosquitto, Subscriber } from "../support/mosquitto.ts";
import { until } from "../support/until.ts";

const clock = hurriedClock(20);
const opened: { end(): Promise<unknown> }[] = [];
const broker = async (options: Parameters<typeof Mosquitto.start>[0]) => {
  const mosquitto = await Mosquitto.start(options);
  opened.push({ end: () => mosquitto.dispose() });
  return mosquitto;
};
const to = async (target: Parameters<typeof deliveryTo>[0], outbox = new MemoryOutbox()) => {
  const { delivery } = deliveryTo(target, outbox);
  opened.push({ end: () => delivery.stop() });
  await start(delivery);
  return { delivery, outbox };
};
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.end();
});

describe("a password", () => {
  it("that is wrong degrades, is not repeated in words, and counts again once it is right", async () => {
    const mosquitto = await broker({ users: { ward: "the right one" } });
    const { delivery, outbox } = await to({ url: mosquitto.url, user: "ward", password: "another one" });
    outbox.appendAll(rows(10));
    expect(delivery.health()).toMatchObject({
      state: "degraded",
      reason: `the broker at 127.0.0.1:${mosquitto.port} refused user ward: check mqtt.broker.user and password`,
    });
    expect(JSON.stringify(delivery.health())).not.toContain("another one");
    mosquitto.configure({ users: { ward: "another one" } });
    await mosquitto.restart();
    await until(() => outbox.pending() === 0);
    expect(delivery.health().state).toBe("ok");
  });

  it("that is missing is named as such where the broker asks for a user", async () => {
    const mosquitto = await broker({ users: { ward: "secret" } });
    const { delivery } = await to({ url: mosquitto.url });
    expect(delivery.health().reason).toContain("refused a connection without a user");
  });
});

describe("TLS", () => {
  const tls = (mosquitto: Mosquitto, more = {}) => ({
    url: `mqtts://localhost:${mosquitto.tlsPort}`,
    ca: mosquitto.file("ca.pem"),
    ...more,
  });
  const own = (mosquitto: Mosquitto) => ({
    certificate: mosquitto.file("client.pem"),
    key: mosquitto.file("client.key"),
  });

  it("carries messages to a broker that asks for a client certificate", async () => {
    const mosquitto = await broker({ tls: "client" });
    const { delivery, outbox } = await to(tls(mosquitto, own(mosquitto)));
    outbox.appendAll(rows(100));
    await until(() => outbox.pending() === 0);
    expect(delivery.health()).toMatchObject({
      state: "ok",
      detail: { broker: `localhost:${mosquitto.tlsPort}` },
    });
  });

  it("without the authority says which key of the config to set", async () => {
    const mosquitto = await broker({ tls: "server" });
    const { delivery } = await to({ url: `mqtts://localhost:${mosquitto.tlsPort}` });
    expect(delivery.health().state).toBe("degraded");
    expect(delivery.health().reason).toContain("name its PEM file in mqtt.broker.ca");
  });

  it("with a certificate made out to another name says so", async () => {
    const mosquitto = await broker({ tls: "server" });
    const { delivery } = await to(tls(mosquitto, { url: `mqtts://127.0.0.1:${mosquitto.tlsPort}` }));
    expect(delivery.health().reason).toContain("made out to another name");
  });

  it("on a port that does not speak it says so", async () => {
    const mosquitto = await broker({ tls: "server" });
    const { delivery } = await to(tls(mosquitto, { url: `mqtts://127.0.0.1:${mosquitto.port}` }));
    expect(delivery.health().state).toBe("degraded");
    expect(delivery.health().reason).toMatch(/TLS|ended the connection/);
  });

  it("is refused without a client certificate where the broker asks for one", async () => {
    const mosquitto = await broker({ tls: "client" });
    const { delivery } = await to(tls(mosquitto));
    await until(() => delivery.health().state === "degraded");
    expect(delivery.health().reason).toMatch(/client certificate|ended the connection/);
  });

  it("names a missing file, and connects once it is there", async () => {
    const mosquitto = await broker({ tls: "server" });
    const path = mosquitto.file("later.pem");
    const { delivery } = await to(tls(mosquitto, { ca: path }));
    expect(delivery.health().reason).toBe(`mqtt.broker.ca: the file ${path} is missing`);
    writeFileSync(path, "not a certificate");
    await until(() => delivery.health().reason?.includes("is missing") === false);
    writeFileSync(path, readFileSync(mosquitto.file("ca.pem")));
    await until(() => delivery.health().state === "ok");
  });

  it("names a key that does not belong to the certificate", async () => {
    const mosquitto = await broker({ tls: "client" });
    const wrong = { ...own(mosquitto), key: mosquitto.file("server.key") };
    const { delivery } = await to(tls(mosquitto, wrong));
    expect(delivery.health().reason).toContain("key and certificate do not belong together");
  });
});

describe("websockets", () => {
  it("carry messages", async () => {
    const mosquitto = await broker({ websockets: true });
    const { delivery, outbox } = await to({ url: `ws://127.0.0.1:${mosquitto.websocketPort}/mqtt` });
    outbox.appendAll(rows(100));
    await until(() => outbox.pending() === 0);
    expect(delivery.health().state).toBe("ok");
  });
});

describe("a broker that cannot be reached", () => {
  it("is named, whether its name is unknown or its port speaks something else", async () => {
    const { delivery } = await to({ url: "mqtt://no-such-host.invalid" });
    expect(delivery.health().state).toBe("degraded");
    expect(delivery.health().reason).toContain("no-such-host.invalid:1883 cannot be looked up");
  });

  it("gets one connection at a time and, cut before its answer, also MQTT 3.1.1", async () => {
    const levels: number[] = [];
    const server = createServer((socket) => {
      socket.on("error", () => undefined);
      // The protocol level stands at the ninth byte of a CONNECT whose length takes one byte.
      socket.once("data", (bytes) => {
        levels.push(bytes.readUInt8(bytes.indexOf("MQTT") + 4));
        socket.destroy();
      });
    });
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    opened.push({ end: async () => server.close() });
    const { delivery } = await to({ url: `mqtt://127.0.0.1:${port}` });
    await until(() => levels.length >= 4);
    expect(levels.slice(0, 4)).toEqual([5, 5, 4, 5]);
    expect(delivery.health().reason).toContain("ended the connection");
  });
});

describe("another box with the same node name", () => {
  it("is reported instead of fought over the connection", async () => {
    const mosquitto = await broker({});
    const { delivery: first } = await to({ url: mosquitto.url });
    const { delivery: second } = await to({ url: mosquitto.url });
    const told = (delivery: Delivery) =>
      delivery.health().reason?.includes("another box with the node name n1") === true;
    await until(() => told(first) || told(second));
  });
});

describe("the embedded broker", () => {
  const embedded = async (port: number) => {
    const one = new EmbeddedBroker({
      config: { kind: "embedded", host: "127.0.0.1", port },
      clock,
      logger: silentLogger,
    });
    opened.push({ end: () => one.stop() });
    await one.start(new AbortController().signal);
    return one;
  };
  const deliveryInto = (one: EmbeddedBroker, outbox: MemoryOutbox) =>
    new Delivery({
      node: "n1",
      version: "1.2.3",
      config: {
        broker: { kind: "embedded", host: "127.0.0.1", port: 0 },
        prefix: "perch",
        window: 500,
        commands: false,
      },
      url: () => one.url(),
      outbox,
      clock,
      logger: silentLogger,
      metrics: new Metrics(),
    });

  it("gets everything in MQTT 3.1.1, in order and once", async () => {
    const one = await embedded(0);
    const outbox = new MemoryOutbox();
    const expected = topicsOf(outbox.appendAll(rows(1000)));
    const reader = await Subscriber.connect(one.url() ?? "", "perch/n1/event/#");
    opened.push(reader);
    const delivery = deliveryInto(one, outbox);
    opened.push({ end: () => delivery.stop() });
    await start(delivery);
    expect(delivery.health()).toMatchObject({ state: "ok", detail: { protocol: "MQTT 3.1.1" } });
    await until(() => outbox.pending() === 0 && reader.received.length >= 1000);
    expect(topicsOf(reader.received)).toEqual(expected);
  });

  it("takes the next port where the configured one is taken", async () => {
    const first = await embedded(await freePort());
    const port = Number(new URL(first.url() ?? "").port);
    const second = await embedded(port);
    const other = Number(new URL(second.url() ?? "").port);
    expect(other).toBeGreaterThan(port);
    expect(second.health()).toMatchObject({ state: "ok", detail: { port: other } });
  });

  it("ends its clients' connections when it stops, and delivery then says that it is not up", async () => {
    const one = await embedded(0);
    const delivery = deliveryInto(one, new MemoryOutbox());
    opened.push({ end: () => delivery.stop() });
    await start(delivery);
    await one.stop();
    await until(() => delivery.health().reason === "the embedded broker is not up");
  });

  it("does not keep a message for a client that is away, nor take one that is too large", async () => {
    const one = await embedded(0);
    const outbox = new MemoryOutbox();
    outbox.append("perch/n1/event/w/large", "x".repeat(1_200_000));
    outbox.appendAll(rows(5));
    const delivery = deliveryInto(one, outbox);
    opened.push({ end: () => delivery.stop() });
    await start(delivery);
    await until(() => outbox.pending() === 1);
    expect(delivery.health().reason).toContain(
      "message 1 on perch/n1/event/w/large: the broker ends the connection",
    );
  });
});
