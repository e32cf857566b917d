import type { Feeds } from "../../device/feeds/feeds.ts";
import type { ListenDesk } from "../api/rest/listen.ts";
import { hottestOf } from "../box.ts";
import type { Changes } from "../config/changes.ts";
import type { LatestFrames } from "../feeds/latest-frames.ts";
import type { Clock } from "../kernel/clock.ts";
import type { ModelSide } from "../model/model-side.ts";
import { FeedCounter } from "./feeds.ts";
import { Trials } from "./watch-trial.ts";
import { WatchCounter } from "./watches.ts";

interface Options {
  readonly changes: Changes;
  readonly feeds: Feeds;
  readonly latest: LatestFrames;
  readonly microphones: ListenDesk;
  readonly model: ModelSide;
  readonly clock: Clock;
}

/** What the API knows of feeds and watches. */
export function desksOf({ changes, feeds, latest, microphones, model, clock }: Options) {
  const feedDesk = new FeedCounter({ changes, feeds, latest });
  const trials = new Trials({
    inference: model.inference,
    feeds: () => changes.now.config.feeds,
    running: () => model.running(),
    image: () => model.image,
    hottest: () => hottestOf(model.sensors.latest()),
    picture: (feed) => feedDesk.picture(feed),
    microphones,
    clock,
  });
  const trial: Trials["try"] = (watch, given, signal) => trials.try(watch, given, signal);
  return { feeds: feedDesk, watches: new WatchCounter({ changes, trial }) };
}
