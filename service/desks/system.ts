import { stat, statfs } from "node:fs/promises";
import { availableParallelism, freemem, loadavg, totalmem, uptime } from "node:os";
import { join } from "node:path";
import type { SystemDesk } from "../api/rest/box.ts";
import type { Changes } from "../config/changes.ts";
import type { ConfigView, ModelsView, SystemView } from "../contract/api-system.ts";
import type { Config } from "../contract/config.ts";
import { ladderViews } from "../inference/model-view.ts";
import { type Clock, iso } from "../kernel/clock.ts";
import { isPerchError } from "../kernel/errors.ts";
import { silentLogger } from "../kernel/logger.ts";
import type { Health } from "../kernel/part.ts";
import { modelStoreOf } from "../model/chosen-level.ts";
import type { ModelSide } from "../model/model-side.ts";
import type { Counts } from "../record/queries.ts";

/** Ms that a count of the record's rows counts as new: with millions of them counting takes a while. */
const COUNTED = 10_000;

/** Where the configuration comes from. */
export interface ConfigSource {
  readonly file: string;
  /** What stands in it, secrets hidden. */
  readonly shown: object;
}

interface Options {
  readonly config: Config;
  readonly source: ConfigSource | undefined;
  readonly version: string;
  readonly changes: Changes;
  readonly model: ModelSide;
  readonly record: { readonly queries: { counts(): Counts } };
  readonly health: () => Record<string, Health>;
  readonly broker: () => string | undefined;
  readonly clock: Clock;
}

/** What the box and the service are, for the API. */
export class SystemCounter implements SystemDesk {
  private readonly started: number;
  private counted: { readonly at: number; readonly counts: Counts } | undefined;

  constructor(private readonly options: Options) {
    this.started = options.clock.now();
  }

  async system(): Promise<SystemView> {
    const { config, source, version, model, health, broker, clock } = this.options;
    const now = clock.now();
    return {
      node: config.node,
      version,
      config: source?.file ?? null,
      runtime: `node ${process.version} ${process.platform} ${process.arch}`,
      clock: {
        now: iso(now),
        timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
        started: iso(this.started),
        uptime: Math.max(0, Math.floor((now - this.started) / 1000)),
        booted: Math.floor(uptime()),
      },
      parts: health(),
      readings: model.sensors.latest(),
      processors: availableParallelism(),
      load: loadavg().map((load) => Math.round(load * 100) / 100),
      memory: { total: totalmem(), free: freemem(), own: process.memoryUsage.rss() },
      disk: await diskOf(config.data),
      record: this.counts() ?? null,
      broker: broker() ?? null,
    };
  }

  async models(): Promise<ModelsView> {
    const { config, model } = this.options;
    const { ladder, level, reason } = model.running();
    const { rungs } = model.view();
    return {
      running: { ladder, level: level ?? null, ...(reason !== undefined && { reason }) },
      rungs,
      // Read anew: files come and go while the service runs.
      ladders: await ladderViews(modelStoreOf(config, silentLogger), ladder),
    };
  }

  config(): ConfigView {
    const { source, changes } = this.options;
    const { feeds, watches } = changes.now;
    return {
      file: source?.file ?? null,
      config: source?.shown ?? {},
      changes: {
        feeds: [...feeds],
        watches: {
          changed: [...watches.changed],
          added: [...watches.added],
          removed: [...watches.removed],
        },
      },
    };
  }

  /** Undefined while the record is not open. */
  private counts(): Counts | undefined {
    const { clock, record } = this.options;
    const now = clock.monotonic();
    if (this.counted && now - this.counted.at < COUNTED) return this.counted.counts;
    try {
      this.counted = { at: now, counts: record.queries.counts() };
      return this.counted.counts;
    } catch (error) {
      if (isPerchError(error)) return undefined;
      throw error;
    }
  }
}

/** Null where the folder cannot be looked at. */
async function diskOf(folder: string): Promise<SystemView["disk"]> {
  const space = await statfs(folder).catch(() => null);
  if (!space) return null;
  const sizes = ["perch.db", "perch.db-wal", "perch.db-shm"].map((name) =>
    stat(join(folder, name)).then(
      ({ size }) => size,
      () => 0,
    ),
  );
  const database = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  const { blocks, bavail, bsize } = space;
  return { folder, total: blocks * bsize, free: bavail * bsize, database };
}
