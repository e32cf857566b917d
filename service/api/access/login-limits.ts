import type { Clock } from "../../kernel/clock.ts";
import { AttemptLimit, type AttemptRule, networkOf } from "./limits.ts";

const MINUTE = 60_000;
/** One address: at most some 1,500 guesses a day. */
const OF_ADDRESS: AttemptRule = { most: 10, within: 10 * MINUTE, lock: MINUTE, longest: 10 * MINUTE };
/**
 * One name, of addresses that it never logged in from: at most some 7,000 guesses a day from however many of them,
 * and a minute's wait at most for whoever is right.
 */
const OF_NAME: AttemptRule = { most: 50, within: 10 * MINUTE, lock: MINUTE, longest: MINUTE };
/** Networks that are remembered for a name. */
const MOST_KNOWN = 16;

/** An attempt to log in, once its limits let it begin. */
export interface Attempt {
  /** Says how it ended; returns whether somebody is locked out for it. */
  end(right: boolean): boolean;
}

/**
 * How often passwords may be guessed. By address, and by name for addresses that are strange to it: whoever logged in
 * from an address before is not kept out there by what strangers do elsewhere. Names that are no account's count
 * alike, so that nobody learns from a limit which there are.
 */
export class LoginLimits {
  private readonly addresses: AttemptLimit;
  private readonly names: AttemptLimit;
  /** Networks by name, the last used last. */
  private readonly known = new Map<string, Set<string>>();

  constructor(clock: Clock) {
    this.addresses = new AttemptLimit(clock, OF_ADDRESS);
    this.names = new AttemptLimit(clock, OF_NAME);
  }

  /** Ms until this name may be tried from there; 0: now. */
  wait(name: string, address: string): number {
    const ofAddress = this.addresses.wait(address);
    return this.isKnown(name, address) ? ofAddress : Math.max(ofAddress, this.names.wait(keyOf(name)));
  }

  begin(name: string, address: string): Attempt {
    const ends = [this.addresses.begin(address)];
    if (!this.isKnown(name, address)) ends.push(this.names.begin(keyOf(name)));
    return { end: (right) => ends.map((end) => end(right)).includes(true) };
  }

  /** Somebody who is that account logged in from there. */
  remember(name: string, address: string): void {
    const networks = this.known.get(name) ?? new Set();
    const network = networkOf(address);
    networks.delete(network);
    networks.add(network);
    const [oldest] = networks;
    if (networks.size > MOST_KNOWN && oldest !== undefined) networks.delete(oldest);
    this.known.set(name, networks);
  }

  private isKnown(name: string, address: string): boolean {
    return this.known.get(name)?.has(networkOf(address)) ?? false;
  }
}

/** No address looks like this. */
const keyOf = (name: string): string => `name ${name}`;
