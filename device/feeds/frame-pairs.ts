import type { Readable } from "node:stream";
import { LUMA_HEIGHT, LUMA_WIDTH, type Luma } from "../../service/contract/media.ts";
import { type JpegItem, JpegSplitter } from "./jpeg-splitter.ts";

const LUMA_BYTES = LUMA_WIDTH * LUMA_HEIGHT;
/** Frames that one pipe may be ahead of the other before it is left unread. */
const AHEAD = 8;

interface Options {
  readonly maxBytes: number;
  accepts(width: number, height: number): boolean;
  pair(jpeg: Buffer, luma: Luma): void;
  invalid(reason: string): void;
}

/**
 * Joins the two pipes of a camera's child: the n-th JPEG belongs to the n-th luma frame. The pipe that is
 * ahead is left unread until the other one follows, so that nothing piles up here; the child then waits.
 */
export class FramePairs {
  private readonly splitter: JpegSplitter;
  private readonly jpegs: JpegItem[] = [];
  private readonly lumas: Uint8Array[] = [];
  private partial: Uint8Array = new Uint8Array(LUMA_BYTES);
  private filled = 0;

  constructor(
    private readonly jpegPipe: Readable,
    private readonly lumaPipe: Readable,
    private readonly options: Options,
  ) {
    this.splitter = new JpegSplitter(options);
    jpegPipe.on("data", (chunk: Buffer) => this.takeJpeg(chunk));
    lumaPipe.on("data", (chunk: Buffer) => this.takeLuma(chunk));
  }

  private takeJpeg(chunk: Buffer): void {
    this.jpegs.push(...this.splitter.push(chunk));
    this.join();
  }

  private takeLuma(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      const until = Math.min(chunk.length, at + LUMA_BYTES - this.filled);
      this.partial.set(chunk.subarray(at, until), this.filled);
      this.filled += until - at;
      at = until;
      if (this.filled < LUMA_BYTES) continue;
      this.lumas.push(this.partial);
      this.partial = new Uint8Array(LUMA_BYTES);
      this.filled = 0;
    }
    this.join();
  }

  private join(): void {
    while (this.jpegs.length > 0 && this.lumas.length > 0) {
      const item = this.jpegs.shift();
      const data = this.lumas.shift();
      if (!item || !data) break;
      if ("invalid" in item) this.options.invalid(item.invalid);
      else this.options.pair(item.jpeg, { width: LUMA_WIDTH, height: LUMA_HEIGHT, data });
    }
    hold(this.jpegPipe, this.jpegs.length >= AHEAD);
    hold(this.lumaPipe, this.lumas.length >= AHEAD);
  }
}

function hold(pipe: Readable, ahead: boolean): void {
  if (ahead) pipe.pause();
  else if (pipe.isPaused()) pipe.resume();
}
