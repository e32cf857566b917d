import { LUMA_HEIGHT, LUMA_WIDTH, type Truth } from "../../service/contract/media.ts";

/**
 * What a cell process writes on standard output: messages one after the other, little endian.
 *   4 bytes  length of what follows
 *   1 byte   kind: 1 frame, 2 sound
 *   8 bytes  time of the frame or of the first sample, epoch ms, a double
 *   frame:   4 bytes length of the truth, the truth as JSON, LUMA_WIDTH * LUMA_HEIGHT bytes of luma, the
 *            rest JPEG
 *   sound:   samples, signed 16 bit
 */
export type Message = FrameMessage | SoundMessage;

export interface FrameMessage {
  readonly kind: "frame";
  readonly at: number;
  readonly truth: Truth;
  readonly luma: Uint8Array;
  readonly jpeg: Buffer;
}

export interface SoundMessage {
  readonly kind: "sound";
  readonly at: number;
  readonly samples: Int16Array;
}

const LENGTH = 4;
const HEADER = 9;
const LUMA = LUMA_WIDTH * LUMA_HEIGHT;
/** Bytes; a longer message means that the stream is not one. */
const LONGEST = 16 * 1024 * 1024;

export function encode(message: Message): Buffer {
  const body = message.kind === "frame" ? frameBody(message) : soundBody(message);
  const head = Buffer.alloc(LENGTH + HEADER);
  head.writeUInt32LE(HEADER + body.length, 0);
  head.writeUInt8(message.kind === "frame" ? 1 : 2, LENGTH);
  head.writeDoubleLE(message.at, LENGTH + 1);
  return Buffer.concat([head, body]);
}

function frameBody({ truth, luma, jpeg }: FrameMessage): Buffer {
  const told = Buffer.from(JSON.stringify(truth));
  const length = Buffer.alloc(LENGTH);
  length.writeUInt32LE(told.length);
  return Buffer.concat([length, told, luma, jpeg]);
}

function soundBody({ samples }: SoundMessage): Buffer {
  return Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
}

/** Puts messages together from a stream's pieces, however they were cut. */
export class Decoder {
  private pieces: Buffer[] = [];
  private held = 0;
  /** Bytes that the message in progress needs before looking again pays. */
  private needed = LENGTH;

  /** Messages that this piece completed. Throws where the bytes are not the protocol's. */
  push(piece: Buffer): Message[] {
    this.pieces.push(piece);
    this.held += piece.length;
    if (this.held < this.needed) return [];
    let rest = Buffer.concat(this.pieces);
    const messages: Message[] = [];
    for (;;) {
      this.needed = LENGTH + (rest.length < LENGTH ? 0 : lengthOf(rest));
      if (rest.length < LENGTH || rest.length < this.needed) break;
      messages.push(decode(rest.subarray(LENGTH, this.needed)));
      rest = rest.subarray(this.needed);
    }
    this.pieces = [rest];
    this.held = rest.length;
    return messages;
  }
}

function lengthOf(bytes: Buffer): number {
  const length = bytes.readUInt32LE(0);
  if (length < HEADER || length > LONGEST)
    throw new Error(`a message of ${length} bytes is none of the cell's`);
  return length;
}

function decode(message: Buffer): Message {
  const kind = message.readUInt8(0);
  const at = message.readDoubleLE(1);
  const body = message.subarray(HEADER);
  if (kind === 1) return decodeFrame(at, body);
  if (kind === 2) return { kind: "sound", at, samples: samplesOf(body) };
  throw new Error(`a message of kind ${kind} is none of the cell's`);
}

/** Copies, so that a kept frame does not hold the whole stream's buffer. */
function decodeFrame(at: number, body: Buffer): FrameMessage {
  const told = LENGTH + body.readUInt32LE(0);
  const truth: Truth = JSON.parse(body.toString("utf8", LENGTH, told));
  const luma = Uint8Array.from(body.subarray(told, told + LUMA));
  return { kind: "frame", at, truth, luma, jpeg: Buffer.from(body.subarray(told + LUMA)) };
}

function samplesOf(body: Buffer): Int16Array {
  return new Int16Array(Uint8Array.from(body).buffer);
}
