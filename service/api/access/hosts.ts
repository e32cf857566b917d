import { isIP, isIPv4, isIPv6 } from "node:net";

/** Whether an address to listen on can be reached from this box alone. */
export const isLoopback = (host: string): boolean => /^(localhost|127(\.\d{1,3}){3}|::1)$/i.test(host);

const LOOPBACK = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;

/**
 * Why a request's Host header is refused; undefined where it is right. A page of the web may have its own name point
 * to this box: a browser then asks under that name. An address in place of a name cannot be turned about like that.
 */
export function hostFault(host: string, lan: boolean, names: readonly string[]): string | undefined {
  if (LOOPBACK.test(host)) return undefined;
  if (!lan) return "ask for localhost or 127.0.0.1";
  const name = host.replace(/:\d+$/, "").replace(/\.$/, "").toLowerCase();
  if (isIP(name.replace(/^\[(.*)\]$/, "$1")) !== 0) return undefined;
  if (names.some((known) => known.toLowerCase() === name)) return undefined;
  return "ask for this box's address, or for one of the names under http.names of its configuration";
}

/** The bytes of an IPv4 or IPv6 address, 4 or 16; undefined where the text is none. */
export function addressBytes(address: string): number[] | undefined {
  if (isIPv4(address)) return address.split(".").map(Number);
  if (!isIPv6(address)) return undefined;
  const [head = "", tail] = address
    .replace(/%.*$/, "")
    .replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...bytes: string[]) => {
      const [a = 0, b = 0, c = 0, d = 0] = bytes.slice(0, 4).map(Number);
      return `${(256 * a + b).toString(16)}:${(256 * c + d).toString(16)}`;
    })
    .split("::");
  const groups = (text: string) =>
    text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
  const [before, after] = [groups(head), groups(tail ?? "")];
  const zeros = Array<number>(8 - before.length - after.length).fill(0);
  return [...before, ...zeros, ...after].flatMap((group) => [group >> 8, group & 0xff]);
}
