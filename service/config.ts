import { dirname, isAbsolute, resolve } from "node:path";
import { parseSimSource } from "../device/simulator/sim-source.ts";
import { Config } from "./contract/config.ts";
import { type Issue, type Path, readConfigFile } from "./kernel/config-file.ts";
import { messageOf } from "./kernel/errors.ts";
import { compileCondition } from "./watch/condition.ts";

/**
 * The configuration in a file: defaults filled in, secrets read, all of it checked; durations in ms, sizes
 * in bytes, paths absolute. Throws ConfigError with every error at once.
 */
export function loadConfig(file: string): Config {
  const config = readConfigFile<Config>(Config, file, crossChecks);
  const folder = dirname(resolve(file));
  const absolute = (path: string) => (isAbsolute(path) ? path : resolve(folder, path));
  return {
    ...config,
    data: resolve(config.data),
    ...(config.models !== undefined && { models: absolute(config.models) }),
  };
}

/** What no schema can say: names that have to exist and be unique, sources, conditions. */
function crossChecks(config: Config): Issue[] {
  return [...feedIssues(config), ...watchIssues(config)];
}

function feedIssues({ feeds }: Config): Issue[] {
  const issues = duplicates(feeds, ["feeds"]);
  for (const [index, feed] of feeds.entries()) {
    const path = ["feeds", index];
    const { source, gate } = feed;
    if (/^[a-z]+:\/\/[^/]*@/.test(source)) {
      issues.push({
        path: [...path, "id"],
        message:
          "the source holds a user or password, which would show in process lists: use the keys user and password",
      });
    }
    if (source.startsWith("sim:")) issues.push(...faultOf(() => parseSimSource(source), [...path, "source"]));
    if (feed.password !== undefined && feed.user === undefined) {
      issues.push({
        path: [...path, "password"],
        message: "there is a password and no user: add the key user",
      });
    }
    if ("maximum" in gate && gate.maximum > LONGEST_CLIP) {
      issues.push({
        path: [...path, "gate", "maximum"],
        message: "must be 15s at most: the model hears badly beyond",
      });
    }
    if ("length" in gate && (gate.length > LONGEST_CLIP || gate.length < SHORTEST_CLIP)) {
      issues.push({ path: [...path, "gate", "length"], message: "must be from 100ms to 15s" });
    }
  }
  return issues;
}

/** Longest and shortest clip that the model takes, ms. */
const LONGEST_CLIP = 15_000;
const SHORTEST_CLIP = 100;

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
      if ("minimum" in field && "maximum" in field && Number(field.minimum) > Number(field.maximum)) {
        issues.push({ path: [...path, "answer", name], message: "minimum is above maximum" });
      }
    }
    issues.push(...duplicates(watch.rules, [...path, "rules"]));
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
