import { type FileHandle, open } from "node:fs/promises";
import { messageOf } from "../kernel/errors.ts";

/** What of a GGUF file's header says whether it is whole and what it is for. */
export interface GgufHeader {
  /** general.architecture: "clip" for a projector (mmproj), the model's own name otherwise. */
  readonly architecture: string;
  /** Tensors in it. */
  readonly tensors: number;
  /** Bytes that a file with these tensors has at least. */
  readonly extent: number;
}

/** Elements a block and bytes a block, by ggml_type. Source: ggml.h and ggml-common.h of llama.cpp. */
const BLOCKS: Readonly<Record<number, readonly [elements: number, bytes: number]>> = {
  0: [1, 4],
  1: [1, 2],
  2: [32, 18],
  3: [32, 20],
  6: [32, 22],
  7: [32, 24],
  8: [32, 34],
  9: [32, 36],
  10: [256, 84],
  11: [256, 110],
  12: [256, 144],
  13: [256, 176],
  14: [256, 210],
  15: [256, 292],
  16: [256, 66],
  17: [256, 74],
  18: [256, 98],
  19: [256, 50],
  20: [32, 18],
  21: [256, 110],
  22: [256, 82],
  23: [256, 136],
  24: [1, 1],
  25: [1, 2],
  26: [1, 4],
  27: [1, 8],
  28: [1, 8],
  29: [256, 56],
  30: [1, 2],
  34: [256, 54],
  35: [256, 66],
  39: [32, 17],
};
/** Bytes of the metadata types that have a fixed size. Source: the GGUF specification in ggml/docs. */
const SIZES: Readonly<Record<number, number>> = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  4: 4,
  5: 4,
  6: 4,
  7: 1,
  10: 8,
  11: 8,
  12: 8,
};
const UINT32 = 4;
const STRING = 8;
const ARRAY = 9;
const CHUNK = 1 << 20;

/**
 * Reads the header of a GGUF file (version 2 or 3) without keeping it: a vocabulary of 262,144 entries
 * is skipped, not held. Throws an Error that says what is wrong where it is no GGUF file.
 */
export async function readGgufHeader(path: string): Promise<GgufHeader> {
  const file = await open(path, "r");
  try {
    return await readHeader(new Reader(file));
  } finally {
    await file.close();
  }
}

async function readHeader(reader: Reader): Promise<GgufHeader> {
  if ((await reader.bytes(4)).toString("latin1") !== "GGUF") throw new Error("it does not begin with GGUF");
  const version = await reader.uint32();
  if (version !== 2 && version !== 3) throw new Error(`its GGUF version is ${version}, not 2 or 3`);
  const tensors = await reader.uint64();
  const keys = await reader.uint64();
  let architecture = "";
  let alignment = 32;
  for (let index = 0; index < keys; index += 1) {
    const key = await reader.text();
    const type = await reader.uint32();
    if (key === "general.architecture" && type === STRING) architecture = await reader.text();
    else if (key === "general.alignment" && type === UINT32) alignment = await reader.uint32();
    else await skipValue(reader, type);
  }
  let end = 0;
  for (let index = 0; index < tensors; index += 1) end = Math.max(end, await readTensorEnd(reader));
  const dataStart = tensors === 0 ? reader.position : Math.ceil(reader.position / alignment) * alignment;
  return { architecture, tensors, extent: dataStart + end };
}

async function skipValue(reader: Reader, type: number): Promise<void> {
  const size = SIZES[type];
  if (size !== undefined) reader.skip(size);
  else if (type === STRING) reader.skip(await reader.uint64());
  else if (type === ARRAY) {
    const inner = await reader.uint32();
    const count = await reader.uint64();
    const each = SIZES[inner];
    if (each !== undefined) reader.skip(each * count);
    else for (let index = 0; index < count; index += 1) await skipValue(reader, inner);
  } else throw new Error(`its metadata is damaged (type ${type} at byte ${reader.position})`);
}

/** Where one tensor's bytes end, from the start of the tensor data. */
async function readTensorEnd(reader: Reader): Promise<number> {
  const name = await reader.text();
  const dimensions = await reader.uint32();
  if (dimensions > 4) throw new Error(`tensor ${name} has ${dimensions} dimensions`);
  let elements = 1;
  for (let index = 0; index < dimensions; index += 1) elements *= await reader.uint64();
  const type = await reader.uint32();
  const offset = await reader.uint64();
  // A type that came after this table was written counts nothing: its offset is still checked.
  const [perBlock, bytes] = BLOCKS[type] ?? [1, 0];
  return offset + Math.ceil(elements / perBlock) * bytes;
}

/** Reads a file forward, a chunk at a time. */
class Reader {
  private chunk: Buffer = Buffer.alloc(0);
  private chunkStart = 0;
  position = 0;

  constructor(private readonly file: FileHandle) {}

  skip(count: number): void {
    this.position += count;
  }

  async bytes(count: number): Promise<Buffer> {
    if (count > CHUNK) throw new Error(`its header is damaged (a text of ${count} bytes)`);
    const from = this.position - this.chunkStart;
    if (from < 0 || from + count > this.chunk.length) {
      const buffer = Buffer.alloc(CHUNK);
      const { bytesRead } = await this.file.read(buffer, 0, CHUNK, this.position).catch((error: unknown) => {
        throw new Error(`it cannot be read: ${messageOf(error)}`);
      });
      this.chunk = buffer.subarray(0, bytesRead);
      this.chunkStart = this.position;
      if (bytesRead < count) throw new Error("it ends within its header");
    }
    const start = this.position - this.chunkStart;
    this.position += count;
    return this.chunk.subarray(start, start + count);
  }

  async uint32(): Promise<number> {
    return (await this.bytes(4)).readUInt32LE();
  }

  async uint64(): Promise<number> {
    const value = Number((await this.bytes(8)).readBigUInt64LE());
    if (!Number.isSafeInteger(value)) throw new Error("its header is damaged (a count that cannot be)");
    return value;
  }

  async text(): Promise<string> {
    return (await this.bytes(await this.uint64())).toString("utf8");
  }
}
