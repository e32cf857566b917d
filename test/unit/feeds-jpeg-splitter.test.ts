import fc from "fast-check";
import { expect, test } from "vitest";
import { type JpegItem, JpegSplitter } from "../../device/feeds/jpeg-splitter.ts";

const anySize = { maxBytes: 4096, accepts: (_width: number, _height: number): boolean => true };

/** A segment: FF, code, length, bytes. */
const segment = (code: number, body: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([0xff, code, (body.length + 2) >> 8, (body.length + 2) & 255]), body]);

const sof = (width: number, height: number): Buffer =>
  segment(0xc0, Buffer.from([8, height >> 8, height & 255, width >> 8, width & 255, 1, 1, 0x11, 0]));

/** Entropy-coded data: any bytes, with FF stuffed as the standard asks. */
const entropy = (bytes: Uint8Array): Buffer =>
  Buffer.from([...bytes].flatMap((byte) => (byte === 0xff ? [0xff, 0x00] : [byte])));

const jpegOf = (width: number, height: number, extra: Uint8Array, scan: Uint8Array): Buffer =>
  Buffer.concat([
    Buffer.from([0xff, 0xd8]),
    segment(0xe1, extra),
    sof(width, height),
    segment(0xda, Buffer.from([1, 1, 0, 0, 63, 0])),
    entropy(scan),
    Buffer.from([0xff, 0xd0]),
    entropy(scan),
    Buffer.from([0xff, 0xd9]),
  ]);

const jpegs = fc
  .tuple(
    fc.integer({ min: 1, max: 2000 }),
    fc.integer({ min: 1, max: 2000 }),
    fc.uint8Array({ maxLength: 60 }),
    fc.uint8Array({ maxLength: 60 }),
  )
  .map(([width, height, extra, scan]) => jpegOf(width, height, extra, scan));

function split(stream: Buffer, cuts: readonly number[], options = anySize): JpegItem[] {
  const splitter = new JpegSplitter(options);
  const ends = [...cuts.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b), stream.length];
  let from = 0;
  return ends.flatMap((end) => {
    const items = splitter.push(stream.subarray(from, end));
    from = end;
    return items;
  });
}

const picture = (fill = 7): Buffer => jpegOf(96, 48, Buffer.alloc(0), Buffer.alloc(20, fill));

test("any chunking of a stream gives every picture, whole and in order", () => {
  fc.assert(
    fc.property(fc.array(jpegs, { maxLength: 6 }), fc.array(fc.nat()), (pictures, cuts) => {
      const items = split(Buffer.concat(pictures), cuts);
      expect(items.map((item) => ("jpeg" in item ? item.jpeg : undefined))).toEqual(pictures);
    }),
  );
});

test("any chunking of any bytes gives the same items, and never throws", () => {
  // Bytes that are often markers, so that every branch is taken.
  const byte = fc.oneof(
    fc.constantFrom(0xff, 0xd8, 0xd9, 0xda, 0xc0, 0xe0, 0x00, 0x02),
    fc.integer({ min: 0, max: 255 }),
  );
  const noise = fc.array(byte, { maxLength: 300 }).map((bytes) => Buffer.from(bytes));
  const streams = fc.array(fc.oneof(noise, jpegs), { maxLength: 5 }).map((parts) => Buffer.concat(parts));
  fc.assert(
    fc.property(streams, fc.array(fc.nat()), fc.integer({ min: 20, max: 400 }), (stream, cuts, maxBytes) => {
      const options = { ...anySize, maxBytes };
      expect(split(stream, cuts, options)).toEqual(split(stream, [], options));
    }),
    { numRuns: 500 },
  );
});

test("a thumbnail inside a picture does not end it", () => {
  const whole = jpegOf(96, 48, picture(), Buffer.from([1, 2, 3]));
  expect(split(whole, [])).toEqual([{ jpeg: whole, width: 96, height: 48 }]);
});

test("a picture larger than allowed is given up and the next one comes", () => {
  const large = jpegOf(96, 48, Buffer.alloc(0), Buffer.alloc(9000, 1));
  const items = split(Buffer.concat([large, picture()]), [1000, 5000]);
  expect(items).toEqual([
    { invalid: "a picture of more than 4096 bytes" },
    { jpeg: picture(), width: 96, height: 48 },
  ]);
});

test("a picture of another size than asked for keeps its place but not its bytes", () => {
  const options = { ...anySize, accepts: (width: number): boolean => width === 96 };
  const wrong = jpegOf(95, 48, Buffer.alloc(0), Buffer.from([1]));
  const items = split(Buffer.concat([picture(1), wrong, picture(2)]), [], options);
  expect(items.map((item) => "jpeg" in item)).toEqual([true, false, true]);
});

test("a picture that breaks off costs only itself", () => {
  const items = split(Buffer.concat([picture().subarray(0, 40), picture(3)]), []);
  expect(items).toEqual([
    { invalid: "a picture that was not ended" },
    { jpeg: picture(3), width: 96, height: 48 },
  ]);
});

test("a picture without a frame header is invalid", () => {
  expect(split(Buffer.from([0xff, 0xd8, 0xff, 0xd9]), [])).toEqual([
    { invalid: "a picture without image data" },
  ]);
});
