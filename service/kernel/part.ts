/**
 * `ok`: does its work. `degraded`: does not, says why, and tries again by itself.
 * `starting` and `stopped` are what they say.
 */
export type HealthState = "starting" | "ok" | "degraded" | "stopped";

export interface Health {
  readonly state: HealthState;
  /** For a person: what is wrong and what to do. Only with `degraded`. */
  readonly reason?: string;
  /** Figures worth showing beside it. */
  readonly detail?: Readonly<Record<string, string | number | boolean>>;
}

/**
 * A piece of the service with a life of its own. Constructors only assign.
 *
 * `start` resolves when the part is up, or when it has gone `degraded` and retries by itself; it throws
 * only what no retry can mend (a second process on the same data folder). `stop` loses nothing that was
 * accepted and may be called at any moment after `start` was.
 */
export interface Part {
  readonly name: string;
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
  health(): Health;
}
