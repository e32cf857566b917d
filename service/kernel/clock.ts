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

const DAY = 86_400_000;
const numerals = (count: number, digits: number) =>
  Array.from({ length: count }, (_, number) => String(number).padStart(digits, "0"));
const TWO = numerals(60, 2);
const THREE = numerals(1_000, 3);
/** The last day that was written, and how. */
let day = Number.NaN;
let dayText = "";

/**
 * A time as messages and rows hold it: what Date's toISOString gives, RangeError included. A list has it 150 times a
 * page, mostly of one day, and that is a sixth of the page's work unless a day is worked out once.
 */
export function iso(epochMs: number): string {
  const time = Math.trunc(epochMs);
  const thisDay = Math.floor(time / DAY);
  if (thisDay !== day) {
    // All but hh:mm:ss.mmmZ
    dayText = new Date(time).toISOString().slice(0, -13);
    day = thisDay;
  }
  const ms = time - thisDay * DAY;
  const minutes = Math.floor(ms / 60_000);
  const left = ms - minutes * 60_000;
  const seconds = Math.floor(left / 1_000);
  return `${dayText}${TWO[Math.floor(minutes / 60)]}:${TWO[minutes % 60]}:${TWO[seconds]}.${THREE[left - seconds * 1_000]}Z`;
}
