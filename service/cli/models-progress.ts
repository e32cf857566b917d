import { bytesText } from "../contract/units.ts";
import type { LadderFile, Reporter } from "../inference/model-files.ts";

/** What standard error is to whoever shows progress. */
interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Ms between two looks at a file that grows: on a terminal, and in a log. */
const REDRAW = 200;
const TELL = 10_000;
/** Ms over which the speed is taken. */
const WINDOW = 10_000;
/** Goes to the line's beginning and clears it. */
const CLEAR = "\r\u001b[K";

interface Sample {
  readonly at: number;
  readonly done: number;
}

/** How far a file is, on standard error: one line in its place on a terminal, one every 10 s elsewhere. */
export class FileProgress implements Reporter {
  private file = "";
  private done = 0;
  private samples: Sample[] = [];
  private shown = 0;
  private drawn = false;

  constructor(
    private readonly out: Screen = process.stderr,
    private readonly now: () => number = () => performance.now(),
  ) {}

  progress({ file, bytes }: Pick<LadderFile, "file" | "bytes">, done: number): void {
    const at = this.now();
    if (file !== this.file || done < this.done) this.begin(file, at);
    this.done = done;
    this.sample(at);
    const whole = done >= bytes;
    if (!whole && at - this.shown < (this.out.isTTY ? REDRAW : TELL)) return;
    this.shown = at;
    const text = progressText(file, bytes, done, this.speed());
    if (!this.out.isTTY) this.out.write(`${text}\n`);
    // A line that wraps could not be drawn over.
    else this.out.write(`${CLEAR}${text.slice(0, (this.out.columns ?? 80) - 1)}${whole ? "\n" : ""}`);
    this.drawn = this.out.isTTY === true && !whole;
  }

  note(text: string): void {
    this.clear();
    this.out.write(`${text}\n`);
  }

  /** Before anything else is written. */
  clear(): void {
    if (this.drawn) this.out.write(CLEAR);
    this.drawn = false;
  }

  private begin(file: string, at: number): void {
    this.file = file;
    this.samples = [];
    this.shown = at;
  }

  /** Not every piece is one: a fast disk gives thousands a second. */
  private sample(at: number): void {
    const last = this.samples.at(-1);
    if (last && at - last.at < REDRAW) return;
    this.samples = [...this.samples.filter((sample) => at - sample.at <= WINDOW), { at, done: this.done }];
  }

  /** Bytes a second; 0 before it is known. */
  private speed(): number {
    const [first] = this.samples;
    const passed = first ? this.now() - first.at : 0;
    return first && passed > 0 ? ((this.done - first.done) * 1000) / passed : 0;
  }
}

/** "small.gguf  12 %  0.8 of 7.0 GB  45.1 MB/s  2 min left"; speed in bytes a second, 0: not known. */
export function progressText(file: string, bytes: number, done: number, speed: number): string {
  const parts = [file, `${Math.floor((100 * done) / bytes)} %`, `${bytesText(done)} of ${bytesText(bytes)}`];
  if (speed > 0) parts.push(`${bytesText(speed)}/s`);
  if (speed > 0 && done < bytes) parts.push(`${timeText((bytes - done) / speed)} left`);
  return parts.join("  ");
}

function timeText(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.ceil(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
