import { shownAddress } from "../../device/feeds/address.ts";
import type { Feeds } from "../../device/feeds/feeds.ts";
import type { FeedDesk } from "../api/rest/feeds.ts";
import type { Changes } from "../config/changes.ts";
import type { FeedView } from "../contract/api-feeds.ts";
import type { Feed } from "../contract/config-feeds.ts";
import type { Picture } from "../contract/media.ts";
import type { LatestFrames } from "../feeds/latest-frames.ts";
import { iso } from "../kernel/clock.ts";
import { PerchError } from "../kernel/errors.ts";

interface Options {
  readonly changes: Changes;
  readonly feeds: Feeds;
  readonly latest: LatestFrames;
}

/** Cameras and microphones for the API. */
export class FeedCounter implements FeedDesk {
  constructor(private readonly options: Options) {}

  list(): FeedView[] {
    return this.options.changes.now.config.feeds.map((feed) => this.viewOf(feed));
  }

  view(id: string): FeedView {
    return this.viewOf(this.feed(id));
  }

  async switch(id: string, enabled?: boolean): Promise<FeedView> {
    const { changes } = this.options;
    await changes.change(({ leftOut }) => {
      // A switch of a feed that is gone can be taken back still.
      const isStale = leftOut.some((change) => change.kind === "feed" && change.id === id);
      if (enabled !== undefined || !isStale) this.feed(id);
      return [{ feed: id, ...(enabled !== undefined && { enabled }) }];
    });
    return this.view(id);
  }

  picture(id: string): Picture {
    const { kind } = this.feed(id);
    if (kind === "microphone")
      throw new PerchError(
        "NOT_FOUND",
        `${id} is a microphone and has no picture: /api/feeds/${id}/clip.wav lets you listen`,
      );
    const picture = this.newest(id);
    if (picture) return picture;
    const { state, reason } = this.view(id);
    throw new PerchError(
      "FEED_UNREACHABLE",
      `the camera ${id} has no picture: it is ${state}${reason ? `: ${reason}` : ""}`,
    );
  }

  newest(id: string): Picture | undefined {
    return this.options.latest.newest(id);
  }

  onPicture(id: string, callback: () => void): () => void {
    return this.options.latest.onPicture(id, callback);
  }

  private feed(id: string): Feed {
    const { feeds } = this.options.changes.now.config;
    const found = feeds.find((feed) => feed.id === id);
    if (found) return found;
    const known = feeds.map((feed) => feed.id).join(", ") || "none";
    throw new PerchError("NOT_FOUND", `there is no feed ${id}; feeds: ${known}`);
  }

  private viewOf({ id, kind, title, source, enabled }: Feed): FeedView {
    const { changes, latest, feeds } = this.options;
    const { config, feeds: changed } = changes.now;
    const { state, since, reason } = feeds.status(id) ?? { state: "starting", since: 0, reason: undefined };
    const last = latest.last(id);
    return {
      id,
      kind,
      ...(title !== undefined && { title }),
      source: source.startsWith("sim:") ? source : schemeOf(source) + shownAddress(source),
      enabled,
      changed: changed.includes(id),
      state,
      since: iso(since),
      ...(reason !== undefined && { reason }),
      last: last === undefined ? null : iso(last),
      fps: kind === "camera" ? latest.rate(id) : null,
      watches: config.watches.filter((watch) => watch.feeds.includes(id)).map((watch) => watch.id),
    };
  }
}

/** What shownAddress leaves out of a source that is no URL. */
const schemeOf = (source: string): string => /^(v4l2|file|alsa|pulse):/.exec(source)?.[0] ?? "";
