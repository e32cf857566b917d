import { join } from "node:path";
import { Feeds } from "../device/feeds/feeds.ts";
import { createFfmpegFeed } from "../device/feeds/ffmpeg-feed.ts";
import { createSimulatedFeed } from "../device/simulator/simulated-feed.ts";
import { HealthServer } from "./api/health-server.ts";
import { chosenLevel, modelStoreOf } from "./chosen-level.ts";
import type { Config } from "./contract/config.ts";
import type { Feed } from "./contract/config-feeds.ts";
import type { FeedSource, FeedStatus } from "./contract/feed-source.ts";
import type { Event } from "./contract/observation.ts";
import { Delivery } from "./delivery/delivery.ts";
import { EmbeddedBroker } from "./delivery/embedded-broker.ts";
import { Inference } from "./inference/inference.ts";
import { LocalEngine } from "./inference/local-engine.ts";
import { type Clock, iso, systemClock } from "./kernel/clock.ts";
import { Lifecycle } from "./kernel/lifecycle.ts";
import type { Logger } from "./kernel/logger.ts";
import { Metrics } from "./kernel/metrics.ts";
import type { Health, Part } from "./kernel/part.ts";
import { MainPath } from "./main-path.ts";
import { Record as PerchRecord } from "./record/record.ts";
import { type RunReport, runReport, TruthTally } from "./report.ts";

/** Ms that one part may take to stop. */
const STOP_DEADLINE = 10_000;

interface Options {
  readonly config: Config;
  readonly logger: Logger;
  readonly version: string;
  readonly onEvent: (event: Event) => void;
}

/** Where a running appliance can be reached. */
export interface Places {
  readonly health: string | undefined;
  readonly broker: string | undefined;
  readonly topics: string;
  readonly database: string;
}

/** The composition root: the one place where parts meet. */
export class Appliance {
  private readonly metrics = new Metrics();
  private readonly tally = new TruthTally();
  private readonly lifecycle: Lifecycle;
  private readonly broker: EmbeddedBroker | undefined;
  private readonly delivery: Delivery;
  private readonly server: HealthServer;
  private readonly feeds: Feeds;
  private readonly engine: LocalEngine;
  private stopping = false;

  constructor(private readonly options: Options) {
    const { config, logger, version } = options;
    const shared = { clock: systemClock, logger, metrics: this.metrics };
    const record = new PerchRecord({ ...shared, folder: config.data, config: config.record });
    this.broker =
      config.mqtt.broker.kind === "embedded"
        ? new EmbeddedBroker({ ...shared, config: config.mqtt.broker })
        : undefined;
    this.delivery = new Delivery({
      ...shared,
      node: config.node,
      version,
      config: config.mqtt,
      url: () => this.broker?.url(),
      outbox: record.outbox,
    });
    this.engine = engineOf(config, shared);
    const inference = new Inference({
      ...shared,
      engine: this.engine,
      capacity: config.engine.queue,
      data: config.data,
    });
    const mainPath = new MainPath({
      ...shared,
      config,
      base: this.delivery.base,
      inference,
      record,
      truthOf: (feed, from, to) => this.feeds.truth(feed, from, to),
      tally: this.tally,
      onStatus: (feed, status) => this.feedStatus(feed, status),
      onEvent: options.onEvent,
    });
    this.feeds = new Feeds(config.feeds.map((feed) => this.source(feed, mainPath)));
    this.server = new HealthServer({
      ...shared,
      ...config.http,
      version,
      health: () => this.health(),
      essential: ["record", "engine", "watching"],
    });
    const parts: Part[] = [record, this.delivery, mainPath, this.engine, inference, this.server, this.feeds];
    if (this.broker) parts.splice(1, 0, this.broker);
    this.lifecycle = new Lifecycle(parts, { ...shared, stopDeadline: STOP_DEADLINE });
  }

  /** Throws only what no retry can mend, once what had started is stopped again. */
  start(signal: AbortSignal): Promise<void> {
    return this.lifecycle.start(signal);
  }

  stop(): Promise<void> {
    this.stopping = true;
    return this.lifecycle.stop();
  }

  /** Resolves when the model answers. */
  ready(signal: AbortSignal): Promise<void> {
    return this.engine.ready(signal);
  }

  health(): Record<string, Health> {
    return this.lifecycle.health();
  }

  places(): Places {
    const { config } = this.options;
    return {
      health: this.server.url && `${this.server.url}/health/ready`,
      broker: config.mqtt.broker.kind === "embedded" ? this.broker?.url() : config.mqtt.broker.url,
      topics: `${this.delivery.base}/#`,
      database: join(config.data, "perch.db"),
    };
  }

  report(): Promise<RunReport> {
    return runReport(this.metrics, this.tally);
  }

  private source(feed: Feed, sink: MainPath): FeedSource {
    const shared = { sink, clock: systemClock, logger: this.options.logger, metrics: this.metrics };
    if (feed.source.startsWith("sim:")) return createSimulatedFeed(feed, shared);
    return createFfmpegFeed(feed, { ...shared, image: this.engine.image });
  }

  private feedStatus(feed: string, { state, reason, since }: FeedStatus): void {
    const { logger } = this.options;
    const away = state === "offline" || state === "stalled";
    if (this.stopping) logger.debug({ feed }, `${feed} is ${state}`);
    else if (away) logger.warn({ feed }, `${feed} is ${state}: ${reason ?? "it sends nothing"}`);
    else logger.info({ feed }, `${feed} is ${state}`);
    this.delivery.feedState({ feed, state, since: iso(since), ...(reason !== undefined && { reason }) });
  }
}

/** The engine that the configuration asks for. Throws CONFIG_INVALID where there is no such ladder or level. */
export function engineOf(
  config: Config,
  shared: { clock: Clock; logger: Logger; metrics: Metrics },
): LocalEngine {
  const { binary, restarts, timeout } = config.engine;
  const store = modelStoreOf(config, shared.logger);
  return new LocalEngine({
    ...shared,
    store,
    ...chosenLevel(config, store),
    restarts,
    timings: { request: timeout },
    ...(binary !== undefined && { binary }),
  });
}
