import { Backoff } from "../kernel/backoff.ts";
import { type Clock, sleep } from "../kernel/clock.ts";
import { messageOf } from "../kernel/errors.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Metrics } from "../kernel/metrics.ts";
import type { Outbox, OutboxRow } from "../record/outbox-row.ts";
import type { BrokerConnection, Refusal } from "./broker-connection.ts";
import { BrokerFault } from "./broker-fault.ts";
import { OutboxReleases } from "./outbox-releases.ts";
import { PublishWindow } from "./publish-window.ts";
import { Refusals } from "./refusals.ts";

/** Rows read at once. */
const PAGE = 500;
/** Pages looked at in one turn of the event loop; held rows may fill many. */
const PAGES_A_TURN = 10;
/** A row that waits longer for its PUBACK, ms, ends the connection; looked at every CHECK ms. */
const ACK_TIMEOUT = 30_000;
const ACK_CHECK = 5_000;
/** Ms that stop() waits for a database that cannot be written. */
const STOP_PATIENCE = 2000;
/** Bytes of a PUBLISH beside topic and payload: header 5, topic length 2, packet id 2, properties 1. */
const PACKET_OVERHEAD = 10;

interface Options {
  readonly outbox: Outbox;
  /** Rows under way at once. */
  readonly window: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Sends the rows of the outbox over whichever connection there is, in order, at most a window at a time. */
export class OutboxDrain {
  private readonly window: PublishWindow;
  private readonly releases: OutboxReleases;
  private readonly refusals = new Refusals();
  private readonly refusalBackoff = new Backoff(30_000, 120_000);
  private readonly readBackoff = new Backoff(1000, 30_000);
  private connection: BrokerConnection | undefined;
  private page: readonly OutboxRow[] = [];
  private nextInPage = 0;
  /** Nothing in the outbox lies behind the last page. */
  private caughtUp = false;
  private acked: OutboxRow[] = [];
  private turnDue = false;
  private unreadable: string | undefined;
  private onIdle: () => void = () => undefined;
  private stopAppended: (() => void) | undefined;
  private stopAckCheck: (() => void) | undefined;
  private stopRetry: (() => void) | undefined;
  private stopReadRetry: (() => void) | undefined;
  /** Acknowledged since the start. */
  acknowledged = 0;

  constructor(private readonly options: Options) {
    this.window = new PublishWindow(options.window);
    this.releases = new OutboxReleases(options);
  }

  /** Why rows stay behind although there is a connection. */
  get reason(): string | undefined {
    return this.unreadable ?? this.releases.reason ?? this.refusals.reason;
  }

  get inFlight(): number {
    return this.window.inFlight;
  }

  /** Everything that may be sent was sent and acknowledged. */
  get idle(): boolean {
    return (
      this.caughtUp && this.nextInPage >= this.page.length && this.inFlight === 0 && this.acked.length === 0
    );
  }

  /** Resolves when it is idle, or after `patience` ms. */
  async whenIdle(patience: number): Promise<void> {
    const waiting = new AbortController();
    this.onIdle = () => waiting.abort();
    if (!this.idle) await sleep(this.options.clock, patience, waiting.signal);
    this.onIdle = () => undefined;
  }

  start(): void {
    this.stopAppended ??= this.options.outbox.onAppended(() => {
      this.caughtUp = false;
      if (this.connection) this.turnSoon();
    });
  }

  /** Sends over this connection from the lowest row on. */
  attach(connection: BrokerConnection): void {
    this.connection = connection;
    this.rewind();
    connection.onRoom = () => this.turnSoon();
    this.turnSoon();
  }

  /** The connection is over. Rows that were under way are read again over the next one. */
  detach(fault: BrokerFault): void {
    this.turn();
    this.connection = undefined;
    this.stopAckCheck?.();
    this.stopAckCheck = undefined;
    const breaker = this.window.lost(fault.kind === "closed" || fault.kind === "refused");
    this.rewind();
    if (breaker) this.setAside(breaker, "the broker ends the connection when it comes", true);
  }

  /** The broker is away: what it refused may be taken when it is back. */
  brokerGone(): void {
    this.refusals.forget();
  }

  /** Resolves when what was acknowledged is out of the outbox, or could not be taken out. */
  async stop(): Promise<void> {
    this.stopAppended?.();
    this.stopAppended = undefined;
    this.connection = undefined;
    for (const end of [this.stopAckCheck, this.stopRetry, this.stopReadRetry]) end?.();
    this.settleAcked();
    const patience = new AbortController();
    await Promise.race([this.releases.flush(), sleep(this.options.clock, STOP_PATIENCE, patience.signal)]);
    patience.abort();
    this.releases.stop();
  }

  /** Answers that arrive in one turn of the event loop are settled, and the window filled, together. */
  private turnSoon(): void {
    if (this.turnDue) return;
    this.turnDue = true;
    setImmediate(() => this.turn());
  }

  private turn(): void {
    this.turnDue = false;
    this.settleAcked();
    if (!this.connection) return;
    try {
      this.fill(this.connection);
    } catch (error) {
      this.readLater(error);
      return;
    }
    if (this.unreadable !== undefined) {
      this.unreadable = undefined;
      this.readBackoff.reset();
    }
    if (!this.idle) return;
    if (!this.refusals.holding) this.refusals.drained();
    this.onIdle();
  }

  private fill(connection: BrokerConnection): void {
    const now = this.options.clock.monotonic();
    let room = Math.min(this.window.room, connection.room);
    let pages = 0;
    let sent = 0;
    while (room > 0) {
      if (this.nextInPage >= this.page.length) {
        if (this.caughtUp) break;
        if (++pages > PAGES_A_TURN) {
          this.turnSoon();
          break;
        }
        this.readPage();
        continue;
      }
      const row = this.page[this.nextInPage];
      this.nextInPage += 1;
      if (!row || !this.mayGo(row, connection)) continue;
      this.window.sent(row, now);
      this.options.metrics.observeStage("commit_to_publish", Math.max(0, this.options.clock.now() - row.at));
      connection.publish({
        topic: row.topic,
        payload: row.payload,
        retain: false,
        settled: (refusal) => this.settled(row, refusal),
      });
      room -= 1;
      sent += 1;
    }
    if (sent === 0) return;
    this.options.metrics.published.inc(sent);
    this.stopAckCheck ??= this.options.clock.after(ACK_CHECK, () => this.checkAcks());
  }

  private readPage(): void {
    // Before the read: a commit during it says so again.
    this.caughtUp = true;
    this.page = [];
    this.nextInPage = 0;
    try {
      this.page = this.options.outbox.read(this.window.after, PAGE);
    } catch (error) {
      this.caughtUp = false;
      throw error;
    }
    this.caughtUp = this.page.length < PAGE;
    const last = this.page.at(-1);
    if (last) this.window.passed(last.id);
  }

  private mayGo(row: OutboxRow, { maximumPacketSize }: BrokerConnection): boolean {
    if (this.window.has(row.id) || this.releases.has(row.id) || this.refusals.holds(row)) return false;
    if ((row.payload.length + row.topic.length) * 3 + PACKET_OVERHEAD <= maximumPacketSize) return true;
    const bytes = Buffer.byteLength(row.payload) + Buffer.byteLength(row.topic) + PACKET_OVERHEAD;
    if (bytes <= maximumPacketSize) return true;
    this.setAside(
      row,
      `its ${bytes} bytes are more than the ${maximumPacketSize} that the broker takes`,
      false,
    );
    return false;
  }

  private settled(row: OutboxRow, refusal: Refusal | undefined): void {
    if (!this.window.settled(row.id, refusal === undefined)) return;
    if (!refusal) {
      this.acked.push(row);
      return;
    }
    const { code, reason } = refusal;
    if (this.refusals.refused(row, code, reason))
      this.options.logger.error(
        `the broker refuses message ${row.id} on ${row.topic}: ${reason}; it is kept and tried again`,
      );
    this.retryLater();
  }

  private settleAcked(): void {
    const rows = this.acked;
    if (rows.length === 0) return;
    this.acked = [];
    const { clock, metrics } = this.options;
    const now = clock.now();
    for (const { at, topic } of rows) {
      metrics.observeStage("commit_to_ack", Math.max(0, now - at));
      this.refusals.accepted(topic);
    }
    metrics.acknowledged.inc(rows.length);
    this.acknowledged += rows.length;
    this.releases.add(rows.map(({ id }) => id));
    if (this.refusals.none) this.refusalBackoff.reset();
  }

  private setAside(row: OutboxRow, reason: string, breaks: boolean): void {
    if (this.refusals.setAside(row, reason, breaks))
      this.options.logger.error(
        `message ${row.id} on ${row.topic} is set aside: ${reason}; it is kept and tried again`,
      );
    this.retryLater();
  }

  private retryLater(): void {
    this.stopRetry ??= this.options.clock.after(this.refusalBackoff.next(), () => {
      this.stopRetry = undefined;
      this.refusals.retry();
      this.rewind();
      this.turnSoon();
    });
  }

  private readLater(error: unknown): void {
    const news = this.unreadable === undefined;
    this.unreadable = `the outbox cannot be read: ${messageOf(error)}`;
    if (news) this.options.logger.error({ err: error }, this.unreadable);
    this.stopReadRetry?.();
    this.stopReadRetry = this.options.clock.after(this.readBackoff.next(), () => this.turnSoon());
  }

  /** One timer for all rows: the one that has waited longest speaks for them. */
  private checkAcks(): void {
    this.stopAckCheck = undefined;
    const { oldest } = this.window;
    if (oldest === undefined || !this.connection) return;
    const { at } = this.connection.broker;
    if (this.options.clock.monotonic() - oldest >= ACK_TIMEOUT)
      this.connection.lose(
        new BrokerFault(
          "silent",
          `the broker at ${at} did not acknowledge a message within ${ACK_TIMEOUT / 1000} s`,
        ),
      );
    else this.stopAckCheck = this.options.clock.after(ACK_CHECK, () => this.checkAcks());
  }

  private rewind(): void {
    this.window.rewind();
    this.page = [];
    this.nextInPage = 0;
    this.caughtUp = false;
  }
}
