/** Ms until whoever waits is told how far it is, and between two lines in a log. */
const PATIENT = 2_000;
const TELL = 10_000;
/** Goes to the line's beginning and clears it. */
const CLEAR = "\r\u001b[K";

/** Tells on standard error how far something is that takes longer than anybody likes to wait unknowing. */
export class Patience {
  private readonly begun = performance.now();
  private told = 0;
  private drawn = false;

  /** What takes less than 2 s is not told of. */
  show(text: string): void {
    const now = performance.now();
    if (now - this.begun < PATIENT) return;
    const terminal = process.stderr.isTTY;
    if (!terminal && now - this.told < TELL) return;
    this.told = now;
    process.stderr.write(terminal ? `${CLEAR}${text}` : `${text}\n`);
    this.drawn = terminal;
  }

  /** Before anything else is written. */
  over(): void {
    if (this.drawn) process.stderr.write(CLEAR);
    this.drawn = false;
  }
}
