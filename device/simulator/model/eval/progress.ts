/** What of a long examination is done: one line that is rewritten on a terminal, a line a level elsewhere. */
export class Progress {
  private readonly begun = performance.now();
  private done = 0;
  private drawn = 0;

  constructor(
    private readonly title: string,
    private readonly total: number,
    private readonly out: NodeJS.WriteStream = process.stderr,
  ) {}

  readonly step = (): void => {
    this.done += 1;
    const now = performance.now();
    if (!this.out.isTTY || now - this.drawn < 250) return;
    this.drawn = now;
    const rate = this.done / ((now - this.begun) / 1000);
    const left = Math.ceil((this.total - this.done) / rate);
    this.out.write(
      `\r\x1b[K${this.title}: ${this.done} of ${this.total}, ${rate.toFixed(0)} a second, ${left} s left`,
    );
  };

  end(): void {
    const seconds = (performance.now() - this.begun) / 1000;
    const clear = this.out.isTTY ? "\r\x1b[K" : "";
    this.out.write(`${clear}${this.title}: ${this.total} in ${seconds.toFixed(0)} s\n`);
  }
}
