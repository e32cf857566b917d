import { createHash } from "node:crypto";
import type { Clock } from "../../kernel/clock.ts";
import { isPerchError, type PerchError } from "../../kernel/errors.ts";

/** Requests that are remembered; the oldest goes first. */
const MOST = 200;
/** How long, ms. */
const KEPT = 3_600_000;

interface Suspicion {
  readonly deaths: readonly string[];
  readonly poison: PerchError | undefined;
  readonly until: number;
}

/**
 * Remembers requests under which the engine died. Clients repeat by themselves what failed: without this each
 * repeat of one that kills the engine would end it again, under everybody's requests.
 */
export class Suspicions {
  private readonly known = new Map<string, Suspicion>();

  constructor(private readonly clock: Clock) {}

  /** How the engine died under the very same request; throws what it ended with where it is not asked again. */
  deathsUnder(path: string, body: string): readonly string[] {
    // Nearly always: no large body is hashed for nothing.
    if (this.known.size === 0) return [];
    const suspicion = this.known.get(printOf(path, body));
    if (!suspicion || suspicion.until < this.clock.monotonic()) return [];
    if (suspicion.poison) throw suspicion.poison;
    return suspicion.deaths;
  }

  /** It was answered after all. */
  clear(path: string, body: string): void {
    if (this.known.size > 0) this.known.delete(printOf(path, body));
  }

  /** What a request failed with. */
  note(path: string, body: string, error: unknown): void {
    if (!isPerchError(error, "ENGINE_FAILED", "ENGINE_POISON")) return;
    const [oldest] = this.known.keys();
    if (this.known.size >= MOST && oldest !== undefined) this.known.delete(oldest);
    this.known.set(printOf(path, body), {
      deaths: [error.message],
      poison: error.code === "ENGINE_POISON" ? error : undefined,
      until: this.clock.monotonic() + KEPT,
    });
  }
}

const printOf = (path: string, body: string): string =>
  createHash("sha256").update(path).update("\0").update(body).digest("base64");
