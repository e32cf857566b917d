import { join } from "node:path";
import { Feeds } from "../device/feeds/feeds.ts";
import { createFfmpegFeed } from "../device/feeds/ffmpeg-feed.ts";
import { SwitchedFeed } from "../device/feeds/switched-feed.ts";
import { createSimulatedFeed } from "../device/simulator/simulated-feed.ts";
import { Access } from "./api/access/access.ts";
import { AdminToken } from "./api/access/admin-token.ts";
import { Audit } from "./api/access/audit.ts";
import { isLoopback } from "./api/access/hosts.ts";
import { SignIn } from "./api/access/sign-in.ts";
import { Tokens } from "./api/access/tokens.ts";
import { ApiServer } from "./api/server.ts";
import { hottestOf } from "./box.ts";
import { Changes } from "./config/changes.ts";
import type { Config } from "./contract/config.ts";
import type { Feed } from "./contract/config-feeds.ts";
import type { DecisionRow, LoadTaken } from "./contract/decision.ts";
import type { FeedSink, FeedSource, FeedStatus } from "./contract/feed-source.ts";
import type { Event } from "./contract/observation.ts";
import { Delivery } from "./delivery/delivery.ts";
import { EmbeddedBroker } from "./delivery/embedded-broker.ts";
import { desksOf } from "./desks/desks.ts";
import { recordSideOf } from "./desks/record.ts";
import { type ConfigSource, SystemCounter } from "./desks/system.ts";
import { forked } from "./feeds/fork.ts";
import { LatestFrames } from "./feeds/latest-frames.ts";
import { SoundTap } from "./feeds/sound-tap.ts";
import { iso, systemClock } from "./kernel/clock.ts";
import { isPerchError, messageOf } from "./kernel/errors.ts";
import { Lifecycle } from "./kernel/lifecycle.ts";
import type { Logger } from "./kernel/logger.ts";
import { Metrics } from "./kernel/metrics.ts";
import type { Health, Part } from "./kernel/part.ts";
import { MainPath } from "./main-path.ts";
import { type ModelSide, modelSideOf } from "./model/model-side.ts";
import { BackupSchedule } from "./record/backup-schedule.ts";
import { Record as PerchRecord } from "./record/record.ts";
import { type RunReport, runReport, TruthTally } from "./report.ts";

/** Ms that one part may take to stop. */
const STOP_DEADLINE = 10_000;

interface Options {
  readonly config: Config;
  /** Where it comes from, for people. */
  readonly source?: ConfigSource;
  readonly logger: Logger;
  readonly version: string;
  readonly onEvent: (event: Event) => void;
}

/** Where a running appliance can be reached. */
export interface Places {
  /** The front page. */
  readonly page: string | undefined;
  readonly health: string | undefined;
  readonly broker: string | undefined;
  readonly topics: string;
  readonly database: string;
  /** Where the first admin is made; undefined where there is one. */
  readonly setup: string | undefined;
}

/** The composition root: the one place where parts meet. */
export class Appliance {
  private readonly metrics = new Metrics();
  private readonly tally = new TruthTally();
  private readonly lifecycle: Lifecycle;
  private readonly broker: EmbeddedBroker | undefined;
  private readonly delivery: Delivery;
  private readonly server: ApiServer;
  private readonly feeds: Feeds;
  private readonly changes: Changes;
  private readonly latest = new LatestFrames(systemClock);
  private readonly model: ModelSide;
  private readonly record: PerchRecord;
  private readonly recordSide: ReturnType<typeof recordSideOf>;
  private readonly audit: Audit;
  private stopping = false;

  constructor(private readonly options: Options) {
    const { config, logger, version } = options;
    const shared = { clock: systemClock, logger, metrics: this.metrics };
    const record = new PerchRecord({ ...shared, folder: config.data, config: config.record });
    this.record = record;
    this.audit = new Audit({
      ...shared,
      write: (audit) => record.write({ events: [], messages: [], audit }),
    });
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
      onGovernorCommand: (payload) => this.commanded(payload),
    });
    const { node } = config;
    this.recordSide = recordSideOf({ ...shared, record, node, base: this.delivery.base });
    this.model = modelSideOf({
      ...shared,
      config,
      record,
      onState: (state) => {
        this.delivery.governorState(state);
        this.recordSide.live.governor(state);
      },
      keep: (what) => this.keep(what),
    });
    const { inference, governor } = this.model;
    const mainPath = new MainPath({
      ...shared,
      config,
      base: this.delivery.base,
      inference,
      record,
      truthOf: (feed, from, to) => this.feeds.truth(feed, from, to),
      tally: this.tally,
      interval: () => this.model.interval(),
      hottest: () => hottestOf(this.model.sensors.latest()),
      onStatus: (feed, status) => this.feedStatus(feed, status),
      onEvent: options.onEvent,
    });
    const microphones = new SoundTap(
      systemClock,
      config.feeds.filter(({ kind }) => kind === "microphone").map(({ id }) => id),
    );
    const sink = forked(this.latest, microphones, mainPath);
    const make = (feed: Feed, to: FeedSink) => this.source(feed, to);
    this.feeds = new Feeds(
      config.feeds.map((feed) => new SwitchedFeed({ feed, sink, clock: systemClock, make })),
    );
    this.changes = new Changes({
      config,
      logger,
      apply: async (to) => {
        mainPath.apply(to);
        await this.feeds.switch(to.feeds);
      },
    });
    const { changes, feeds, latest, model } = this;
    const desks = { changes, feeds, latest, model, microphones };
    const token = new AdminToken(config.data);
    const secure = config.http.tls !== undefined;
    const signIn = new SignIn({ ...shared, data: config.data, secure });
    this.server = new ApiServer({
      ...shared,
      http: config.http,
      data: config.data,
      version,
      health: () => this.health(),
      essential: [["record"], this.model.essential, ["watching"]],
      governor: {
        view: () => this.model.view(),
        obey: (command) => governor.obey(command),
      },
      token,
      signIn,
      audit: this.audit,
      ...desksOf({ ...shared, ...desks }),
      system: new SystemCounter({
        ...{ ...shared, config, source: options.source, version, changes, model, record },
        health: () => this.health(),
        broker: () => this.places().broker,
      }),
      microphones,
      record: this.recordSide,
      gateway: {
        inference,
        running: () => this.model.running(),
        image: () => this.model.image,
      },
      access: new Access({
        ...shared,
        admin: token,
        signIn,
        tokens: new Tokens(config.data, (message) => logger.warn({ part: "api" }, message)),
        lan: !isLoopback(config.http.host),
        names: config.http.names,
      }),
    });
    const parts: Part[] = [
      this.changes,
      record,
      new BackupSchedule({
        ...{ ...shared, backups: record.backups },
        ...{ config: config.record.backups, age: config.record.age },
      }),
      this.delivery,
      mainPath,
      ...this.model.parts,
      this.server,
      this.feeds,
    ];
    if (this.broker) parts.splice(2, 0, this.broker);
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
    return this.model.ready(signal);
  }

  health(): Record<string, Health> {
    return this.lifecycle.health();
  }

  places(): Places {
    const { config } = this.options;
    return {
      page: this.server.url && `${this.server.url}/`,
      health: this.server.url && `${this.server.url}/health/ready`,
      broker: config.mqtt.broker.kind === "embedded" ? this.broker?.url() : config.mqtt.broker.url,
      topics: `${this.delivery.base}/#`,
      database: join(config.data, "perch.db"),
      setup: this.server.setup,
    };
  }

  report(): Promise<RunReport> {
    return runReport(this.metrics, this.tally);
  }

  /** What the governor decides is kept when it can be; a full disk must not stop it. */
  private keep(what: { decision: DecisionRow } | { load: LoadTaken }): void {
    this.record.write({ events: [], messages: [], ...what }).catch((error: unknown) => {
      this.options.logger.debug({ part: "governor" }, `a decision was not recorded: ${messageOf(error)}`);
    });
  }

  private commanded(payload: string): void {
    const { logger } = this.options;
    try {
      // The broker does not tell whose message it is.
      const by = { who: "anybody at the broker", role: null, from: "mqtt" };
      this.audit.change(by, `governor ${payload}`, () => this.model.governor.obey(payload));
    } catch (error) {
      if (!isPerchError(error)) throw error;
      this.model.governor.refuse(error.message);
      logger.warn({ part: "governor" }, `a command by MQTT was refused: ${error.message}`);
    }
  }

  private source(feed: Feed, sink: FeedSink): FeedSource {
    const shared = { sink, clock: systemClock, logger: this.options.logger, metrics: this.metrics };
    if (feed.source.startsWith("sim:")) return createSimulatedFeed(feed, shared);
    return createFfmpegFeed(feed, { ...shared, image: this.model.image });
  }

  private feedStatus(feed: string, { state, reason, since }: FeedStatus): void {
    const { logger } = this.options;
    const away = state === "offline" || state === "stalled";
    if (this.stopping) logger.debug({ feed }, `${feed} is ${state}`);
    else if (away) logger.warn({ feed }, `${feed} is ${state}: ${reason ?? "it sends nothing"}`);
    else logger.info({ feed }, `${feed} is ${state}`);
    const message = { feed, state, since: iso(since), ...(reason !== undefined && { reason }) };
    this.delivery.feedState(message);
    this.recordSide.live.feed(message);
  }
}
