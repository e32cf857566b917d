import type { MqttConfig } from "../contract/config.ts";
import type { GovernorState } from "../contract/governor.ts";
import {
  type FeedStateMessage,
  feedStateTopic,
  governorCommandTopic,
  governorTopic,
  type NodeStatus,
  statusTopic,
} from "../contract/topics.ts";
import { Backoff } from "../kernel/backoff.ts";
import { type Clock, iso, sleep } from "../kernel/clock.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Metrics } from "../kernel/metrics.ts";
import type { Health, Part } from "../kernel/part.ts";
import type { Outbox } from "../record/outbox-row.ts";
import { type BrokerConnection, openConnection } from "./broker-connection.ts";
import { BrokerFault } from "./broker-fault.ts";
import { type BrokerTarget, brokerTarget } from "./broker-target.ts";
import { OutboxDrain } from "./outbox-drain.ts";
import { ProtocolChoice } from "./protocol-choice.ts";
import { RetainedMessages } from "./retained-messages.ts";

/** How long start() waits for a first connection before it leaves the rest to the retries, ms. */
const START_PATIENCE = 3000;
/** stop() goes on sending this long at most, ms, and only as long as acknowledgements come this often. */
const STOP_DRAIN = 3000;
const STOP_SILENCE = 500;
/** Answer to "stopped", and close of the socket, ms each. */
const STOP_PATIENCE = 1000;
/** A connection that lived this long, ms, was a good one even if nothing was to be sent. */
const SETTLED = 30_000;

/** Connections that end within so many ms, this often in a row, have a reason of their own. */
const SHORT = 10_000;
const SHORT_LIVES = 3;
/** No command is longer, bytes. */
const MOST_COMMAND = 4096;

interface Options {
  readonly node: string;
  readonly version: string;
  readonly config: MqttConfig;
  /** URL of the embedded broker, once it listens. */
  readonly url: () => string | undefined;
  readonly outbox: Outbox;
  /** A command to the governor, as it came; called only where mqtt.commands is true. */
  readonly onGovernorCommand?: (payload: string) => void;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/**
 * Brings the outbox to the broker at QoS 1: in order, at least once, and a row leaves the outbox only on
 * its PUBACK. Beside it the retained topics: whether the box is there, and what its feeds do.
 * Without a broker it is degraded, says why, and tries again with backoff; nothing is lost meanwhile.
 */
export class Delivery implements Part {
  readonly name = "delivery";
  /** First part of every topic of this node. */
  readonly base: string;
  private readonly clientId: string;
  private readonly drain: OutboxDrain;
  private readonly retained: RetainedMessages;
  private readonly protocols = new ProtocolChoice();
  private readonly stopper = new AbortController();
  private readonly backoff = new Backoff(1000, 30_000);
  /** A refusal is for a person to mend; a broker may lock out who knocks too often. */
  private readonly slowBackoff = new Backoff(60_000, 600_000);
  private connection: BrokerConnection | undefined;
  private shortLives = 0;
  private fault: BrokerFault | undefined;
  private phase: "new" | "running" | "stopped" = "new";
  private loop: Promise<void> | undefined;
  private firstOutcome: () => void = () => undefined;

  constructor(private readonly options: Options) {
    this.base = `${options.config.prefix}/${options.node}`;
    this.clientId = `perch-${options.node}`;
    this.drain = new OutboxDrain({ ...options, window: options.config.window });
    this.retained = new RetainedMessages(options.logger);
  }

  async start(signal: AbortSignal): Promise<void> {
    this.phase = "running";
    this.drain.start();
    const outcome = new Promise<void>((resolve) => {
      this.firstOutcome = resolve;
    });
    this.loop = this.run();
    await Promise.race([outcome, sleep(this.options.clock, START_PATIENCE, signal)]);
  }

  async stop(): Promise<void> {
    if (this.phase === "stopped") return;
    this.phase = "stopped";
    if (this.connection) await this.leave(this.connection);
    this.stopper.abort();
    await this.loop;
    await this.drain.stop();
  }

  /** Keeps the newest state of the feed at the broker, retained. */
  feedState(message: FeedStateMessage): void {
    this.retained.set(feedStateTopic(this.base, message.feed), JSON.stringify(message));
  }

  /** Keeps the newest state of the governor at the broker, retained. */
  governorState(state: GovernorState): void {
    this.retained.set(governorTopic(this.base), JSON.stringify(state));
  }

  health(): Health {
    const detail = {
      broker: this.connection?.broker.at ?? "none",
      ...(this.connection ? { protocol: this.connection.protocol === 5 ? "MQTT 5" : "MQTT 3.1.1" } : {}),
      waiting: this.options.outbox.pending(),
      inFlight: this.drain.inFlight,
      acknowledged: this.drain.acknowledged,
    };
    if (this.phase === "stopped") return { state: "stopped" };
    const reason = this.connection ? (this.drain.reason ?? this.retained.reason) : this.fault?.message;
    if (reason !== undefined) return { state: "degraded", reason, detail };
    return { state: this.connection ? "ok" : "starting", detail };
  }

  private async run(): Promise<void> {
    const { clock } = this.options;
    while (this.phase === "running") {
      const { fault, again } = await this.connectOnce();
      if (this.phase !== "running") return;
      if (again) continue;
      this.note(fault);
      if (fault.kind === "unreachable") this.drain.brokerGone();
      this.firstOutcome();
      const backoff = SLOW.has(fault.kind) ? this.slowBackoff : this.backoff;
      await sleep(clock, backoff.next(), this.stopper.signal);
    }
  }

  /** One connection from its beginning to its end. `again`: at once, in the other version of MQTT. */
  private async connectOnce(): Promise<{ fault: BrokerFault; again: boolean }> {
    const { clock, config, url } = this.options;
    const protocol = this.protocols.choose(clock.monotonic());
    let connection: BrokerConnection;
    try {
      const target: BrokerTarget = brokerTarget(config.broker, this.clientId, url);
      connection = await openConnection(target, protocol, this.will(), this.stopper.signal);
    } catch (error) {
      if (!(error instanceof BrokerFault)) throw error;
      return { fault: error, again: this.protocols.failed(protocol, error.kind, clock.monotonic()) };
    }
    return { fault: await this.serve(connection), again: false };
  }

  private async serve(connection: BrokerConnection): Promise<BrokerFault> {
    const { clock, logger } = this.options;
    const begun = clock.monotonic();
    const before = this.drain.acknowledged;
    this.protocols.connected();
    this.connection = connection;
    this.fault = undefined;
    logger.info(
      `connected to the broker at ${connection.broker.at} (MQTT ${connection.protocol === 5 ? "5" : "3.1.1"})`,
    );
    this.listen(connection);
    this.retained.set(statusTopic(this.base), this.status("online"));
    this.retained.attach(connection);
    this.drain.attach(connection);
    this.firstOutcome();
    const fault = this.suspectDouble(await connection.ended, clock.monotonic() - begun);
    this.connection = undefined;
    this.drain.detach(fault);
    this.retained.detach();
    if (this.drain.acknowledged > before || clock.monotonic() - begun >= SETTLED) {
      this.backoff.reset();
      this.slowBackoff.reset();
    }
    return fault;
  }

  private listen(connection: BrokerConnection): void {
    const { config, logger, onGovernorCommand } = this.options;
    if (!config.commands || !onGovernorCommand) return;
    const topic = governorCommandTopic(this.base);
    connection.subscribe(
      topic,
      (payload) => {
        if (payload.length <= MOST_COMMAND) onGovernorCommand(payload.toString("utf8"));
        else logger.warn(`a command on ${topic} was left out: it has ${payload.length} bytes`);
      },
      (why) => logger.error(`commands on ${topic} cannot be received: ${why}`),
    );
  }

  /** A second box with this node's name ends our connection whenever it connects; MQTT 3.1.1, and some brokers of 5, do not say so. */
  private suspectDouble(fault: BrokerFault, lived: number): BrokerFault {
    const short = fault.kind === "closed" && lived < SHORT && this.drain.inFlight === 0;
    this.shortLives = short ? this.shortLives + 1 : 0;
    if (this.shortLives < SHORT_LIVES) return fault;
    const { node } = this.options;
    return new BrokerFault(
      "taken",
      `${fault.message} soon after it began, ${this.shortLives} times in a row: is there another box with the node name ${node}?`,
      fault,
    );
  }

  /** Says a fault once, not at every try. */
  private note(fault: BrokerFault): void {
    if (this.fault?.message !== fault.message) this.options.logger.warn(`${fault.message}; trying again`);
    this.fault = fault;
  }

  /** Sends what still can be sent, says that this was on purpose, and disconnects. */
  private async leave(connection: BrokerConnection): Promise<void> {
    const { clock } = this.options;
    const until = clock.monotonic() + STOP_DRAIN;
    let before = -1;
    while (!this.drain.idle && clock.monotonic() < until && this.drain.acknowledged !== before) {
      before = this.drain.acknowledged;
      await this.drain.whenIdle(STOP_SILENCE);
    }
    this.retained.set(statusTopic(this.base), this.status("stopped"));
    const patience = new AbortController();
    await Promise.race([this.retained.settled(), sleep(clock, STOP_PATIENCE, patience.signal)]);
    const closed = connection.close();
    await Promise.race([closed, sleep(clock, STOP_PATIENCE, patience.signal).then(() => connection.cut())]);
    patience.abort();
    await closed;
  }

  private will() {
    return { topic: statusTopic(this.base), payload: this.status("offline") };
  }

  private status(status: NodeStatus["status"]): string {
    const { clock, version } = this.options;
    const message: NodeStatus = { status, version, at: status === "offline" ? null : iso(clock.now()) };
    return JSON.stringify(message);
  }
}

/** Faults that only a person ends. */
const SLOW: ReadonlySet<BrokerFault["kind"]> = new Set(["refused", "taken", "tls"]);
