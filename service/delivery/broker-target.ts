import { readFileSync } from "node:fs";
import type { IClientOptions } from "mqtt";
import type { ExternalBroker, MqttConfig } from "../contract/config.ts";
import { messageOf, systemCode } from "../kernel/errors.ts";
import { BrokerFault, type BrokerName } from "./broker-fault.ts";

/** Where to connect and with what, as it is at this moment. */
export interface BrokerTarget {
  readonly url: string;
  readonly name: BrokerName;
  /** User, password, authority, certificate and key for mqtt.js. */
  readonly credentials: IClientOptions;
}

/**
 * The broker of the config. Files are read at every call, so that a renewed certificate counts from the
 * next connection on. Throws BrokerFault where the embedded broker has no port yet or a file is missing.
 */
export function brokerTarget(
  broker: MqttConfig["broker"],
  clientId: string,
  embeddedUrl: () => string | undefined,
): BrokerTarget {
  if (broker.kind === "external") {
    const name = {
      at: hostOf(broker.url),
      clientId,
      ...(broker.user === undefined ? {} : { user: broker.user }),
    };
    return { url: broker.url, name, credentials: credentialsOf(broker) };
  }
  const url = embeddedUrl();
  if (url === undefined) throw new BrokerFault("unreachable", "the embedded broker is not up");
  return { url, name: { at: hostOf(url), clientId }, credentials: {} };
}

function credentialsOf(broker: ExternalBroker): IClientOptions {
  const credentials: IClientOptions = {};
  if (broker.user !== undefined) credentials.username = broker.user;
  if (broker.password !== undefined) credentials.password = broker.password;
  // mqtt.js would turn mqtt:// into mqtts:// where it is given a certificate; the URL alone decides.
  if (!/^(mqtts|wss):/.test(broker.url)) return credentials;
  if (broker.ca !== undefined) credentials.ca = read(broker.ca, "ca");
  if (broker.certificate !== undefined) credentials.cert = read(broker.certificate, "certificate");
  if (broker.key !== undefined) credentials.key = read(broker.key, "key");
  return credentials;
}

function read(path: string, key: "ca" | "certificate" | "key"): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const why = systemCode(error) === "ENOENT" ? "is missing" : `cannot be read (${messageOf(error)})`;
    throw new BrokerFault("setup", `mqtt.broker.${key}: the file ${path} ${why}`, error);
  }
}

const PORTS: Readonly<Record<string, string>> = {
  "mqtt:": "1883",
  "mqtts:": "8883",
  "ws:": "80",
  "wss:": "443",
};

function hostOf(url: string): string {
  const { protocol, hostname, port } = new URL(url);
  return `${hostname}:${port || PORTS[protocol]}`;
}
