import { SAMPLE_RATE } from "../../service/contract/media.ts";

/** Samples of a Sound: 20 ms. */
export const CHUNK_SAMPLES = SAMPLE_RATE / 50;
const CHUNK_BYTES = CHUNK_SAMPLES * 2;

/** Cuts a stream of s16le bytes into chunks of 20 ms, whatever pieces it comes in. Holds less than one chunk. */
export class SoundChunks {
  private partial = new Uint8Array(CHUNK_BYTES);
  private filled = 0;

  push(bytes: Uint8Array): Int16Array[] {
    const chunks: Int16Array[] = [];
    for (let at = 0; at < bytes.length; ) {
      const until = Math.min(bytes.length, at + CHUNK_BYTES - this.filled);
      this.partial.set(bytes.subarray(at, until), this.filled);
      this.filled += until - at;
      at = until;
      if (this.filled === CHUNK_BYTES) chunks.push(this.cut());
    }
    return chunks;
  }

  /** What is left at the end of the stream, if it is a sample at least. */
  end(): Int16Array | undefined {
    return this.filled >= 2 ? this.cut() : undefined;
  }

  private cut(): Int16Array {
    const samples = new Int16Array(this.partial.buffer, 0, Math.floor(this.filled / 2));
    this.partial = new Uint8Array(CHUNK_BYTES);
    this.filled = 0;
    return samples;
  }
}

/** Ms by which the count may be off the wall clock before its time is set anew: the stream had a gap. */
const GAP = 1000;
/** Share of the difference that one chunk makes good: with 50 chunks a second, most of it within ten seconds. */
const SLEW = 1 / 256;

/**
 * Capture times of sound: counted in samples, since chunks arrive in bursts, and drawn slowly to the wall clock,
 * since no sound card's clock is the system's.
 */
export class SoundClock {
  private next: number | undefined;

  /** `follow`: false for a file that is played faster than it was recorded, which has only its own time. */
  constructor(private readonly follow: boolean) {}

  /** Time of the chunk's first sample, epoch ms; `now` is when its last one arrived. */
  stamp(samples: number, now: number): number {
    const length = (samples / SAMPLE_RATE) * 1000;
    const arrived = now - length;
    this.next ??= arrived;
    if (this.follow) {
      const lag = arrived - this.next;
      this.next = Math.abs(lag) > GAP ? arrived : this.next + lag * SLEW;
    }
    const at = this.next;
    this.next += length;
    return at;
  }
}
