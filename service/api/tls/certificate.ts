import { createPublicKey, type KeyObject, randomBytes, sign } from "node:crypto";
import { addressBytes } from "../access/hosts.ts";

const DAY = 86_400_000;
/** Days that a certificate holds: as many as Apple's devices accept. */
export const LIFE = 825;

const OID = {
  ecdsaWithSha256: [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
  commonName: [0x55, 0x04, 0x03],
  keyUsage: [0x55, 0x1d, 0x0f],
  subjectAltName: [0x55, 0x1d, 0x11],
  basicConstraints: [0x55, 0x1d, 0x13],
  extKeyUsage: [0x55, 0x1d, 0x25],
  serverAuth: [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01],
} as const;

/**
 * A certificate for a server, signed with its own key (EC, P-256), as PEM: X.509 v3 (RFC 5280) in DER (X.690).
 * Node has no call for it, and all of it is the few fields below. It is no authority's: who trusts it trusts this
 * box and nothing that the box's key might sign. `hosts` are names and addresses; `now` is epoch ms.
 */
export function selfSigned(key: KeyObject, hosts: readonly string[], now: number): string {
  const algorithm = sequence(oid(OID.ecdsaWithSha256));
  const name = sequence(set(sequence(oid(OID.commonName), utf8("Perch"))));
  const body = sequence(
    tagged(0, integer([2])),
    integer([0x40 | ((randomBytes(1)[0] ?? 0) >> 2), ...randomBytes(15)]),
    algorithm,
    name,
    // A day back: clocks of boxes and of those who ask them differ.
    sequence(time(now - DAY), time(now + LIFE * DAY)),
    name,
    createPublicKey(key).export({ type: "spki", format: "der" }),
    tagged(
      3,
      sequence(
        extension(OID.basicConstraints, true, sequence()),
        // Bit 0, digitalSignature: seven bits of the byte are unused.
        extension(OID.keyUsage, true, der(0x03, Buffer.from([7, 0x80]))),
        extension(OID.extKeyUsage, false, sequence(oid(OID.serverAuth))),
        extension(OID.subjectAltName, false, sequence(...hosts.map(hostName))),
      ),
    ),
  );
  const signature = der(0x03, Buffer.from([0]), sign("sha256", body, key));
  const lines =
    sequence(body, algorithm, signature)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

function der(tag: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const length = Buffer.from(body.length.toString(16).padStart(body.length > 0xff ? 4 : 2, "0"), "hex");
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, body]);
}

const sequence = (...content: readonly Buffer[]) => der(0x30, ...content);
const set = (...content: readonly Buffer[]) => der(0x31, ...content);
const oid = (bytes: readonly number[]) => der(0x06, Buffer.from(bytes));
const integer = (bytes: readonly number[]) => der(0x02, Buffer.from(bytes));
const utf8 = (text: string) => der(0x0c, Buffer.from(text));
const tagged = (number: number, content: Buffer) => der(0xa0 | number, content);

/** UTCTime until 2049, GeneralizedTime from then on, as RFC 5280 has it. */
function time(at: number): Buffer {
  const text = `${new Date(at).toISOString().replace(/[-:T]|\.\d+/g, "")}`;
  return text < "2050" ? der(0x17, Buffer.from(text.slice(2))) : der(0x18, Buffer.from(text));
}

function extension(id: readonly number[], critical: boolean, value: Buffer): Buffer {
  const flag = critical ? [der(0x01, Buffer.from([0xff]))] : [];
  return sequence(oid(id), ...flag, der(0x04, value));
}

/** iPAddress or dNSName. */
function hostName(host: string): Buffer {
  const address = addressBytes(host);
  return address ? der(0x87, Buffer.from(address)) : der(0x82, Buffer.from(host, "ascii"));
}
