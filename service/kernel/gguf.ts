import { type FileHandle, open } from "node:fs/promises";
import { messageOf } from "./errors.ts";

/** One tensor of a file. */
export interface Tensor {
  readonly name: string;
  readonly elements: number;
  /** What it takes in the file and, loaded, in memory. */
  readonly bytes: number;
}

/** What of a GGUF file's header says how much memory its model takes. */
export interface GgufFacts {
  /** Metadata: texts, numbers, and lists of numbers no longer than any model has layers. */
  readonly values: ReadonlyMap<string, string | number | readonly number[]>;
  /** Entries of the vocabulary; 0 where it has none. */
  readonly vocabulary: number;
  readonly tensors: readonly Tensor[];
}

type Value = string | number | readonly number[] | undefined;

const UINT32 = 4;
const STRING = 8;
const ARRAY = 9;
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
const TOKENS = "tokenizer.ggml.tokens";
/** Longest list of numbers that is kept: those that say something of each layer. */
const LONGEST_LIST = 1024;
const CHUNK = 1 << 20;

/**
 * Reads what a plan and a check need of a GGUF file (version 2 or 3). node-llama-cpp's reader gives the same and more, but
 * keeps the vocabulary: with Gemma 4's 262,144 entries it made a process 115 MB larger, of which the service
 * has 160 for all that it does. Tensors' bytes are the distances between their offsets, so that no table of
 * types can be out of date. Throws an Error that says what is wrong where the file is no GGUF file, or ends
 * before its tensors do.
 */
export async function readGgufFacts(path: string): Promise<GgufFacts> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    return await readFacts(new Cursor(file, size));
  } finally {
    await file.close();
  }
}

async function readFacts(cursor: Cursor): Promise<GgufFacts> {
  if ((await cursor.take(4)).toString("latin1") !== "GGUF") throw new Error("it does not begin with GGUF");
  const version = await cursor.uint32();
  if (version !== 2 && version !== 3) throw new Error(`its GGUF version is ${version}, not 2 or 3`);
  const count = await cursor.uint64();
  const keys = await cursor.uint64();
  const values = new Map<string, string | number | readonly number[]>();
  let vocabulary = 0;
  for (let index = 0; index < keys; index += 1) {
    const key = await cursor.text();
    const type = await cursor.uint32();
    if (key === TOKENS && type === ARRAY) vocabulary = await skipArray(cursor);
    else {
      const value = await readValue(cursor, type);
      if (value !== undefined) values.set(key, value);
    }
  }
  return { values, vocabulary, tensors: await readTensors(cursor, count, values) };
}

/** Undefined where it is a list of texts, or one that is too long to be about layers. */
async function readValue(cursor: Cursor, type: number): Promise<Value> {
  if (type === STRING) return await cursor.text();
  if (type !== ARRAY) return await readNumber(cursor, type);
  const inner = await cursor.uint32();
  const count = await cursor.uint64();
  if (inner === STRING || inner === ARRAY || count > LONGEST_LIST) {
    await skipItems(cursor, inner, count);
    return undefined;
  }
  const list: number[] = [];
  for (let index = 0; index < count; index += 1) list.push(await readNumber(cursor, inner));
  return list;
}

async function readNumber(cursor: Cursor, type: number): Promise<number> {
  const size = SIZES[type];
  if (size === undefined)
    throw new Error(`its metadata is damaged (type ${type} at byte ${cursor.position})`);
  const bytes = await cursor.take(size);
  if (type === 6) return bytes.readFloatLE();
  if (type === 12) return bytes.readDoubleLE();
  if (type === 10 || type === 11) return Number(bytes.readBigInt64LE());
  return bytes.readUIntLE(0, size);
}

/** Passes over a list; resolves to how many items it has. */
async function skipArray(cursor: Cursor): Promise<number> {
  const inner = await cursor.uint32();
  const count = await cursor.uint64();
  await skipItems(cursor, inner, count);
  return count;
}

async function skipItems(cursor: Cursor, inner: number, count: number): Promise<void> {
  const size = SIZES[inner];
  if (size !== undefined) cursor.skip(size * count);
  else if (inner === STRING) await cursor.skipTexts(count);
  else if (inner === ARRAY) for (let index = 0; index < count; index += 1) await skipArray(cursor);
  else throw new Error(`its metadata is damaged (type ${inner} at byte ${cursor.position})`);
}

async function readTensors(
  cursor: Cursor,
  count: number,
  values: ReadonlyMap<string, Value>,
): Promise<Tensor[]> {
  const found: { name: string; elements: number; offset: number }[] = [];
  for (let index = 0; index < count; index += 1) {
    const name = await cursor.text();
    const dimensions = await cursor.uint32();
    if (dimensions > 4) throw new Error(`tensor ${name} has ${dimensions} dimensions`);
    let elements = 1;
    for (let dimension = 0; dimension < dimensions; dimension += 1) elements *= await cursor.uint64();
    await cursor.take(UINT32);
    found.push({ name, elements, offset: await cursor.uint64() });
  }
  const alignment = Number(values.get("general.alignment") ?? 32);
  const data = Math.ceil(cursor.position / alignment) * alignment;
  const ordered = [...found].sort((a, b) => a.offset - b.offset);
  return ordered.map(({ name, elements, offset }, index) => {
    const end = ordered[index + 1]?.offset ?? cursor.size - data;
    const reach = end > offset ? data + end : data + offset + 1;
    if (reach > cursor.size)
      throw new Error(`its tensors reach to byte ${reach} or beyond, but it ends at ${cursor.size}`);
    return { name, elements, bytes: end - offset };
  });
}

/** Reads a file forward, a chunk at a time. */
class Cursor {
  private chunk: Buffer = Buffer.alloc(0);
  private chunkStart = 0;
  position = 0;

  constructor(
    private readonly file: FileHandle,
    readonly size: number,
  ) {}

  skip(count: number): void {
    this.position += count;
  }

  async take(count: number): Promise<Buffer> {
    if (count > CHUNK) throw new Error(`its header is damaged (a text of ${count} bytes)`);
    if (!this.holds(count)) await this.fill(count);
    const start = this.position - this.chunkStart;
    this.position += count;
    return this.chunk.subarray(start, start + count);
  }

  /** Within a chunk without a promise for each: a vocabulary and its merges are 780,000 texts. */
  async skipTexts(count: number): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      if (!this.holds(8)) await this.fill(8);
      this.position += 8 + countAt(this.chunk, this.position - this.chunkStart);
    }
  }

  async uint32(): Promise<number> {
    return (await this.take(4)).readUInt32LE();
  }

  async uint64(): Promise<number> {
    return countAt(await this.take(8), 0);
  }

  async text(): Promise<string> {
    return (await this.take(await this.uint64())).toString("utf8");
  }

  private holds(count: number): boolean {
    const from = this.position - this.chunkStart;
    return from >= 0 && from + count <= this.chunk.length;
  }

  private async fill(count: number): Promise<void> {
    const buffer = Buffer.alloc(CHUNK);
    const { bytesRead } = await this.file.read(buffer, 0, CHUNK, this.position).catch((error: unknown) => {
      throw new Error(`it cannot be read: ${messageOf(error)}`);
    });
    this.chunk = buffer.subarray(0, bytesRead);
    this.chunkStart = this.position;
    if (bytesRead < count) throw new Error("it ends within its header");
  }
}

function countAt(bytes: Buffer, offset: number): number {
  const value = bytes.readUInt32LE(offset) + bytes.readUInt32LE(offset + 4) * 2 ** 32;
  if (!Number.isSafeInteger(value)) throw new Error("its header is damaged (a count that cannot be)");
  return value;
}
