import { isIP } from "node:net";
import { resolve } from "node:path";
import { simSourceFaults } from "../device/simulator/sim-script.ts";
import { isLoopback } from "./api/access-hosts.ts";
import { frameIssues } from "./config-frames.ts";
import { remoteIssues } from "./config-remote.ts";
import { Config } from "./contract/config.ts";
import type { Feed } from "./contract/config-feeds.ts";
import { type Issue, type Path, readConfigFile } from "./kernel/config-file.ts";
import { messageOf } from "./kernel/errors.ts";
import { compileCondition, isFieldName } from "./watch/condition.ts";

/**
 * The configuration in a file: defaults filled in, secrets read, all of it checked; durations in ms, sizes
 * in bytes, paths absolute. Throws ConfigError with every error at once; a missing secret is one,
 * unless somebody listens for it.
 */
export function loadConfig(file: string, onMissingSecret?: (problem: string) => void): Config {
  const config = readConfigFile<Config>(Config, file, crossChecks, onMissingSecret);
  return {
    ...config,
    data: resolve(config.data),
    ...(config.models !== undefined && { models: resolve(config.models) }),
  };
}

/** What no schema can say: names that have to exist and be unique, sources, conditions. */
function crossChecks(config: Config): Issue[] {
  return [
    ...httpIssues(config),
    ...remoteIssues(config),
    ...feedIssues(config),
    ...watchIssues(config),
    ...frameIssues(config),
  ];
}

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

function watchIssues({ feeds, watches }: Config): Issue[] {
  const issues = duplicates(watches, ["watches"]);
  const kinds = new Map(feeds.map((feed) => [feed.id, feed.kind]));
  for (const [index, watch] of watches.entries()) {
    const path = ["watches", index];
    for (const [place, id] of watch.feeds.entries()) {
      if (!kinds.has(id))
        issues.push({
          path: [...path, "feeds", place],
          message: `there is no such feed; feeds: ${[...kinds.keys()].join(", ") || "none"}`,
        });
    }
    const asked = watch.feeds.map((id) => kinds.get(id));
    if (asked.length === 2 && asked[0] !== undefined && asked[0] === asked[1]) {
      issues.push({
        path: [...path, "feeds"],
        message: `a watch joins one camera and one microphone, not two ${asked[0]}s`,
      });
    }
    for (const [name, field] of Object.entries(watch.answer)) {
      if (!isFieldName(name)) {
        issues.push({
          path: [...path, "answer", name],
          atKey: true,
          message: `${name} is a word of the language that conditions are written in (CEL): choose another name`,
        });
      }
      if ("minimum" in field && "maximum" in field && Number(field.minimum) > Number(field.maximum)) {
        issues.push({ path: [...path, "answer", name], message: "minimum is above maximum" });
      }
    }
    issues.push(...duplicates(watch.rules, [...path, "rules"]));
    // A condition over a wrong name only repeats what is said of the name.
    if (!Object.keys(watch.answer).every(isFieldName)) continue;
    for (const [place, rule] of watch.rules.entries()) {
      issues.push(
        ...faultOf(() => compileCondition(rule.when, watch.answer), [...path, "rules", place, "when"]),
      );
    }
  }
  return issues;
}

function duplicates(items: readonly { id: string }[], path: Path): Issue[] {
  return items.flatMap(({ id }, index) =>
    items.findIndex((item) => item.id === id) < index
      ? [{ path: [...path, index, "id"], message: "this id is used above; ids must be unique" }]
      : [],
  );
}

function faultOf(check: () => unknown, path: Path): Issue[] {
  try {
    check();
    return [];
  } catch (error) {
    return [{ path, message: messageOf(error) }];
  }
}
