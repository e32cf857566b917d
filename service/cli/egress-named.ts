import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { Config } from "../contract/config.ts";
import { systemCode } from "../kernel/errors.ts";
import type { Held } from "./egress-processes.ts";
import type { End } from "./egress-sockets.ts";

/** Ports that a URL without one means. */
const USUAL: Record<string, number> = {
  ...{ "http:": 80, "https:": 443, "mqtt:": 1883, "mqtts:": 8883 },
  ...{ "ws:": 80, "wss:": 443, "rtsp:": 554, "rtsps:": 322 },
};
/** Ports from the configured one on that the embedded broker tries. */
const BROKER_PORTS = 20;
const DNS = 53;

/** Somewhere that the configuration lets the service connect to. */
interface Place {
  readonly what: string;
  readonly addresses: readonly string[];
  readonly port: number;
}

interface Door {
  readonly what: string;
  readonly host: string;
  readonly fits: (port: number) => boolean;
}

/** What a configuration lets be open. */
export class Named {
  private constructor(
    private readonly doors: readonly Door[],
    private readonly places: readonly Place[],
    /** Whether a name has to be looked up, which asks a server. */
    private readonly lookups: boolean,
    /** Whether a camera sends by UDP, to any port of its ffmpeg. */
    private readonly udp: boolean,
  ) {}

  /** Looks up the names that stand in the configuration, as the service does. */
  static async of(config: Config): Promise<Named> {
    const urls = urlsOf(config);
    const places = await Promise.all(
      urls.map(async ({ what, url }) => ({
        ...{ what, addresses: await addressesOf(url.hostname) },
        port: url.port === "" ? (USUAL[url.protocol] ?? 0) : Number(url.port),
      })),
    );
    const lookups = urls.some(({ url }) => isIP(bare(url.hostname)) === 0 && url.hostname !== "localhost");
    const udp = config.feeds.some(
      ({ source, transport }) => source.startsWith("rtsp") && transport === "udp",
    );
    return new Named(doorsOf(config), places, lookups, udp);
  }

  /** What in the configuration a socket of the service or its children is for; undefined where nothing names it. `all`: every one of them. */
  nameOf({ socket, owners }: Held, all: readonly Held[]): string | undefined {
    const { kind, local, remote, listening, path } = socket;
    if (kind === "unix") return path === undefined ? "within the box" : unixName(path);
    if (kind === "raw" || kind === "packet" || !local) return undefined;
    if (listening)
      return this.doors.find(({ host, fits }) => hostFits(host, local.address) && fits(local.port))?.what;
    if (kind === "udp" && this.udp && owners.every(({ name }) => name === "ffmpeg")) return "feeds by UDP";
    if (!remote) return undefined;
    const own = all.filter((one) => one.socket.listening).flatMap((one) => one.socket.local ?? []);
    if (own.some((door) => isAt(local, door))) return "a client";
    if (own.some((door) => isAt(remote, door))) return "itself";
    if (remote.port === DNS) return this.lookups ? "a name being looked up" : undefined;
    return this.places.find(
      ({ addresses, port }) => port === remote.port && addresses.includes(remote.address),
    )?.what;
  }
}

function doorsOf({ http, mqtt: { broker } }: Config): Door[] {
  const any = (port: number) => port === 0;
  return [
    { what: "http", host: http.host, fits: (port) => any(http.port) || port === http.port },
    ...(broker.kind === "external"
      ? []
      : [
          {
            ...{ what: "embedded broker", host: broker.host },
            fits: (port: number) =>
              any(broker.port) || (port >= broker.port && port < broker.port + BROKER_PORTS),
          },
        ]),
  ];
}

function urlsOf({ mqtt: { broker }, feeds, engine }: Config): { what: string; url: URL }[] {
  const given = [
    ...(broker.kind === "external" ? [{ what: "broker", text: broker.url }] : []),
    ...feeds.map(({ id, source }) => ({ what: `feed ${id}`, text: source })),
    ...(engine.remote?.servers ?? []).map(({ id, url }) => ({ what: `server ${id}`, text: url })),
  ];
  return given.flatMap(({ what, text }) =>
    /^[a-z]+:\/\//.test(text) && URL.canParse(text) ? [{ what, url: new URL(text) }] : [],
  );
}

/** llama-server's socket, in a folder that only the service's user can enter. */
const unixName = (path: string): string | undefined =>
  /\/perch-engine-\d+-\w+\/\d+\.sock$/.test(path) ? "engine" : undefined;

const bare = (host: string): string => host.replace(/^\[(.*)\]$/, "$1");

async function addressesOf(host: string): Promise<string[]> {
  const name = bare(host);
  if (isIP(name) !== 0) return [name];
  try {
    return (await lookup(name, { all: true })).map(({ address }) => address);
  } catch (error) {
    // What has no address now cannot be what a connection goes to.
    if (systemCode(error) !== undefined) return [];
    throw error;
  }
}

const EVERYWHERE = new Set(["0.0.0.0", "::"]);
const hostFits = (host: string, address: string): boolean =>
  host === address || (host === "localhost" && ["127.0.0.1", "::1"].includes(address));

const isAt = ({ address, port }: End, door: End): boolean =>
  port === door.port && (address === door.address || EVERYWHERE.has(door.address));
