/** One place in the stream of pictures: a whole JPEG, or what was in its place. */
export type JpegItem =
  | { readonly jpeg: Buffer; readonly width: number; readonly height: number }
  | { readonly invalid: string };

interface Options {
  /** Bytes a picture may have; a larger one is skipped without being kept. */
  readonly maxBytes: number;
  /** Whether a picture of this size, pixels, may pass. */
  accepts(width: number, height: number): boolean;
}

const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
/** FF, code and length of a segment, bytes. */
const HEADER = 4;
/** FF Cn, length (2), precision (1), height (2), width (2): bytes of a frame header up to its size. */
const FRAME_HEADER = 9;

/** What the next bytes are: outside a picture, a marker, a segment's bytes, or entropy-coded data. */
type State = "outside" | "marker" | "segment" | "scan";

/**
 * Cuts a stream of bytes into JPEG pictures, however the stream is chunked. It walks the segments by their
 * lengths, so that a thumbnail inside a picture ends nothing, and holds at most `maxBytes`.
 * Source of the syntax: ITU-T T.81, annex B.
 */
export class JpegSplitter {
  private state: State = "outside";
  private held: Buffer = Buffer.allocUnsafe(64 * 1024);
  private length = 0;
  /** Where the current marker or segment began in `held`. */
  private mark = 0;
  private width = 0;
  private height = 0;
  private scans = 0;
  private readonly out: JpegItem[] = [];

  constructor(private readonly options: Options) {}

  /** Takes the next bytes and gives the pictures that they complete. */
  push(chunk: Uint8Array): JpegItem[] {
    this.take(chunk);
    return this.out.splice(0);
  }

  private take(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let at = 0;
    while (at < bytes.length) {
      const room = this.options.maxBytes - this.length;
      // Given up at exactly this byte, however the stream is chunked.
      if (room <= 0) this.fail(`a picture of more than ${this.options.maxBytes} bytes`);
      const end = Math.min(bytes.length, at + Math.max(room, 1));
      if (this.state === "outside") at = this.seek(bytes, at);
      else if (this.state === "scan") at = this.scan(bytes, at, end);
      else if (this.state === "segment") at = this.segment(bytes, at, end);
      else at = this.marker(bytes, at);
    }
  }

  /** Looks for FF D8 between pictures; anything else there is passed over. */
  private seek(bytes: Buffer, at: number): number {
    if (this.length === 0) {
      const found = bytes.indexOf(0xff, at);
      if (found < 0) return bytes.length;
      return this.keep(bytes, found, found + 1);
    }
    const next = bytes[at];
    if (next === 0xff) return at + 1;
    if (next === SOI) {
      this.keep(bytes, at, at + 1);
      this.begin("marker");
    } else this.length = 0;
    return at + 1;
  }

  /** Reads FF, fill bytes and the marker's code. */
  private marker(bytes: Buffer, at: number): number {
    const next = bytes[at] ?? 0;
    if (this.length === this.mark) {
      if (next === 0xff) return this.keep(bytes, at, at + 1);
      this.fail("no marker where one must be");
      return at;
    }
    if (next === 0xff) return at + 1; // fill bytes, T.81 B.1.1.2
    this.keep(bytes, at, at + 1);
    if (next === EOI) this.finish();
    else if (next === SOI) this.restart();
    else if (next === 0x00) this.fail("no marker where one must be");
    else if (next === 0x01 || isRestart(next)) this.begin("marker");
    else this.state = "segment";
    return at + 1;
  }

  /** Reads the two bytes of a segment's length, then its rest; `mark` stands at its FF. */
  private segment(bytes: Buffer, at: number, end: number): number {
    const next = this.keep(bytes, at, Math.min(end, at + this.segmentSize() - (this.length - this.mark)));
    const have = this.length - this.mark;
    if (have >= HEADER && this.segmentSize() < HEADER) this.fail("a segment of impossible length");
    else if (have >= HEADER && have === this.segmentSize()) this.endSegment();
    return next;
  }

  /** Bytes of the segment at `mark`, its marker included; only its header's while the length is not yet read. */
  private segmentSize(): number {
    return this.length - this.mark < HEADER ? HEADER : 2 + this.held.readUInt16BE(this.mark + 2);
  }

  private endSegment(): void {
    const code = this.held[this.mark + 1] ?? 0;
    if (isFrameHeader(code) && this.length - this.mark >= FRAME_HEADER) {
      this.height = this.held.readUInt16BE(this.mark + 5);
      this.width = this.held.readUInt16BE(this.mark + 7);
    }
    if (code === SOS) this.scans += 1;
    this.begin(code === SOS ? "scan" : "marker");
  }

  /** Passes over entropy-coded data: FF 00 and FF D0 to D7 belong to it, any other marker ends it. */
  private scan(bytes: Buffer, at: number, end: number): number {
    if (this.length > this.mark && this.held[this.length - 1] === 0xff) return this.scanMarker(bytes, at);
    const found = bytes.indexOf(0xff, at);
    return this.keep(bytes, at, found < 0 ? end : Math.min(end, found + 1));
  }

  private scanMarker(bytes: Buffer, at: number): number {
    const next = bytes[at] ?? 0;
    if (next === 0xff) return at + 1;
    if (next === 0x00 || isRestart(next)) return this.keep(bytes, at, at + 1);
    // The FF is held already: the marker begins there.
    this.mark = this.length - 1;
    this.state = "marker";
    return at;
  }

  private finish(): void {
    const { width, height } = this;
    if (width === 0 || height === 0 || this.scans === 0)
      this.out.push({ invalid: "a picture without image data" });
    else if (!this.options.accepts(width, height))
      this.out.push({ invalid: `a picture of ${width} x ${height}, which is not the size asked for` });
    else this.out.push({ jpeg: Buffer.from(this.held.subarray(0, this.length)), width, height });
    this.reset();
  }

  private fail(reason: string): void {
    this.out.push({ invalid: reason });
    this.reset();
  }

  /** A picture begins inside another: the first one is given up, the second goes on. */
  private restart(): void {
    this.fail("a picture that was not ended");
    this.held[0] = 0xff;
    this.held[1] = SOI;
    this.length = 2;
    this.begin("marker");
  }

  private begin(state: State): void {
    this.state = state;
    this.mark = this.length;
  }

  private reset(): void {
    this.state = "outside";
    this.length = 0;
    this.mark = 0;
    this.width = 0;
    this.height = 0;
    this.scans = 0;
  }

  /** Keeps bytes from `from` to before `to`, and gives `to`. */
  private keep(bytes: Buffer, from: number, to: number): number {
    const needed = this.length + to - from;
    if (needed > this.held.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.held.length * 2));
      this.held.copy(larger, 0, 0, this.length);
      this.held = larger;
    }
    bytes.copy(this.held, this.length, from, to);
    this.length = needed;
    return to;
  }
}

const isRestart = (code: number): boolean => code >= 0xd0 && code <= 0xd7;

/** SOF0 to SOF15 but DHT (C4), JPG (C8) and DAC (CC). */
function isFrameHeader(code: number): boolean {
  return code >= 0xc0 && code <= 0xcf && code !== 0xc4 && code !== 0xc8 && code !== 0xcc;
}
