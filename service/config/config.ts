import { isIP } from "node:net";
import { resolve } from "node:path";
import { simSourceFaults } from "../../device/simulator/sim-script.ts";
import { isLoopback } from "../api/access/hosts.ts";
import { Config } from "../contract/config.ts";
import type { Feed } from "../contract/config-feeds.ts";
import { type Issue, type Path, readForBoth } from "../kernel/config-file.ts";
import { remoteIssues } from "./remote.ts";
import { duplicates, watchChecks } from "./watch-checks.ts";

/**
 * The configuration in a file: defaults filled in, secrets read, all of it checked; durations in ms, sizes
 * in bytes, paths absolute. Throws ConfigError with every error at once; a missing secret is one,
 * unless somebody listens for it.
 */
export function loadConfig(file: string, onMissingSecret?: (problem: string) => void): Config {
  return loadForBoth(file, onMissingSecret).config;
}

/** The same, with what of the file may be shown to people: no secrets, references as they are written. */
export function loadForBoth(
  file: string,
  onMissingSecret?: (problem: string) => void,
): { readonly config: Config; readonly shown: object } {
  const { value, shown } = readForBoth<Config>(Config, file, crossChecks, onMissingSecret);
  const config = {
    ...value,
    data: resolve(value.data),
    ...(value.models !== undefined && { models: resolve(value.models) }),
  };
  return { config, shown };
}

/** What no schema can say: names that have to exist and be unique, sources, conditions. */
function crossChecks(config: Config): Issue[] {
  return [
    ...httpIssues(config),
    ...remoteIssues(config),
    ...recordIssues(config),
    ...feedIssues(config),
    ...watchIssues(config),
  ];
}

function recordIssues({ record: { backups } }: Config): Issue[] {
  if (backups.every === 0 || backups.every >= SHORTEST_BACKUPS) return [];
  return [{ path: ["record", "backups", "every"], message: "must be 1h or longer, or 0s for no backups" }];
}

/** Ms between two backups. */
const SHORTEST_BACKUPS = 3_600_000;

function httpIssues({ http: { host, tls } }: Config): Issue[] {
  const path = ["http", "host"];
  if (isLoopback(host)) return [];
  if (isIP(host) === 0)
    return [{ path, message: "must be an address of this box, 0.0.0.0 for all of them, or 127.0.0.1" }];
  if (tls !== undefined) return [];
  const message =
    "other machines could reach this, and tokens would cross the network in the clear: add http.tls: self-signed, or { certificate, key }, or leave it at 127.0.0.1";
  return [{ path, message }];
}

function feedIssues({ feeds }: Config): Issue[] {
  return [
    ...duplicates(feeds, ["feeds"]),
    ...feeds.flatMap((feed, index) => [
      ...sourceIssues(feed, ["feeds", index]),
      ...timingIssues(feed.gate, ["feeds", index, "gate"]),
    ]),
  ];
}

function sourceIssues({ source, user, password }: Feed, path: Path): Issue[] {
  // Told at the id: the line of the source may show the password.
  const secretive = (message: string): Issue[] => [{ path: [...path, "id"], message }];
  if (/^[a-z]+:\/\/[^/?#]*@/.test(source)) {
    return secretive(
      "the source holds a user or password, which would show in process lists: use the keys user and password",
    );
  }
  if (/^[a-z]+:\/\//.test(source) && !URL.canParse(source)) {
    return secretive(
      "the source is no URL of the form rtsp://HOST:PORT/PATH; users and passwords go under the keys user and password",
    );
  }
  if (source.startsWith("sim:"))
    return simSourceFaults(source).map((message) => ({ path: [...path, "source"], message }));
  if (password === undefined || user !== undefined) return [];
  return [{ path: [...path, "password"], message: "there is a password and no user: add the key user" }];
}

/** Longest and shortest clip that the model takes, ms. */
const LONGEST_CLIP = 15_000;
const SHORTEST_CLIP = 100;

/** Of a microphone's gate: whether its times allow clips, and such as the model takes. */
function timingIssues(gate: Feed["gate"], path: Path): Issue[] {
  if ("length" in gate) {
    return gate.length > LONGEST_CLIP || gate.length < SHORTEST_CLIP
      ? [{ path: [...path, "length"], message: "must be from 100ms to 15s" }]
      : [];
  }
  if (!("maximum" in gate)) return [];
  if (gate.maximum > LONGEST_CLIP)
    return [{ path: [...path, "maximum"], message: "must be 15s at most: the model hears badly beyond" }];
  return (["minimum", "preroll", "silence"] as const)
    .filter((key) => gate[key] >= gate.maximum)
    .map((key) => ({
      path: [...path, key],
      message: `must be below the longest clip, maximum: ${gate.maximum}ms`,
    }));
}

function watchIssues(config: Config): Issue[] {
  const check = watchChecks(config);
  return [
    ...duplicates(config.watches, ["watches"]),
    ...config.watches.flatMap((watch, index) => check(watch, ["watches", index])),
  ];
}
