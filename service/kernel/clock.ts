/** Time as the service sees it; tests hand in one that they move themselves. */
export interface Clock {
  /** Epoch ms. */
  now(): number;
  /** Ms since some fixed moment; never goes back. */
  monotonic(): number;
  /** Calls back once after `ms`; the returned function takes it back. Does not keep the process alive. */
  after(ms: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, callback) {
    let timer: NodeJS.Timeout;
    const wait = (left: number) => {
      timer = setTimeout(() => (left > LONGEST ? wait(left - LONGEST) : callback()), Math.min(left, LONGEST));
      timer.unref();
    };
    wait(ms);
    return () => clearTimeout(timer);
  },
};

/** Of a longer wait setTimeout makes one of 1 ms. */
const LONGEST = 2 ** 31 - 1;

/** Resolves after `ms`, or at once when the signal aborts. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      cancel();
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.after(ms, done);
    signal?.addEventListener("abort", done, { once: true });
  });
}

/** A time as messages and rows hold it. */
export const iso = (epochMs: number): string => new Date(epochMs).toISOString();
