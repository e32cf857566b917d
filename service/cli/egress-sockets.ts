/** One end of a connection, as numbers: `10.0.0.9` or `fe80::1`, and a port. */
export interface End {
  readonly address: string;
  readonly port: number;
}

export interface OpenSocket {
  readonly kind: "tcp" | "udp" | "unix" | "raw" | "packet";
  readonly inode: number;
  /** Of a network socket. */
  readonly local?: End;
  /** Undefined where it is connected to nobody. */
  readonly remote?: End;
  readonly listening: boolean;
  /** Of a unix socket that has a name; abstract ones begin with @. */
  readonly path?: string;
}

/** The files of /proc/PID/net that are read. */
export const TABLES = ["tcp", "tcp6", "udp", "udp6", "raw", "raw6", "packet", "unix"] as const;
export type Table = (typeof TABLES)[number];

const LISTEN = "0A";
/** __SO_ACCEPTCON of a unix socket's flags. */
const ACCEPTS = 0x10000;

/** The sockets in a file of /proc/net (proc_pid_net(5)). Lines that cannot be read are left out. */
export function parseTable(table: Table, text: string): OpenSocket[] {
  const lines = text.split("\n").slice(1);
  if (table === "unix") return lines.flatMap(unixSocket);
  if (table === "packet") return lines.flatMap(packetSocket);
  const kind = table.replace("6", "") as "tcp" | "udp" | "raw";
  return lines.flatMap((line) => netSocket(kind, line));
}

function netSocket(kind: "tcp" | "udp" | "raw", line: string): OpenSocket[] {
  const [, local, remote, state, , , , , , inode] = line.trim().split(/\s+/);
  const [near, far] = [endOf(local), endOf(remote)];
  if (!near || !far || inode === undefined) return [];
  const connected = far.port !== 0 || !/^(0\.0\.0\.0|::)$/.test(far.address);
  return [
    {
      ...{ kind, inode: Number(inode), local: near, listening: kind === "tcp" && state === LISTEN },
      ...(connected && { remote: far }),
    },
  ];
}

function unixSocket(line: string): OpenSocket[] {
  const [, flags, inode, path] = /^\S+: \S+ \S+ (\S+) \S+ \S+ +(\d+)(?: (.*))?$/.exec(line) ?? [];
  if (flags === undefined || inode === undefined) return [];
  const listening = (Number.parseInt(flags, 16) & ACCEPTS) !== 0;
  return [{ kind: "unix", inode: Number(inode), listening, ...(path !== undefined && { path }) }];
}

function packetSocket(line: string): OpenSocket[] {
  const inode = line.trim().split(/\s+/)[8];
  return inode === undefined ? [] : [{ kind: "packet", inode: Number(inode), listening: false }];
}

/** "0100007F:1F90": the words of the address in the processor's order, which is little-endian here, and the port. */
function endOf(text = ""): End | undefined {
  const [, words, port] = /^((?:[0-9A-F]{8}){1,4}):([0-9A-F]{4})$/.exec(text) ?? [];
  if (words === undefined || port === undefined) return undefined;
  const bytes = (words.match(/.{8}/g) ?? []).flatMap((word) => [...Buffer.from(word, "hex")].reverse());
  const address = bytes.length === 4 ? bytes.join(".") : groupsOf(bytes);
  return { address, port: Number.parseInt(port, 16) };
}

/** An IPv6 address as text; one that holds an IPv4 address is that one. */
function groupsOf(bytes: readonly number[]): string {
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255;
  if (mapped) return bytes.slice(12).join(".");
  const groups = Array.from({ length: 8 }, (_, n) =>
    (((bytes[2 * n] ?? 0) << 8) | (bytes[2 * n + 1] ?? 0)).toString(16),
  );
  // As URLs write it: the longest run of zeros is left out.
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}
