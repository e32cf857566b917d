import { type Clock, systemClock } from "../../service/kernel/clock.ts";

/** A clock by which waits are `factor` times as short as they say: retries that take minutes take seconds. */
export function hurriedClock(factor: number): Clock {
  return {
    now: () => systemClock.now(),
    monotonic: () => systemClock.monotonic() * factor,
    after: (ms, callback) => systemClock.after(ms / factor, callback),
  };
}
