import { Counter, Gauge, Registry, Summary } from "prom-client";

const PERCENTILES = [0.5, 0.95, 0.99];

/**
 * Stages of an observation's way whose time is measured, in ms. `own` is all but the engine's: from the
 * gate to the request sent (a wait for a free slot included), and from the answer to the commit.
 */
export const STAGES = [
  "capture_to_gate",
  "gate_to_send",
  "queue",
  "engine",
  "answer_to_commit",
  "commit_to_publish",
  "commit_to_ack",
  "own",
  "total",
] as const;
export type Stage = (typeof STAGES)[number];

/** Why something that was captured did not become an observation. */
export type DropReason =
  | "no_earlier_frame"
  | "superseded"
  | "deadline"
  | "queue_full"
  | "level_interval"
  | "engine_unavailable"
  | "engine_refused"
  | "poison"
  | "answer_invalid"
  | "record_unavailable"
  | "frame_invalid"
  | "stopping";

/** Every figure that /metrics and the run report show. One instance a service; nothing is global. */
export class Metrics {
  readonly registry = new Registry();

  readonly frames = this.counter("perch_frames_total", "Frames decoded.", ["feed"]);
  readonly gate = this.counter("perch_gate_total", "Frames and clips that the gate passed or held.", [
    "feed",
    "outcome",
  ]);
  readonly observations = this.counter("perch_observations_total", "Answers recorded.", ["watch"]);
  readonly events = this.counter("perch_events_total", "Event messages recorded.", [
    "watch",
    "rule",
    "phase",
  ]);
  readonly drops = this.counter("perch_drops_total", "Captured but not answered, by reason.", ["reason"]);
  readonly published = this.counter(
    "perch_published_total",
    "Outbox messages handed to the broker, repeats included.",
    [],
  );
  readonly acknowledged = this.counter(
    "perch_acknowledged_total",
    "Outbox messages that the broker acknowledged.",
    [],
  );
  readonly outboxRows = this.gauge("perch_outbox_rows", "Messages that wait for the broker.", []);
  readonly promptTokens = this.counter(
    "perch_prompt_tokens_total",
    "Prompt tokens, by whether the prefix cache had them.",
    ["cached"],
  );
  readonly answerTokens = this.counter("perch_answer_tokens_total", "Tokens answered.", []);
  readonly restarts = this.counter("perch_child_restarts_total", "Child processes started again.", ["child"]);
  readonly modelRequests = this.counter(
    "perch_model_requests_total",
    "Requests to the model, of watches, kiosks and programs, by lane and how they ended.",
    ["lane", "outcome"],
  );
  readonly remoteUp = this.gauge("perch_remote_up", "1 where the server elsewhere answers.", ["server"]);
  readonly remoteRequests = this.counter(
    "perch_remote_requests_total",
    "Requests to servers elsewhere, by how they ended.",
    ["server", "outcome"],
  );
  readonly queueLength = this.gauge("perch_queue_length", "Requests that wait for the engine.", []);
  readonly feedState = this.gauge("perch_feed_live", "1 where the feed is live.", ["feed"]);
  readonly pace = this.gauge("perch_governor_pace", "Share of the time that the model may work.", []);
  readonly level = this.gauge("perch_governor_level", "1 for the level that runs.", ["level"]);
  readonly decisions = this.counter("perch_governor_decisions_total", "Decisions that changed something.", [
    "reason",
  ]);
  readonly switches = this.counter("perch_governor_switches_total", "Changes of level, by how they ended.", [
    "outcome",
  ]);
  readonly temperature = this.gauge("perch_temperature_celsius", "Temperature of a zone.", ["zone"]);
  readonly memoryFree = this.gauge("perch_memory_free_bytes", "What a new allocation can have.", ["memory"]);
  readonly memoryOwn = this.gauge("perch_memory_own_bytes", "What the models hold.", ["memory"]);
  readonly throttling = this.gauge(
    "perch_hardware_throttling",
    "Reasons for which the hardware slows itself down now.",
    [],
  );
  readonly distrusted = this.gauge("perch_sensors_distrusted", "Sensors that are not believed now.", []);
  readonly simulatedBox = this.gauge(
    "perch_box_simulated",
    "1 where the temperatures are a simulated box's.",
    [],
  );
  readonly partHealth = this.gauge("perch_part_ok", "1 where the part is ok.", ["part"]);
  readonly stage = new Summary({
    name: "perch_stage_milliseconds",
    help: "Time of each stage of an observation's way, ms.",
    labelNames: ["stage"],
    percentiles: PERCENTILES,
    registers: [this.registry],
  });

  drop(reason: DropReason, count = 1): void {
    this.drops.inc({ reason }, count);
  }

  observeStage(stage: Stage, ms: number): void {
    this.stage.observe({ stage }, ms);
  }

  /** The value of a counter, all labels added up. */
  async total(counter: Counter<string>): Promise<number> {
    return (await counter.get()).values.reduce((sum, { value }) => sum + value, 0);
  }

  /** The values of a counter by one of its labels. */
  async totalsBy(counter: Counter<string>, label: string): Promise<Record<string, number>> {
    const totals: Record<string, number> = {};
    for (const { labels, value } of (await counter.get()).values) {
      const key = String(labels[label]);
      totals[key] = (totals[key] ?? 0) + value;
    }
    return totals;
  }

  /** p50, p95 and p99 of every stage that happened, ms. */
  async stagePercentiles(): Promise<Record<string, { p50: number; p95: number; p99: number }>> {
    const found: Record<string, { p50: number; p95: number; p99: number }> = {};
    for (const { labels, value } of (await this.stage.get()).values) {
      const { stage, quantile }: { stage?: string | number; quantile?: string | number } = labels;
      if (stage === undefined || quantile === undefined || !Number.isFinite(value)) continue;
      found[stage] ??= { p50: 0, p95: 0, p99: 0 };
      found[stage][`p${Math.round(Number(quantile) * 100)}` as "p50"] = Math.round(value * 1000) / 1000;
    }
    return found;
  }

  private counter<L extends string>(name: string, help: string, labelNames: L[]): Counter<L> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  private gauge<L extends string>(name: string, help: string, labelNames: L[]): Gauge<L> {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }
}
