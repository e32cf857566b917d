import { createHash } from "node:crypto";
import type { WatchDesk } from "../api/rest/watches.ts";
import { InvalidRequest } from "../api/validation.ts";
import type { Changes } from "../config/changes.ts";
import { type Laid, MOST_WATCHES } from "../config/changes-laid.ts";
import { watchChecks } from "../config/watch-checks.ts";
import type { NamedWatch, Trial, TrialResult, WatchList, WatchView } from "../contract/api-watches.ts";
import { Watch } from "../contract/config-watches.ts";
import { encodeUnits } from "../kernel/config-schema.ts";
import { PerchError } from "../kernel/errors.ts";
import { whyIdle } from "../watch/watchers.ts";

interface Options {
  readonly changes: Changes;
  readonly trial: (watch: Watch, trial: Trial, signal: AbortSignal) => Promise<TrialResult>;
}

/** Watches for the API. Each change is checked as the configuration file is, when its turn has come. */
export class WatchCounter implements WatchDesk {
  constructor(private readonly options: Options) {}

  list(): WatchList {
    const { now } = this.options.changes;
    return {
      watches: now.config.watches.map((watch) => viewOf(watch, now)),
      removed: [...now.watches.removed],
      leftOut: now.leftOut.flatMap(({ kind, id, reason }) => (kind === "watch" ? [{ id, reason }] : [])),
    };
  }

  view(id: string): WatchView {
    const { now } = this.options.changes;
    return viewOf(known(id, now), now);
  }

  async create(watch: Watch): Promise<WatchView> {
    const { changes } = this.options;
    await changes.change((now) => {
      if (now.config.watches.some(({ id }) => id === watch.id))
        throw new PerchError("CONFLICT", `there is a watch ${watch.id} already: PUT replaces it`);
      refuseWrong(watch, now);
      return [{ watchId: watch.id, watch }];
    });
    return this.view(watch.id);
  }

  async replace(id: string, { id: said = id, ...rest }: NamedWatch, match?: string): Promise<WatchView> {
    const { changes } = this.options;
    await changes.change((now) => {
      if (said !== id)
        throw new InvalidRequest([
          {
            path: ["id"],
            message: `must be ${id}, as in the address; a watch of another name is another watch`,
          },
        ]);
      refuseStale(id, now, match);
      const watch = { id, ...rest };
      refuseWrong(watch, now);
      return [{ watchId: id, watch }];
    });
    return this.view(id);
  }

  async enable(id: string, enabled: boolean, match?: string): Promise<WatchView> {
    const { changes } = this.options;
    await changes.change((now) => {
      const watch = known(id, now);
      refuseStale(id, now, match);
      return [{ watchId: id, watch: { ...watch, enabled } }];
    });
    return this.view(id);
  }

  async remove(id: string, match?: string): Promise<void> {
    await this.options.changes.change((now) => {
      known(id, now);
      refuseStale(id, now, match);
      return [{ watchId: id, watch: null }];
    });
  }

  async restore(id: string, match?: string): Promise<WatchView | undefined> {
    const { changes } = this.options;
    await changes.change((now) => {
      const { removed } = now.watches;
      const isLeftOut = now.leftOut.some((change) => change.kind === "watch" && change.id === id);
      if (!removed.includes(id) && !isLeftOut) known(id, now);
      refuseStale(id, now, match);
      return [{ watchId: id }];
    });
    return changes.now.config.watches.some((watch) => watch.id === id) ? this.view(id) : undefined;
  }

  async try(trial: Trial, signal: AbortSignal): Promise<TrialResult> {
    const { changes } = this.options;
    const { id, watch: given } = trial;
    if ((id === undefined) === (given === undefined))
      throw new InvalidRequest([
        { path: [], message: "needs either id, of a watch that is there, or a watch" },
      ]);
    const watch = given ? { ...given, id: given.id ?? "try" } : known(id ?? "", changes.now);
    const issues = given ? watchChecks(changes.now.config)(watch, ["watch"]) : [];
    if (issues.length > 0) throw new InvalidRequest(issues);
    return this.options.trial(watch, trial, signal);
  }
}

function known(id: string, { config: { watches } }: Laid): Watch {
  const found = watches.find((watch) => watch.id === id);
  if (found) return found;
  const there = watches.map((watch) => watch.id).join(", ") || "none";
  throw new PerchError("NOT_FOUND", `there is no watch ${id}; watches: ${there}`);
}

/** Throws REQUEST_INVALID with all that no schema can say, and CONFLICT where there would be too many watches. */
function refuseWrong(watch: Watch, { config }: Laid): void {
  const issues = watchChecks(config)(watch, []);
  if (issues.length > 0) throw new InvalidRequest(issues);
  const isNew = !config.watches.some(({ id }) => id === watch.id);
  if (isNew && config.watches.length >= MOST_WATCHES)
    throw new PerchError(
      "CONFLICT",
      `there are ${MOST_WATCHES} watches, and no more are taken: remove one first`,
    );
}

/** Throws PRECONDITION_FAILED where the watch is not the one that somebody read. `match`: If-Match as it was sent. */
function refuseStale(id: string, now: Laid, match: string | undefined): void {
  if (match === undefined) return;
  const watch = now.config.watches.find((other) => other.id === id);
  const wanted = match.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  if (watch && (wanted.includes("*") || wanted.includes(viewOf(watch, now).etag))) return;
  throw new PerchError(
    "PRECONDITION_FAILED",
    `the watch ${id} was changed or removed since it was read: read it again, then change it`,
  );
}

function viewOf(watch: Watch, { config, watches: { changed, added } }: Laid): WatchView {
  const { id } = watch;
  const origin = added.includes(id) ? "added" : changed.includes(id) ? "changed" : "file";
  const reason = whyIdle(watch, config);
  const written = encodeUnits(Watch, watch) as object;
  const etag = `"${createHash("sha256").update(JSON.stringify(written)).digest("hex").slice(0, 16)}"`;
  return {
    id,
    origin,
    running: reason === undefined,
    ...(reason !== undefined && { reason }),
    etag,
    watch: written,
  };
}
