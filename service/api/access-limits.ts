import type { Rate } from "../contract/access.ts";
import type { Clock } from "../kernel/clock.ts";
import { addressBytes } from "./access-hosts.ts";

/** Wrong tokens that one address may show within a minute. */
export const MOST_WRONG = 10;
const MINUTE = 60_000;
/** Addresses that are remembered; beyond that those that were quiet for longest are forgotten. */
const MOST_ADDRESSES = 10_000;

interface Attempts {
  readonly wrong: number[];
  lockedUntil: number;
}

/** Locks an address out for a minute once it showed ten wrong tokens within one. */
export class AttemptLimit {
  private readonly addresses = new Map<string, Attempts>();

  constructor(private readonly clock: Clock) {}

  /** Ms until the address may show a token again; 0: now. */
  wait(address: string): number {
    const { lockedUntil = 0 } = this.addresses.get(networkOf(address)) ?? {};
    return Math.max(0, lockedUntil - this.clock.monotonic());
  }

  /** The address showed a wrong token; returns whether that locks it out. */
  failed(address: string): boolean {
    const now = this.clock.monotonic();
    const key = networkOf(address);
    const before = this.addresses.get(key)?.wrong.filter((at) => at > now - MINUTE) ?? [];
    const wrong = [...before, now];
    const locks = wrong.length >= MOST_WRONG;
    // Put in anew, so that the map stays in the order of the last failure.
    this.addresses.delete(key);
    this.addresses.set(key, locks ? { wrong: [], lockedUntil: now + MINUTE } : { wrong, lockedUntil: 0 });
    const [quietest] = this.addresses.keys();
    if (this.addresses.size > MOST_ADDRESSES && quietest !== undefined) this.addresses.delete(quietest);
    return locks;
  }
}

/** What one other end can choose freely counts as one address: of IPv6 that is the last half. */
function networkOf(address: string): string {
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
