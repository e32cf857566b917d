import { isDeepStrictEqual } from "node:util";
import type { Config } from "../contract/config.ts";
import type { Feed } from "../contract/config-feeds.ts";
import type { Watch } from "../contract/config-watches.ts";
import type { Truth } from "../contract/media.ts";
import type { Event, Observation } from "../contract/observation.ts";
import { closed } from "./rule-machine.ts";
import { Watcher } from "./watcher.ts";

interface Options {
  readonly node: string;
  /** What was true of a feed between two moments: see FeedSource.truth. */
  readonly truthOf: (feed: string, from: number, to: number) => Truth | undefined;
}
export type Watching = Pick<Config, "feeds" | "watches">;

/** The watches that ask now. They can be changed while answers are under way, and no event is forgotten by it. */
export class Watchers {
  private current: readonly Watcher[] = [];

  constructor(private readonly options: Options) {}

  get all(): readonly Watcher[] {
    return this.current;
  }

  /**
   * Takes up the watches of a configuration that can ask. What has not changed goes on as it is; of what has, open
   * events go on where their rule is still there. Returns the last messages of those that end by it. `recorded`:
   * events that were open when the service last ran. `at`: epoch ms.
   */
  become(config: Watching, at: number, recorded: readonly Event[] = []): Event[] {
    const openEvents = [...recorded, ...this.current.flatMap((watcher) => watcher.openEvents)];
    this.current = config.watches
      .filter((watch) => whyIdle(watch, config) === undefined)
      .map((watch) => this.watcher(watch, config, openEvents));
    return openEvents.flatMap((event) => {
      const reason = whyOver(event, config);
      return reason === undefined ? [] : [closed(event, at, reason)];
    });
  }

  /**
   * The event messages that an observation brings about. Where the watch was changed since it was asked, its rules of
   * now decide, as long as the answer's fields are the same; otherwise, and of a watch that is gone, none do.
   */
  observe(asked: Watcher, observation: Observation): Event[] {
    const now = this.current.find(({ watch }) => watch.id === asked.watch.id);
    return now && sameAnswer(now.watch, asked.watch) ? now.observe(observation) : [];
  }

  private watcher(watch: Watch, config: Watching, openEvents: readonly Event[]): Watcher {
    const before = this.current.find((watcher) => watcher.watch.id === watch.id);
    if (before && sameWatch(before.watch, watch)) return before;
    return new Watcher({
      ...this.options,
      watch,
      feeds: feedsOf(watch, config),
      openEvents,
      ...(before && sameAnswer(before.watch, watch) && { before }),
    });
  }
}

/** Whether two watches are the same in all that they say. */
export const sameWatch = (one: Watch, other: Watch): boolean =>
  isDeepStrictEqual(one, other) && sameAnswer(one, other);

/** Why a watch asks nothing; undefined where it may. */
export function whyIdle({ enabled, feeds: ids }: Watch, { feeds }: Watching): string | undefined {
  if (!enabled) return "it is switched off";
  const off = feeds.find((feed) => ids.includes(feed.id) && !feed.enabled);
  return off && `the ${off.kind} ${off.id} is switched off`;
}

/** Why an event has nobody that could end it; undefined where somebody can. */
function whyOver(event: Event, config: Watching): string | undefined {
  const watch = config.watches.find(({ id }) => id === event.watch);
  if (!watch?.rules.some(({ id }) => id === event.rule))
    return "its watch or rule is no longer in the configuration";
  if (!watch.enabled) return "its watch is switched off";
  return whyIdle(watch, config);
}

function feedsOf(watch: Watch, { feeds }: Watching): { camera?: string; microphone?: string } {
  const ofKind = (kind: Feed["kind"]) =>
    feeds.find((feed) => feed.kind === kind && watch.feeds.includes(feed.id))?.id;
  const camera = ofKind("camera");
  const microphone = ofKind("microphone");
  return { ...(camera !== undefined && { camera }), ...(microphone !== undefined && { microphone }) };
}

/** The order of the fields counts: the model writes them in it. */
const sameAnswer = (one: Watch, other: Watch): boolean =>
  JSON.stringify(one.answer) === JSON.stringify(other.answer);
