import { messageOf, PerchError, systemCode } from "../kernel/errors.ts";

/**
 * Why there is no connection. `protocol`: the broker does not speak this version of MQTT. `refused`: it
 * answered no. `taken`: another client came with our id. `setup`: a file or key of this box is wrong.
 * `silent`: no acknowledgement came. `closed`: it ended the connection without a word.
 */
export type FaultKind =
  | "unreachable"
  | "protocol"
  | "refused"
  | "taken"
  | "tls"
  | "setup"
  | "silent"
  | "closed";

/** Who was asked, for messages. */
export interface BrokerName {
  /** host:port. */
  readonly at: string;
  readonly user?: string;
  readonly clientId: string;
}

/** Why a connection failed or ended; its message is for the person who runs the box and holds no secret. */
export class BrokerFault extends PerchError {
  readonly kind: FaultKind;

  constructor(kind: FaultKind, message: string, cause?: unknown) {
    super(kind === "refused" || kind === "taken" ? "BROKER_REFUSED" : "BROKER_UNREACHABLE", message, cause);
    this.name = "BrokerFault";
    this.kind = kind;
  }
}

/** A fault from what mqtt.js, a socket or TLS reported. */
export function faultOf(thrown: unknown, broker: BrokerName): BrokerFault {
  if (thrown instanceof BrokerFault) return thrown;
  const number = reasonCode(thrown);
  if (number !== undefined) return refusal(number, broker, thrown);
  const text = systemCode(thrown) ?? "";
  const known = NETWORK[text] ?? TLS[text] ?? tlsAlert(text);
  if (known) return new BrokerFault(known.kind, known.say(broker.at), thrown);
  const message = messageOf(thrown);
  if (message === "connack timeout")
    return new BrokerFault(
      "unreachable",
      `${broker.at} took the connection but does not answer as an MQTT broker`,
      thrown,
    );
  if (message === "Keepalive timeout")
    return new BrokerFault("silent", `the broker at ${broker.at} stopped answering`, thrown);
  return new BrokerFault(
    "unreachable",
    `no connection to the broker at ${broker.at}: ${message || text}`,
    thrown,
  );
}

/** The MQTT reason or return code of an error of mqtt.js, if it carries one. */
export function reasonCode(thrown: unknown): number | undefined {
  const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  return typeof code === "number" ? code : undefined;
}

/** CONNACK and DISCONNECT codes of MQTT 5 (0x80 and up) and return codes of 3.1.1 (1 to 5). */
export function refusal(code: number, { at, user, clientId }: BrokerName, cause?: unknown): BrokerFault {
  if (code === 1 || code === 0x84)
    return new BrokerFault("protocol", `the broker at ${at} does not speak this version of MQTT`, cause);
  if (code === 4 || code === 5 || code === 0x86 || code === 0x87) {
    const who = user === undefined ? "a connection without a user" : `user ${user}`;
    return new BrokerFault(
      "refused",
      `the broker at ${at} refused ${who}: check mqtt.broker.user and password`,
      cause,
    );
  }
  if (code === 0x8e)
    return new BrokerFault(
      "taken",
      `another client connected to ${at} as ${clientId}: do two boxes have the same node name?`,
      cause,
    );
  const why = CODES[code] ?? `reason code 0x${code.toString(16)}`;
  return new BrokerFault("refused", `the broker at ${at} ended or refused the connection: ${why}`, cause);
}

/** Words for the codes that a broker may answer; MQTT 5.0, section 2.4. */
export const CODES: Readonly<Record<number, string>> = {
  2: "it does not take the client id",
  3: "it is not available",
  128: "unspecified error",
  129: "malformed packet",
  130: "protocol error",
  131: "it does not say why",
  133: "it does not take the client id",
  135: "not authorized",
  136: "it is not available",
  137: "it is busy",
  138: "this client is banned",
  139: "it is shutting down",
  141: "it heard nothing for too long",
  144: "it does not take the topic name",
  145: "the packet id is in use",
  147: "too many messages under way",
  149: "packet too large",
  151: "quota exceeded",
  152: "an administrator ended it",
  153: "it does not take the payload format",
  154: "it keeps no retained messages",
  155: "it does not take this QoS",
  156: "use another server",
  157: "the server has moved",
  159: "too many connections at once",
};

interface Words {
  readonly kind: FaultKind;
  say(at: string): string;
}
const words = (kind: FaultKind, say: (at: string) => string): Words => ({ kind, say });

const NETWORK: Readonly<Record<string, Words>> = {
  ECONNREFUSED: words("unreachable", (at) => `nothing listens at ${at}: is the broker running?`),
  ENOTFOUND: words("unreachable", (at) => `the name in ${at} cannot be looked up: check mqtt.broker.url`),
  EAI_AGAIN: words("unreachable", (at) => `the name in ${at} cannot be looked up: no name server answers`),
  EHOSTUNREACH: words("unreachable", (at) => `no way to ${at}: check the network`),
  ENETUNREACH: words("unreachable", (at) => `no way to ${at}: check the network`),
  ETIMEDOUT: words("unreachable", (at) => `${at} does not answer`),
  ECONNRESET: words("closed", (at) => `the broker at ${at} ended the connection`),
  EPIPE: words("closed", (at) => `the broker at ${at} ended the connection`),
};

const unknownAuthority = words(
  "tls",
  (at) =>
    `the certificate of ${at} is signed by an authority that this box does not know: name its PEM file in mqtt.broker.ca`,
);
const noTls = words("tls", (at) => `${at} does not speak TLS: check the port, or use mqtt:// or ws://`);
const badOwnKey = words(
  "setup",
  () =>
    "mqtt.broker.ca, certificate or key is not a PEM file that can be used, or key and certificate do not belong together",
);
const TLS: Readonly<Record<string, Words>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: unknownAuthority,
  SELF_SIGNED_CERT_IN_CHAIN: unknownAuthority,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: unknownAuthority,
  CERT_SIGNATURE_FAILURE: unknownAuthority,
  CERT_HAS_EXPIRED: words(
    "tls",
    (at) => `the certificate of ${at} has expired (or the clock of this box is wrong)`,
  ),
  CERT_NOT_YET_VALID: words(
    "tls",
    (at) => `the certificate of ${at} is not valid yet: check the clock of this box`,
  ),
  CERT_REVOKED: words("tls", (at) => `the certificate of ${at} was revoked`),
  ERR_TLS_CERT_ALTNAME_INVALID: words(
    "tls",
    (at) =>
      `the certificate of ${at} is made out to another name: use the name that stands in it in mqtt.broker.url`,
  ),
  ERR_SSL_WRONG_VERSION_NUMBER: noTls,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: noTls,
  ERR_OSSL_X509_KEY_VALUES_MISMATCH: badOwnKey,
  ERR_OSSL_PEM_NO_START_LINE: badOwnKey,
  ERR_OSSL_PEM_BAD_END_LINE: badOwnKey,
  ERR_OSSL_UNSUPPORTED: badOwnKey,
};

/** An alert is the broker's word on the certificate that we showed, or did not show. */
function tlsAlert(code: string): Words | undefined {
  if (/^ERR_SSL_.*ALERT.*(CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)/.test(code))
    return words(
      "tls",
      (at) => `${at} refused the client certificate of this box: check mqtt.broker.certificate and key`,
    );
  if (/^ERR_SSL_/.test(code)) return words("tls", (at) => `no TLS connection with ${at} (${code})`);
  if (/^ERR_OSSL_/.test(code)) return badOwnKey;
  return undefined;
}
