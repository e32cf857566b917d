import type { Rate } from "../../contract/access.ts";
import type { Clock } from "../../kernel/clock.ts";
import { addressBytes } from "./hosts.ts";

/** Wrong tokens that one address may show within a minute. */
export const MOST_WRONG = 10;
const MINUTE = 60_000;
/** Keys that are remembered; beyond that those that were quiet for longest are forgotten. */
const MOST_KEYS = 10_000;

/** All times in ms. */
export interface AttemptRule {
  /** Wrong ones that lock. */
  readonly most: number;
  /** Within this time. */
  readonly within: number;
  /** For how long. */
  readonly lock: number;
  /** Each lock that follows another lasts twice as long, up to this. */
  readonly longest: number;
}

/** Of tokens there is nothing to guess: this is against noise and broken clients. */
const OF_TOKENS: AttemptRule = { most: MOST_WRONG, within: MINUTE, lock: MINUTE, longest: MINUTE };

interface Attempts {
  readonly wrong: number[];
  /** That have begun and are not decided. */
  open: number;
  lockedUntil: number;
  /** How long the last lock lasted; 0: none yet. */
  lasted: number;
}

/** Locks out who is wrong too often: an address for a minute once it showed ten wrong tokens within one, unless the rule says otherwise. */
export class AttemptLimit {
  private readonly keys = new Map<string, Attempts>();

  constructor(
    private readonly clock: Clock,
    private readonly rule: AttemptRule = OF_TOKENS,
  ) {}

  /** Ms until the next attempt may be made; 0: now. */
  wait(key: string): number {
    const { lockedUntil = 0, open = 0, wrong = [] } = this.keys.get(networkOf(key)) ?? {};
    // Those under way may turn out wrong: many at once get no more than many in turn.
    const tooMany = open > 0 && open + this.recent(wrong).length >= this.rule.most ? 1000 : 0;
    return Math.max(tooMany, lockedUntil - this.clock.monotonic());
  }

  /** It was wrong; returns whether that locks. */
  failed(key: string): boolean {
    const { most, lock, longest, within } = this.rule;
    const now = this.clock.monotonic();
    const before = this.keys.get(networkOf(key)) ?? NONE;
    const wrong = [...this.recent(before.wrong), now];
    const locks = wrong.length >= most;
    // Doubled while one follows another; forgotten where it was quiet for long.
    const lasted = now < before.lockedUntil + Math.max(within, longest) ? before.lasted : 0;
    const length = lasted === 0 ? lock : Math.min(longest, 2 * lasted);
    this.keep(key, {
      open: before.open,
      ...(locks
        ? { wrong: [], lockedUntil: now + length, lasted: length }
        : { wrong, lockedUntil: before.lockedUntil, lasted }),
    });
    return locks;
  }

  /** An attempt that takes its time begins; whoever calls says at its end whether it was right. Returns whether that locks. */
  begin(key: string): (right: boolean) => boolean {
    const before = this.keys.get(networkOf(key)) ?? NONE;
    this.keep(key, { ...before, open: before.open + 1 });
    return (right) => {
      const now = this.keys.get(networkOf(key)) ?? NONE;
      this.keep(key, { ...now, open: Math.max(0, now.open - 1) });
      return right ? false : this.failed(key);
    };
  }

  private recent(wrong: readonly number[]): number[] {
    const now = this.clock.monotonic();
    return wrong.filter((at) => at > now - this.rule.within);
  }

  /** Put in anew, so that the map stays in the order of the last attempt. */
  private keep(key: string, attempts: Attempts): void {
    const network = networkOf(key);
    this.keys.delete(network);
    this.keys.set(network, attempts);
    const [quietest] = this.keys.keys();
    if (this.keys.size > MOST_KEYS && quietest !== undefined) this.keys.delete(quietest);
  }
}

const NONE: Attempts = { wrong: [], open: 0, lockedUntil: 0, lasted: 0 };

/** What one other end can choose freely counts as one address: of IPv6 that is the last half. Other texts are themselves. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const bytes = addressBytes(address);
  // ::1 shares its half with nobody.
  return bytes?.length === 16 ? bytes.slice(0, 8).join(".") : address;
}

interface Bucket {
  left: number;
  at: number;
}

/** A token's requests: so many at once, and as many more as the rate brings back. */
export class RateLimits {
  private readonly buckets = new Map<string, Bucket>();

  constructor(private readonly clock: Clock) {}

  /** Counts a request; ms until one is allowed, 0 where this one is. */
  take(tokenId: string, { count, per }: Rate): number {
    const now = this.clock.monotonic();
    const { left: before = count, at = now } = this.buckets.get(tokenId) ?? {};
    const left = Math.min(count, before + ((now - at) * count) / per);
    const allowed = left >= 1;
    this.buckets.set(tokenId, { left: allowed ? left - 1 : left, at: now });
    return allowed ? 0 : ((1 - left) * per) / count;
  }
}
