import type { Config } from "../contract/config.ts";
import { Watch } from "../contract/config-watches.ts";
import { encodeUnits } from "../kernel/config-schema.ts";
import { isPerchError, PerchError } from "../kernel/errors.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Health, Part } from "../kernel/part.ts";
import { sameWatch } from "../watch/watchers.ts";
import { changesFile, NO_CHANGES, readChanges, writeChanges } from "./changes-file.ts";
import { type Laid, laidText, lay, leftOutText } from "./changes-laid.ts";

/** One change. A value left out restores what the configuration file says. */
export type Change =
  | { readonly feed: string; readonly enabled?: boolean }
  | { readonly watchId: string; readonly watch?: Watch | null };

interface Options {
  /** The configuration file's content. */
  readonly config: Config;
  readonly logger: Logger;
  /** Takes up a configuration that was changed. Resolves when it is in force. */
  readonly apply: (config: Config) => Promise<void>;
}

/**
 * What was changed while the service ran, laid over the configuration file and kept in data/changes.yaml. A change is
 * on the disk before it is in force.
 */
export class Changes implements Part {
  readonly name = "changes";
  private readonly path: string;
  private document = NO_CHANGES;
  private laid: Laid;
  private fault: PerchError | undefined;
  /** One change after the other. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: Options) {
    this.path = changesFile(options.config.data);
    this.laid = lay(options.config, NO_CHANGES);
  }

  /** The configuration as it is in force. */
  get now(): Laid {
    return this.laid;
  }

  /** The configuration file's own content. */
  get file(): Config {
    return this.options.config;
  }

  /** Reads what was changed in former runs. Whatever is wrong with it, the service starts. */
  async start(): Promise<void> {
    const { config, logger, apply } = this.options;
    try {
      this.document = readChanges(this.path);
    } catch (error) {
      if (!isPerchError(error)) throw error;
      this.fault = error;
      logger.warn({ part: this.name }, `${error.message}; the configuration file holds as it is`);
      return;
    }
    this.laid = lay(config, this.document);
    const text = laidText(this.laid);
    if (text !== undefined) logger.info(`changes  ${text}, by ${this.path}`);
    for (const change of this.laid.leftOut)
      logger.warn({ part: this.name }, `${this.path}: ${leftOutText(change)}`);
    await apply(this.laid.config);
  }

  /** Resolves when the changes that were begun are done. */
  async stop(): Promise<void> {
    await this.turn;
  }

  health(): Health {
    const reasons = [
      ...(this.fault ? [this.fault.message] : []),
      ...this.laid.leftOut.map((change) => `${this.path}: ${leftOutText(change)}`),
    ];
    if (reasons.length === 0) return { state: "ok" };
    return { state: "degraded", reason: reasons.join("; ") };
  }

  /**
   * Makes changes. `decide` is asked when its turn comes, and may throw: then nothing changes. Resolves when they are
   * on the disk and in force. Rejects with what `decide` throws, CONFLICT, DATA_FULL or DATA_UNWRITABLE.
   */
  change(decide: (now: Laid) => readonly Change[]): Promise<void> {
    const done = this.turn.then(() => this.make(decide));
    // What one change was refused for is no matter of the next.
    this.turn = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }

  private async make(decide: (now: Laid) => readonly Change[]): Promise<void> {
    if (this.fault)
      throw new PerchError("CONFLICT", `${this.fault.message}: mend or remove it, and start Perch again`);
    const changes = decide(this.laid);
    const feeds = new Map(this.document.feeds);
    const watches = new Map(this.document.watches);
    for (const change of changes) {
      if ("feed" in change) put(feeds, change.feed, this.feedEntry(change.feed, change.enabled));
      else put(watches, change.watchId, this.watchEntry(change.watchId, change.watch));
    }
    const document = { feeds, watches };
    const laid = lay(this.options.config, document);
    await writeChanges(this.path, document);
    this.document = document;
    this.laid = laid;
    await this.options.apply(laid.config);
  }

  /** What says as much as the file does needs no entry. */
  private feedEntry(id: string, enabled: boolean | undefined): { enabled: boolean } | undefined {
    const inFile = this.file.feeds.find((feed) => feed.id === id);
    return enabled === undefined || inFile?.enabled === enabled ? undefined : { enabled };
  }

  private watchEntry(id: string, watch: Watch | null | undefined): unknown {
    const inFile = this.file.watches.find((other) => other.id === id);
    if (watch === null) return inFile ? null : undefined;
    if (!watch || (inFile && sameWatch(inFile, watch))) return undefined;
    return encodeUnits(Watch, watch);
  }
}

function put<T>(map: Map<string, T>, id: string, entry: T | undefined): void {
  if (entry === undefined) map.delete(id);
  else map.set(id, entry);
}
