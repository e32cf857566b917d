import type { Answer } from "./contract/answer.ts";
import type { Truth } from "./contract/media.ts";
import type { Metrics } from "./kernel/metrics.ts";

/** Of a field of simulated feeds: how many answers there were, and how many of them were right. */
export interface Agreement {
  n: number;
  right: number;
}

/** What `perch run --report` writes. */
export interface RunReport {
  readonly observations: number;
  /** Event messages: starts, updates and ends. */
  readonly events: number;
  readonly drops: Record<string, number>;
  readonly published: number;
  readonly acknowledged: number;
  /** Ms of each stage. */
  readonly latency: Record<string, { p50: number; p95: number; p99: number }>;
  readonly truth: Record<string, Agreement>;
}

/** Keeps count of how answers about simulated feeds agree with what was simulated. */
export class TruthTally {
  private readonly fields = new Map<string, Agreement>();

  count(answer: Answer, truth: Truth): void {
    for (const [field, value] of Object.entries(truth)) {
      if (answer[field] === undefined) continue;
      const tally = this.fields.get(field) ?? { n: 0, right: 0 };
      tally.n += 1;
      if (answer[field] === value) tally.right += 1;
      this.fields.set(field, tally);
    }
  }

  /** By field, all watches together. */
  totals(): Record<string, Agreement> {
    return Object.fromEntries(this.fields);
  }
}

export async function runReport(metrics: Metrics, tally: TruthTally): Promise<RunReport> {
  return {
    observations: await metrics.total(metrics.observations),
    events: await metrics.total(metrics.events),
    drops: await metrics.totalsBy(metrics.drops, "reason"),
    published: await metrics.total(metrics.published),
    acknowledged: await metrics.total(metrics.acknowledged),
    latency: await metrics.stagePercentiles(),
    truth: tally.totals(),
  };
}
