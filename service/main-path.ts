import type { Config } from "./contract/config.ts";
import type { FeedSink, FeedStatus } from "./contract/feed-source.ts";
import type { Clip, Frame, Sound, Truth } from "./contract/media.ts";
import type { Event, Observation } from "./contract/observation.ts";
import { eventTopic, observationTopic } from "./contract/topics.ts";
import type { GatedClip } from "./gate/clip-cutter.ts";
import { type ClipGate, createClipGate } from "./gate/clip-gate.ts";
import { FrameGate } from "./gate/frame-gate.ts";
import type { Answered, Inference } from "./inference/inference.ts";
import { wavOf } from "./inference/media-check.ts";
import { type Clock, iso } from "./kernel/clock.ts";
import { type ErrorCode, isPerchError, messageOf } from "./kernel/errors.ts";
import type { Logger } from "./kernel/logger.ts";
import type { DropReason, Metrics } from "./kernel/metrics.ts";
import type { Health, Part } from "./kernel/part.ts";
import { provenanceOf } from "./provenance.ts";
import type { Record as PerchRecord } from "./record/record.ts";
import type { TruthTally } from "./report.ts";
import { uuidv7 } from "./watch/uuid.ts";
import type { NotAsked, Question, Watcher } from "./watch/watcher.ts";
import { Watchers, type Watching } from "./watch/watchers.ts";

interface Options {
  readonly config: Config;
  /** `<prefix>/<node>`, the first part of every topic. */
  readonly base: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly inference: Inference;
  readonly record: PerchRecord;
  /** What was true of a feed between two moments: see FeedSource.truth. */
  readonly truthOf: (feed: string, from: number, to: number) => Truth | undefined;
  readonly tally: TruthTally;
  /** Least time between two pictures of a watch, as the level that runs now has it, ms. */
  readonly interval: () => number;
  /** The hottest zone now, degrees Celsius. */
  readonly hottest: () => { readonly celsius: number | null; readonly simulated: boolean };
  readonly onStatus: (feed: string, status: FeedStatus) => void;
  readonly onEvent: (event: Event) => void;
}

/** Why a question that was not answered counts as dropped, by the fault. */
const DROP_REASON: Partial<Record<ErrorCode, DropReason>> = {
  SUPERSEDED: "superseded",
  DEADLINE_PASSED: "deadline",
  QUEUE_FULL: "queue_full",
  ENGINE_UNAVAILABLE: "engine_unavailable",
  ENGINE_FAILED: "engine_unavailable",
  ENGINE_REFUSED: "engine_refused",
  ENGINE_POISON: "poison",
  ANSWER_INVALID: "answer_invalid",
  MEDIA_INVALID: "frame_invalid",
  DATA_FULL: "record_unavailable",
  DATA_UNWRITABLE: "record_unavailable",
  DATA_CORRUPT: "record_unavailable",
  CANCELLED: "stopping",
};

/**
 * The way data takes, forward only: feed -> gate -> inference -> watch -> record. Delivery reads the
 * record's outbox by itself.
 */
export class MainPath implements FeedSink, Part {
  readonly name = "watching";
  private readonly frameGates = new Map<string, FrameGate>();
  private readonly clipGates = new Map<string, ClipGate>();
  private readonly watchers: Watchers;
  /** What is watched, as it was changed last. */
  private watching: Watching;
  private readonly work = new Set<Promise<void>>();
  /** When each watch last asked about pictures, monotonic ms. */
  private readonly asked = new Map<string, number>();
  private state: "starting" | "ok" | "stopped" = "stopped";

  constructor(private readonly options: Options) {
    const { config, truthOf } = options;
    this.watching = config;
    this.watchers = new Watchers({ node: config.node, truthOf });
  }

  async start(): Promise<void> {
    this.state = "starting";
    for (const feed of this.options.config.feeds) {
      if (feed.kind === "camera") this.frameGates.set(feed.id, new FrameGate(feed.gate));
      else this.clipGates.set(feed.id, await createClipGate(feed.gate));
    }
    // Events that were open when the service last ran go on; until the record opens nothing is asked.
    const opened = this.options.record.whenOpen().then(() => this.takeUpEvents());
    await Promise.race([opened, Promise.resolve()]);
  }

  /** Resolves when every question that was begun is answered and recorded, or dropped. */
  async stop(): Promise<void> {
    this.state = "stopped";
    await Promise.all(this.work);
  }

  health(): Health {
    return { state: this.state };
  }

  /** Questions that were begun and are neither recorded nor dropped. */
  get underWay(): number {
    return this.work.size;
  }

  /** Watches were changed, or feeds switched: from now on these are asked. */
  apply(watching: Watching): void {
    this.watching = watching;
    if (this.state === "ok") this.end(this.watchers.become(watching, this.options.clock.now()));
  }

  private takeUpEvents(): void {
    if (this.state !== "starting") return;
    const { record, clock } = this.options;
    const ends = this.watchers.become(this.watching, clock.now(), record.openEvents());
    this.state = "ok";
    this.end(ends);
  }

  /** Records the last messages of events that nobody watches any more. */
  private end(events: readonly Event[]): void {
    if (events.length === 0) return;
    const { record, logger, onEvent } = this.options;
    const messages = events.map((event) => this.eventMessage(event));
    const writing = record
      .write({ events: [...events], messages })
      .then(() => events.forEach(onEvent))
      .catch((error: unknown) => {
        if (!isPerchError(error)) throw error;
        // They are open in the record still: the next start ends them.
        logger.warn(
          { part: this.name },
          `the end of ${events.length} events was not recorded: ${error.message}`,
        );
      })
      .finally(() => this.work.delete(writing));
    this.work.add(writing);
  }

  frame(frame: Frame): void {
    const { metrics, clock } = this.options;
    metrics.frames.inc({ feed: frame.feed });
    for (const watcher of this.watchers.all) watcher.saw(frame);
    const decision = this.frameGates.get(frame.feed)?.decide(frame);
    if (!decision) return;
    metrics.gate.inc({ feed: frame.feed, outcome: decision.pass ? decision.reason : "held" });
    if (!decision.pass) return;
    metrics.observeStage("capture_to_gate", clock.now() - frame.at);
    for (const watcher of this.watchers.all) this.begin(watcher, watcher.framePassed(frame));
  }

  sound(sound: Sound): void {
    const { metrics } = this.options;
    const gate = this.clipGates.get(sound.feed);
    if (!gate) return;
    const { clips, held } = gate.push(sound);
    if (held > 0) metrics.gate.inc({ feed: sound.feed, outcome: "held" }, held);
    for (const clip of clips) this.clip(clip);
  }

  status(feed: string, status: FeedStatus): void {
    this.options.metrics.feedState.set({ feed }, status.state === "live" ? 1 : 0);
    this.options.onStatus(feed, status);
  }

  private clip({ clip: cut, reason }: GatedClip): void {
    const { metrics, clock, truthOf } = this.options;
    metrics.gate.inc({ feed: cut.feed, outcome: reason });
    const ended = cut.at + cut.length;
    metrics.observeStage("capture_to_gate", Math.max(0, clock.now() - ended));
    const truth = truthOf(cut.feed, cut.at, ended);
    const clip: Clip = truth ? { ...cut, truth } : cut;
    for (const watcher of this.watchers.all) this.begin(watcher, watcher.clipPassed(clip));
  }

  private begin(watcher: Watcher, question: Question | NotAsked | undefined): void {
    if (!question) return;
    const { metrics, record } = this.options;
    // While nothing can be recorded an answer would be lost: it is not asked for.
    if (typeof question === "string" || !record.accepting()) {
      metrics.drop(typeof question === "string" ? question : "record_unavailable");
      return;
    }
    if (this.tooSoon(watcher.watch.id, question)) {
      metrics.drop("level_interval");
      return;
    }
    const answering = this.answer(watcher, question)
      .catch((error: unknown) => this.dropped(watcher, error))
      .finally(() => this.work.delete(answering));
    this.work.add(answering);
  }

  /** Whether the level that runs answers pictures of this watch no more often; every sound is asked about. */
  private tooSoon(watch: string, { clip }: Question): boolean {
    if (clip !== undefined) return false;
    const now = this.options.clock.monotonic();
    const last = this.asked.get(watch);
    if (last !== undefined && now - last < this.options.interval()) return true;
    this.asked.set(watch, now);
    return false;
  }

  private async answer(watcher: Watcher, question: Question): Promise<void> {
    const { metrics, clock, record, tally, onEvent } = this.options;
    const passed = clock.monotonic();
    const answered = await this.ask(question);
    metrics.observeStage("gate_to_send", answered.sent - passed);
    const observation = this.observationOf(watcher, question, answered);
    const events = this.watchers.observe(watcher, observation);
    const newest = question.frames.at(-1);
    await record.write({
      observation,
      events,
      messages: this.messagesOf(observation, events),
      ...(newest && events.length > 0 && { thumbnail: newest.jpeg }),
    });
    const committed = clock.monotonic() - answered.received;
    metrics.observeStage("answer_to_commit", committed);
    metrics.observeStage("own", answered.sent - passed + committed);
    metrics.observeStage("total", clock.now() - question.captured);
    if (question.truth) tally.count(observation.answer, question.truth);
    for (const event of events) onEvent(event);
  }

  private ask({ watch, frames, clip }: Question): Promise<Answered> {
    const { inference, clock } = this.options;
    return inference.submit({
      prompt: {
        question: watch.question,
        schema: watch.answer,
        images: frames.map(({ jpeg }) => jpeg),
        ...(clip && { audio: wavOf(clip.samples) }),
      },
      lane: watch.lane,
      deadline: clock.monotonic() + watch.deadline,
      // Of a picture the newest is worth the most; every sound is heard once only, and waits its turn.
      ...(clip === undefined && { newest: watch.id }),
    });
  }

  private observationOf(watcher: Watcher, question: Question, answered: Answered): Observation {
    const { config, clock, hottest } = this.options;
    const now = clock.now();
    return {
      id: uuidv7(now),
      node: config.node,
      watch: watcher.watch.id,
      feeds: [...question.feeds],
      captured: iso(question.captured),
      answered: iso(now),
      answer: watcher.parse(answered.reply.text),
      provenance: provenanceOf(answered, hottest()),
    };
  }

  private messagesOf(observation: Observation, events: readonly Event[]) {
    const topic = observationTopic(this.options.base, observation.watch);
    return [
      { topic, payload: JSON.stringify(observation) },
      ...events.map((event) => this.eventMessage(event)),
    ];
  }

  private eventMessage(event: Event) {
    return { topic: eventTopic(this.options.base, event.watch, event.rule), payload: JSON.stringify(event) };
  }

  private dropped(watcher: Watcher, error: unknown): void {
    const { metrics, logger } = this.options;
    const reason = isPerchError(error) ? DROP_REASON[error.code] : undefined;
    // A fault that nobody expected is a bug in the program: it must not go on as if nothing were.
    if (reason === undefined) throw error;
    metrics.drop(reason);
    const quiet = reason === "superseded" || reason === "deadline" || reason === "stopping";
    logger[quiet ? "debug" : "warn"](
      { watch: watcher.watch.id },
      `${watcher.watch.id}: a question was not answered: ${messageOf(error)}`,
    );
  }
}
