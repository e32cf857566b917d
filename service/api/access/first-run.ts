import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Clock } from "../../kernel/clock.ts";

/** Ms that the link counts. */
const VALID = 24 * 3_600_000;

/** The token of the link that makes the first admin: one at a start, kept in memory only, gone once it was used. */
export class FirstRun {
  private hash: Buffer | undefined;
  private until = 0;

  constructor(private readonly clock: Clock) {}

  /** A new token; earlier ones count no more. */
  offer(): string {
    const token = randomBytes(32).toString("base64url");
    this.hash = hashOf(token);
    this.until = this.clock.now() + VALID;
    return token;
  }

  /**
   * Uses it up where it is this one, so that no second request can have it too; undefined where it is not, or counts
   * no more. What is returned gives it back, for an account that could not be made.
   */
  take(token: string): (() => void) | undefined {
    const hash = this.hash;
    if (!hash || this.clock.now() >= this.until || !timingSafeEqual(hash, hashOf(token))) return undefined;
    this.hash = undefined;
    return () => {
      this.hash ??= hash;
    };
  }

  /** There is an admin by now. */
  withdraw(): void {
    this.hash = undefined;
  }
}

const hashOf = (token: string): Buffer => createHash("sha256").update(token).digest();
