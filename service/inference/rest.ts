/**
 * Holds a pace where work comes in whole answers: what was worked is rested for, at the pace of the moment,
 * before the next answer begins. At pace 0 none begins.
 */
export class Rest {
  /** Seconds of work that have not been rested for. */
  private owed = 0;

  /** The model worked, on one answer or several side by side. */
  worked(seconds: number): void {
    this.owed += seconds;
  }

  /** The model did not work. Rests no further ahead than what was worked. */
  rested(seconds: number, pace: number): void {
    if (pace <= 0) return;
    this.owed = pace >= 1 ? 0 : Math.max(0, this.owed - (seconds * pace) / (1 - pace));
  }

  mayBegin(pace: number): boolean {
    return pace >= 1 || (pace > 0 && this.owed <= 0);
  }

  /** Seconds of rest until the next answer may begin; Infinity at pace 0. */
  waits(pace: number): number {
    if (this.mayBegin(pace)) return 0;
    return pace <= 0 ? Number.POSITIVE_INFINITY : (this.owed * (1 - pace)) / pace;
  }
}
