import { open } from "node:fs/promises";

/** ggml_type: number, elements a block, bytes a block. Source: ggml.h, ggml-common.h. */
export const TYPES = {
  F32: { id: 0, per: 1, bytes: 4 },
  F16: { id: 1, per: 1, bytes: 2 },
  Q4_0: { id: 2, per: 32, bytes: 18 },
  Q8_0: { id: 8, per: 32, bytes: 34 },
  Q6_K: { id: 14, per: 256, bytes: 210 },
} as const;
export type TypeName = keyof typeof TYPES;

export interface HollowTensor {
  readonly name: string;
  /** Rows last, as ggml counts. */
  readonly shape: readonly number[];
  readonly type: TypeName;
  /** Filled with ones instead of zeros. */
  readonly ones?: boolean;
}

const ALIGNMENT = 32;
const aligned = (bytes: number) => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** Metadata of a GGUF file, ready to be written. Source: the GGUF specification in ggml/docs. */
export class Metadata {
  readonly parts: Buffer[] = [];
  count = 0;

  text(key: string, value: string): this {
    return this.add(key, 8, textBytes(value));
  }

  uint32(key: string, value: number): this {
    return this.add(key, 4, uint32Bytes(value));
  }

  float(key: string, value: number): this {
    return this.add(key, 6, floatBytes(value));
  }

  flag(key: string, value: boolean): this {
    return this.add(key, 7, Buffer.from([Number(value)]));
  }

  uint32s(key: string, values: readonly number[]): this {
    return this.list(key, 4, values.map(uint32Bytes));
  }

  floats(key: string, values: readonly number[]): this {
    return this.list(key, 6, values.map(floatBytes));
  }

  flags(key: string, values: readonly boolean[]): this {
    return this.list(
      key,
      7,
      values.map((value) => Buffer.from([Number(value)])),
    );
  }

  /** A key with its value as it stands in another file. */
  raw(bytes: Buffer): this {
    this.parts.push(bytes);
    this.count += 1;
    return this;
  }

  private list(key: string, type: number, items: readonly Buffer[]): this {
    return this.add(key, 9, Buffer.concat([uint32Bytes(type), uint64Bytes(items.length), ...items]));
  }

  private add(key: string, type: number, value: Buffer): this {
    return this.raw(Buffer.concat([textBytes(key), uint32Bytes(type), value]));
  }
}

/** Writes a file whose tensors are all zeros (or ones) and take no disk. Resolves to its bytes. */
export async function writeHollow(
  path: string,
  metadata: Metadata,
  tensors: readonly HollowTensor[],
): Promise<number> {
  const infos: Buffer[] = [];
  const ones: { offset: number; count: number }[] = [];
  let offset = 0;
  for (const { name, shape, type, ones: filled } of tensors) {
    const elements = shape.reduce((product, length) => product * length, 1);
    infos.push(textBytes(name), uint32Bytes(shape.length), ...shape.map(uint64Bytes));
    infos.push(uint32Bytes(TYPES[type].id), uint64Bytes(offset));
    if (filled) ones.push({ offset, count: elements });
    offset += aligned((elements / TYPES[type].per) * TYPES[type].bytes);
  }
  const head = [
    Buffer.from("GGUF"),
    uint32Bytes(3),
    uint64Bytes(tensors.length),
    uint64Bytes(metadata.count),
  ];
  const header = Buffer.concat([...head, ...metadata.parts, ...infos]);
  const data = aligned(header.length);
  const file = await open(path, "w");
  try {
    await file.write(header, 0, header.length, 0);
    await file.truncate(data + offset);
    for (const { offset: at, count } of ones) {
      const bytes = Buffer.from(new Float32Array(count).fill(1).buffer);
      await file.write(bytes, 0, bytes.length, data + at);
    }
  } finally {
    await file.close();
  }
  return data + offset;
}

/** The keys of a GGUF file that is all metadata, each with the bytes that it and its value have there. */
export function keysOf(file: Buffer): Map<string, Buffer> {
  const keys = new Map<string, Buffer>();
  const count = uint64At(file, 16);
  let position = 24;
  for (let index = 0; index < count; index += 1) {
    const start = position;
    const length = uint64At(file, position);
    const key = file.toString("utf8", position + 8, position + 8 + length);
    position = valueEnd(file, position + 12 + length, file.readUInt32LE(position + 8 + length));
    keys.set(key, file.subarray(start, position));
  }
  return keys;
}

/** Bytes of the metadata types of a fixed size, by number. */
const SIZES = [1, 1, 2, 2, 4, 4, 4, 1, undefined, undefined, 8, 8, 8];

function valueEnd(file: Buffer, position: number, type: number): number {
  if (type === 8) return position + 8 + uint64At(file, position);
  if (type !== 9) return position + sizeOf(type);
  const inner = file.readUInt32LE(position);
  const count = uint64At(file, position + 4);
  let end = position + 12;
  if (inner !== 8) return end + count * sizeOf(inner);
  for (let index = 0; index < count; index += 1) end = valueEnd(file, end, inner);
  return end;
}

function sizeOf(type: number): number {
  const size = SIZES[type];
  if (size === undefined) throw new Error(`metadata of type ${type} is not known`);
  return size;
}

const uint64At = (file: Buffer, position: number) => Number(file.readBigUInt64LE(position));

function textBytes(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([uint64Bytes(bytes.length), bytes]);
}

function uint32Bytes(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64Bytes(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function floatBytes(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}
