import type { Protocol } from "./broker-connection.ts";
import type { FaultKind } from "./broker-fault.ts";

/** Ms after which MQTT 5 is tried again on a broker that did not speak it. */
const TRY_FIVE_AGAIN = 6 * 3_600_000;
/** A broker that cuts an MQTT 5 CONNECT this often in a row is asked in 3.1.1. */
const CUTS = 2;

/** Which version of MQTT to try next: 5, and 3.1.1 with a broker that was seen not to speak 5. */
export class ProtocolChoice {
  private next: Protocol = 5;
  /** When 3.1.1 was chosen, monotonic ms. */
  private since = 0;
  private cuts = 0;

  /** `now`: monotonic ms. */
  choose(now: number): Protocol {
    if (this.next === 4 && now - this.since >= TRY_FIVE_AGAIN) this.next = 5;
    return this.next;
  }

  connected(): void {
    this.cuts = 0;
  }

  /** A try with `protocol` failed before the CONNACK. Answers whether the other version is to be tried at once. */
  failed(protocol: Protocol, kind: FaultKind, now: number): boolean {
    this.cuts = kind === "closed" ? this.cuts + 1 : 0;
    if (protocol === 5 && (kind === "protocol" || this.cuts >= CUTS)) {
      this.next = 4;
      this.since = now;
      this.cuts = 0;
      return kind === "protocol";
    }
    // It was not the version: a broker that comes back is asked in 5 first.
    if (protocol === 4 && (kind === "protocol" || kind === "closed")) this.next = 5;
    return false;
  }
}
