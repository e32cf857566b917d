import { isIP } from "node:net";

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
