import type { Config } from "../contract/config.ts";
import type { Feed } from "../contract/config-feeds.ts";
import type { Watch } from "../contract/config-watches.ts";
import type { Issue, Path } from "../kernel/config-file.ts";
import { messageOf } from "../kernel/errors.ts";
import { compileCondition, isFieldName } from "../watch/condition.ts";
import { frameIssues, levelOf } from "./frames.ts";

/**
 * What no schema can say of a watch: the feeds that it asks, its fields' names and bounds, its conditions, its
 * pictures. Watches of the configuration file, of data/changes.yaml and of the API are all checked by this.
 */
export function watchChecks(config: Config): (watch: Watch, path: Path) => Issue[] {
  const kinds = new Map(config.feeds.map((feed) => [feed.id, feed.kind]));
  let level: { readonly found: ReturnType<typeof levelOf> } | undefined;
  return (watch, path) => {
    // Read from models.yaml, and only where somebody asks about several pictures.
    if (watch.frames > 1) level ??= { found: levelOf(config) };
    return [
      ...askedIssues(watch, kinds, path),
      ...answerIssues(watch, path),
      ...ruleIssues(watch, path),
      ...frameIssues(watch, config.feeds, level?.found, path),
    ];
  };
}

function askedIssues(watch: Watch, kinds: ReadonlyMap<string, Feed["kind"]>, path: Path): Issue[] {
  const issues: Issue[] = watch.feeds.flatMap((id, place) =>
    kinds.has(id)
      ? []
      : [
          {
            path: [...path, "feeds", place],
            message: `there is no such feed; feeds: ${[...kinds.keys()].join(", ") || "none"}`,
          },
        ],
  );
  const asked = watch.feeds.map((id) => kinds.get(id));
  if (asked.length === 2 && asked[0] !== undefined && asked[0] === asked[1]) {
    issues.push({
      path: [...path, "feeds"],
      message: `a watch joins one camera and one microphone, not two ${asked[0]}s`,
    });
  }
  return issues;
}

function answerIssues({ answer }: Watch, path: Path): Issue[] {
  const issues: Issue[] = [];
  for (const [name, field] of Object.entries(answer)) {
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
  return issues;
}

function ruleIssues({ answer, rules }: Watch, path: Path): Issue[] {
  const issues = duplicates(rules, [...path, "rules"]);
  // A condition over a wrong name only repeats what is said of the name.
  if (!Object.keys(answer).every(isFieldName)) return issues;
  const faults = rules.flatMap(({ when }, place) =>
    faultOf(() => compileCondition(when, answer), [...path, "rules", place, "when"]),
  );
  return [...issues, ...faults];
}

/** Ids that are there more than once. */
export function duplicates(items: readonly { readonly id: string }[], path: Path): Issue[] {
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
