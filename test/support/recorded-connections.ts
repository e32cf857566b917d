import { readFileSync } from "node:fs";
import { until } from "./until.ts";

/**
 * What goes before a command so that every attempt of it, and of all that it starts, to reach somebody by a socket is
 * written into a file: strace, which stays out of the way (the command keeps its place as the child, its signals and
 * its exit code).
 */
export const recordingInto = (file: string): readonly string[] => [
  ...["strace", "-D", "-f", "-q", "--seccomp-bpf", "-s", "0", "-e", "signal=none"],
  ...["-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o", file],
];

/**
 * Whom a recorded process and its children tried to reach: "127.0.0.1:8473", "[::1]:53", "/run/x.sock", or the family
 * of another kind of address. Waits until the recording is complete.
 */
export async function recordedPeers(file: string, pid: number): Promise<Set<string>> {
  const over = new RegExp(`^${pid} +\\+\\+\\+ (exited|killed)`, "m");
  await until(() => over.test(readFileSync(file, "utf8")));
  return new Set(readFileSync(file, "utf8").split("\n").flatMap(peersIn));
}

const FAMILY = /sa_family=AF_(\w+)/;
const IPV4 = /sin_port=htons\((\d+)\), sin_addr=inet_addr\("([^"]+)"\)/;
const IPV6 = /sin6_port=htons\((\d+)\),.*inet_pton\(AF_INET6, "([^"]+)"/;
const UNIX = /sun_path=(@?)"([^"]*)"/;

function peersIn(line: string): string[] {
  return line.split(/(?=\{sa_family=)/).flatMap((part) => {
    const family = FAMILY.exec(part)?.[1];
    if (family === undefined) return [];
    const [, port4, ipv4] = IPV4.exec(part) ?? [];
    if (ipv4 !== undefined) return [`${ipv4}:${port4}`];
    const [, port6, ipv6] = IPV6.exec(part) ?? [];
    if (ipv6 !== undefined) return [`[${ipv6}]:${port6}`];
    const [, abstract = "", path] = UNIX.exec(part) ?? [];
    return [path === undefined ? family : `${abstract}${path}`];
  });
}
