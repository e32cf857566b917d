import mqtt, { type IClientOptions, type IConnackPacket, type MqttClient } from "mqtt";
import { BrokerFault, type BrokerName, CODES, faultOf, reasonCode, refusal } from "./broker-fault.ts";
import type { BrokerTarget } from "./broker-target.ts";

/** MQTT 3.1.1 is protocol level 4. */
export type Protocol = 4 | 5;

/** What mqtt.js waits for a CONNACK, ms, TCP and TLS included. */
const CONNECT_TIMEOUT = 15_000;
/** Seconds. */
const KEEPALIVE = 30;
/** Of MQTT 5 where the broker names none; also the number of packet ids there are. */
const MOST_IN_FLIGHT = 65_535;

/** A broker's negative PUBACK; MQTT 3.1.1 has none. */
export interface Refusal {
  readonly code: number;
  readonly reason: string;
}

interface Message {
  readonly topic: string;
  readonly payload: string;
  readonly retain: boolean;
  /** Called once with the broker's answer; never where the connection ended before one came. */
  settled(refusal?: Refusal): void;
}

interface Will {
  readonly topic: string;
  readonly payload: string;
}

/**
 * One connection with an mqtt.js client of its own, which ends with it: nothing is stored for a next
 * connection and nothing is sent twice in this one. Everything is published at QoS 1.
 */
export class BrokerConnection {
  /** Resolves when the connection is over, with why. */
  readonly ended: Promise<BrokerFault>;
  /** Called after an answer made room. */
  onRoom: () => void = () => undefined;
  private conclude: (fault: BrokerFault) => void = () => undefined;
  private over = false;
  private inFlight = 0;
  private readonly waiting: Message[] = [];
  private readonly receiveMaximum: number;
  /** Largest packet that the broker takes, bytes; Infinity where it names none. */
  readonly maximumPacketSize: number;

  constructor(
    private readonly client: MqttClient,
    readonly protocol: Protocol,
    readonly broker: BrokerName,
    connack: IConnackPacket,
  ) {
    this.receiveMaximum = connack.properties?.receiveMaximum ?? MOST_IN_FLIGHT;
    this.maximumPacketSize = connack.properties?.maximumPacketSize ?? Number.POSITIVE_INFINITY;
    this.ended = new Promise((resolve) => {
      this.conclude = resolve;
    });
    client.on("error", (error) => this.lose(faultOf(error, broker)));
    client.on("disconnect", (packet) => this.lose(refusal(packet.reasonCode ?? 0, broker)));
    client.on("close", () =>
      this.lose(new BrokerFault("closed", `the broker at ${broker.at} ended the connection`)),
    );
  }

  /** How many messages the broker's Receive Maximum lets us send now. */
  get room(): number {
    return this.over ? 0 : this.receiveMaximum - this.inFlight - this.waiting.length;
  }

  /** Sends now, or as soon as the broker's Receive Maximum allows it. */
  publish(message: Message): void {
    if (this.over) return;
    if (this.inFlight < this.receiveMaximum) this.send(message);
    else this.waiting.push(message);
  }

  /**
   * Listens to a topic. Retained messages are left out: they were said before, to whoever was there. Calls
   * back with why where the broker does not allow it.
   */
  subscribe(topic: string, onMessage: (payload: Buffer) => void, refused: (why: string) => void): void {
    this.client.on("message", (to, payload, packet) => {
      if (to === topic && !packet.retain && !this.over) onMessage(payload);
    });
    // MQTT 5's retain handling 2: the broker need not send retained ones at all.
    this.client.subscribe(topic, { qos: 1, ...(this.protocol === 5 && { rh: 2 }) }, (error, granted) => {
      if (this.over) return;
      if (error) refused(error.message);
      else if (granted?.some(({ qos }) => qos >= 128)) refused("the broker refuses it");
    });
  }

  /** Ends the connection as a failed one: the broker publishes the last will. */
  lose(fault: BrokerFault): void {
    if (this.over) return;
    this.over = true;
    this.client.end(true);
    this.conclude(fault);
  }

  /** Ends it with a DISCONNECT, so that no last will is published. Resolves when the socket is closed. */
  async close(): Promise<void> {
    if (this.over) return;
    this.over = true;
    // mqtt.js would wait for answers that may never come.
    for (const id of Object.keys(this.client.outgoing)) this.client.removeOutgoingMessage(Number(id));
    await this.client.endAsync(false);
    this.conclude(new BrokerFault("closed", "stopped"));
  }

  /** Cuts the socket where close() takes too long. */
  cut(): void {
    this.client.stream.destroy();
  }

  private send(message: Message): void {
    this.inFlight += 1;
    const { topic, payload, retain } = message;
    this.client.publish(topic, payload, { qos: 1, retain }, (error) => {
      if (this.over) return;
      const code = reasonCode(error);
      // An error without a code is mqtt.js's word for a connection that ends; `ended` tells.
      if (error && code === undefined) return;
      this.inFlight -= 1;
      message.settled(
        code === undefined ? undefined : { code, reason: CODES[code] ?? `reason code ${code}` },
      );
      const next = this.waiting.shift();
      if (next) this.send(next);
      this.onRoom();
    });
  }
}

/** Connects, or throws BrokerFault. An abort ends the try, with a fault. */
export function openConnection(
  target: BrokerTarget,
  protocol: Protocol,
  will: Will,
  signal: AbortSignal,
): Promise<BrokerConnection> {
  const { name, credentials, url } = target;
  const options: IClientOptions = {
    ...credentials,
    clientId: name.clientId,
    protocolVersion: protocol,
    clean: true,
    // We connect again ourselves, with a new client each time.
    reconnectPeriod: 0,
    resubscribe: false,
    connectTimeout: CONNECT_TIMEOUT,
    keepalive: KEEPALIVE,
    will: { ...will, payload: Buffer.from(will.payload), qos: 1, retain: true },
  };
  return new Promise((resolve, reject) => {
    let client: MqttClient;
    try {
      client = mqtt.connect(url, options);
    } catch (error) {
      // TLS reads certificate and key before it connects.
      return reject(faultOf(error, name));
    }
    let done = false;
    const fail = (fault: BrokerFault) => {
      if (done) return;
      done = true;
      signal.removeEventListener("abort", aborted);
      client.end(true);
      reject(fault);
    };
    const failed = (error: unknown) => fail(connectFault(error, protocol, name));
    const aborted = () => fail(new BrokerFault("closed", "stopped"));
    const closed = () =>
      fail(new BrokerFault("closed", `the broker at ${name.at} ended the connection before it answered`));
    client.on("error", failed);
    client.on("close", closed);
    // mqtt.js keeps a websocket's refusal to itself; it is on the stream.
    client.stream.on("error", failed);
    client.once("connect", (connack) => {
      if (done) return;
      done = true;
      signal.removeEventListener("abort", aborted);
      client.off("error", failed);
      client.off("close", closed);
      resolve(new BrokerConnection(client, protocol, name, connack));
    });
    signal.addEventListener("abort", aborted, { once: true });
    if (signal.aborted) aborted();
  });
}

/** A broker of 3.1.1 answers an MQTT 5 CONNECT with a CONNACK that has no properties, which does not parse as one of 5. */
function connectFault(error: unknown, protocol: Protocol, broker: BrokerName): BrokerFault {
  const unreadable =
    protocol === 5 && error instanceof Error && /parse|property|connack flags/i.test(error.message);
  if (unreadable) return refusal(1, broker, error);
  return faultOf(error, broker);
}
