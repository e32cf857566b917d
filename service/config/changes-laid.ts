import type { Config } from "../contract/config.ts";
import { Watch } from "../contract/config-watches.ts";
import { decodeUnits, fillDefaults, type Issue, pathText, schemaIssues } from "../kernel/config-schema.ts";
import type { ChangesDocument } from "./changes-file.ts";
import { watchChecks } from "./watch-checks.ts";

/** Watches that a configuration may have. */
export const MOST_WATCHES = 256;

/** A configuration with changes laid over it. */
export interface Laid {
  readonly config: Config;
  /** Ids of feeds that are switched otherwise than in the file. */
  readonly feeds: readonly string[];
  readonly watches: {
    readonly changed: readonly string[];
    readonly added: readonly string[];
    readonly removed: readonly string[];
  };
  /** Changes that do not fit this configuration, and why; they are kept, for it may be mended. */
  readonly leftOut: readonly LeftOut[];
}
export interface LeftOut {
  readonly kind: "feed" | "watch";
  readonly id: string;
  readonly reason: string;
}

/** Lays changes over a configuration file's content. What does not fit is left out, with the reason. */
export function lay(file: Config, { feeds, watches }: ChangesDocument): Laid {
  const leftOut: LeftOut[] = [...feeds.keys()]
    .filter((id) => !file.feeds.some((feed) => feed.id === id))
    .map((id) => ({ kind: "feed", id, reason: "there is no such feed in the configuration" }));
  const check = watchChecks(file);
  const taken = new Map<string, Watch | null>();
  for (const [id, value] of watches) {
    const read = value === null ? null : readWatch(id, value, check);
    if (Array.isArray(read)) leftOut.push({ kind: "watch", id, reason: wordsOf(read) });
    else taken.set(id, read);
  }
  const ids = new Set(file.watches.map(({ id }) => id));
  const added = [...taken].flatMap(([id, watch]) => (watch && !ids.has(id) ? [watch] : []));
  const whole = [...file.watches.flatMap((watch) => laidWatch(watch, taken)), ...added];
  for (const { id } of whole.splice(MOST_WATCHES))
    leftOut.push({ kind: "watch", id, reason: `there are more than ${MOST_WATCHES} watches` });
  const config = {
    ...file,
    feeds: file.feeds.map((feed) => ({ ...feed, enabled: feeds.get(feed.id)?.enabled ?? feed.enabled })),
    watches: whole,
  };
  const changedIn = (id: string) => taken.has(id) && taken.get(id) !== null;
  return {
    config,
    feeds: config.feeds.flatMap(({ id, enabled }, index) =>
      enabled === file.feeds[index]?.enabled ? [] : [id],
    ),
    watches: {
      changed: [...ids].filter((id) => changedIn(id)),
      added: whole.map(({ id }) => id).filter((id) => !ids.has(id)),
      removed: [...ids].filter((id) => taken.get(id) === null),
    },
    leftOut,
  };
}

/** What is laid over, in a line; undefined where nothing is. */
export function laidText({ config, feeds, watches }: Laid): string | undefined {
  const { changed, added, removed } = watches;
  const switched = feeds.map((id) => {
    const on = config.feeds.find((feed) => feed.id === id)?.enabled;
    return `feed ${id} ${on ? "on" : "off"}`;
  });
  const parts = [
    ...switched,
    ...[...changed.map((id) => `watch ${id} changed`), ...added.map((id) => `watch ${id} added`)],
    ...removed.map((id) => `watch ${id} removed`),
  ];
  return parts.length === 0 ? undefined : parts.join(", ");
}

export const leftOutText = ({ kind, id, reason }: LeftOut): string => `${kind} ${id} is left out: ${reason}`;

function readWatch(id: string, value: unknown, check: ReturnType<typeof watchChecks>): Watch | Issue[] {
  const whole = fillDefaults(Watch, value);
  const issues = schemaIssues(Watch, whole);
  if (issues.length > 0) return issues;
  const watch = decodeUnits(Watch, whole) as Watch;
  const misnamed = { path: ["id"], message: `must be ${id}, as the key above it says` };
  const wrong = [...(watch.id === id ? [] : [misnamed]), ...check(watch, [])];
  return wrong.length > 0 ? wrong : watch;
}

function laidWatch(watch: Watch, taken: ReadonlyMap<string, Watch | null>): Watch[] {
  const change = taken.get(watch.id);
  if (change === undefined) return [watch];
  return change === null ? [] : [change];
}

const wordsOf = (issues: readonly Issue[]): string =>
  issues.map(({ path, message }) => `${pathText(path)} ${message}`.trim()).join("; ");
