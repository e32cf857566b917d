/**
 * Waiting times between tries: they double from `first` to `most`, each with a random half taken off,
 * so that many boxes that lost the same broker do not come back at the same moment.
 * Source: "equal jitter", AWS Architecture Blog, "Exponential Backoff And Jitter" (2015).
 */
export class Backoff {
  private tries = 0;

  constructor(
    private readonly first: number,
    private readonly most: number,
    private readonly random: () => number = Math.random,
  ) {}

  /** Ms to wait before the next try. */
  next(): number {
    const full = Math.min(this.most, this.first * 2 ** Math.min(this.tries, 30));
    this.tries += 1;
    return full / 2 + (full / 2) * this.random();
  }

  /** A try worked: the next wait is the first again. */
  reset(): void {
    this.tries = 0;
  }
}
