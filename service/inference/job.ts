import { LANES, type Lane } from "../contract/config-watches.ts";
import type { LaneRule, QueueDrop, Ticket } from "../kernel/bounded-queue.ts";
import { PerchError } from "../kernel/errors.ts";
import type { EngineStamp, Prompt, RawRequest, Reply } from "./engine.ts";

export type InferenceRequest = Terms & ({ readonly prompt: Prompt } | { readonly raw: RawRequest });

interface Terms {
  readonly lane: Lane;
  /** When it is dropped if it was not begun, monotonic ms. */
  readonly deadline: number;
  /** Of the requests that wait with the same key, only the newest is kept. */
  readonly newest?: string;
  readonly signal?: AbortSignal;
  /** Why the engine died under the same request, where somebody sends it again: it is a suspect from the start. */
  readonly deaths?: readonly string[];
}

export interface Answered {
  readonly reply: Reply;
  /** Which model answered. */
  readonly stamp: EngineStamp;
  /** Ms from submit to the engine. */
  readonly queued: number;
  /** When it went to the engine, monotonic ms. */
  readonly sent: number;
  /** When the answer was complete, monotonic ms. */
  readonly received: number;
}

/** A request from submit to its end. */
export interface Job {
  readonly id: number;
  readonly work: Prompt | RawRequest;
  readonly added: number;
  readonly signal: AbortSignal | undefined;
  /** Why the engine died under it, each time. */
  readonly deaths: string[];
  settled: boolean;
  resolve(answered: Answered): void;
  reject(error: PerchError): void;
}
export type Waiting = Ticket<Job>;

/**
 * A kiosk's visitor waits for one answer at most, and an alarm for those before it; the others get their share, however
 * many programs ask: of twelve turns that all want, watches have three and batches one.
 */
const PATIENCE: Partial<Record<Lane, { readonly patience: number }>> = {
  api: { patience: 3 },
  watch: { patience: 3 },
  batch: { patience: 12 },
};

/** The lanes of the queue, first served first. */
export const LANE_RULES: readonly LaneRule[] = LANES.map((name) => ({ name, ...PATIENCE[name] }));

export function jobOf(
  { id, added, work }: Pick<Job, "id" | "added" | "work">,
  { signal, deaths = [] }: Terms,
  on: { answered(answered: Answered): void; failed(error: PerchError): void; settled(): void },
): Job {
  const job: Job = {
    id,
    work,
    added,
    signal,
    deaths: [...deaths],
    settled: false,
    resolve: (answered) => {
      job.settled = true;
      on.settled();
      on.answered(answered);
    },
    reject: (error) => {
      job.settled = true;
      on.settled();
      on.failed(error);
    },
  };
  return job;
}

export const stoppingFault = () => new PerchError("CANCELLED", "Perch is stopping");
export const cancelledFault = () => new PerchError("CANCELLED", "the request was given up");

export function dropFault({ lane }: Waiting, reason: QueueDrop, capacity: number): PerchError {
  switch (reason) {
    case "deadline":
      return new PerchError("DEADLINE_PASSED", "the engine had no time for this request before its deadline");
    case "superseded":
      return new PerchError("SUPERSEDED", "a newer request took the place of this one");
    case "full":
      return new PerchError(
        "QUEUE_FULL",
        `${capacity} requests wait already, none of them less urgent than lane ${lane}`,
      );
  }
}

/** Throws SUPERSEDED where another level runs than the one that it must be answered by. */
export function beginRaw({ level, sink }: RawRequest, stamp: EngineStamp, queued: number): void {
  if (level !== undefined && level !== stamp.level)
    throw new PerchError("SUPERSEDED", `level ${level} was asked for, and ${stamp.level} runs now`);
  sink.begin(stamp, queued);
}
