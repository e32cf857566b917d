/** A picture's format and size, as its header says. */
export interface PictureSize {
  readonly format: "jpeg" | "png" | "webp";
  readonly width: number;
  readonly height: number;
}

/** Reads the header of a JPEG, PNG or WebP file; undefined where it is none of them or cut off there. Never throws. */
export function imageSize(bytes: Buffer): PictureSize | undefined {
  if (bytes.length < 30) return undefined;
  if (bytes.readUInt16BE(0) === 0xffd8) return jpegSize(bytes);
  if (bytes.toString("latin1", 0, 8) === "\x89PNG\r\n\x1a\n" && bytes.toString("latin1", 12, 16) === "IHDR")
    return { format: "png", width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
  if (bytes.toString("latin1", 0, 4) === "RIFF" && bytes.toString("latin1", 8, 12) === "WEBP")
    return webpSize(bytes);
  return undefined;
}

/** Walks the segments to the frame header (SOF0 to SOF15, less DHT, JPG and DAC). Source: ITU-T T.81, annex B. */
function jpegSize(bytes: Buffer): PictureSize | undefined {
  let at = 2;
  while (at + 9 <= bytes.length) {
    if (bytes[at] !== 0xff) return undefined;
    const marker = bytes[at + 1] ?? 0;
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker))
      return { format: "jpeg", height: bytes.readUInt16BE(at + 5), width: bytes.readUInt16BE(at + 7) };
    const length = bytes.readUInt16BE(at + 2);
    // Scan data or the end before a frame header: no picture.
    if (length < 2 || marker === 0xda || marker === 0xd9) return undefined;
    at += 2 + length;
  }
  return undefined;
}

/** Source: RFC 9649 (WebP), RFC 6386 (VP8). */
function webpSize(bytes: Buffer): PictureSize | undefined {
  const format = "webp";
  switch (bytes.toString("latin1", 12, 16)) {
    case "VP8 ":
      return {
        format,
        width: bytes.readUInt16LE(26) & 0x3fff,
        height: bytes.readUInt16LE(28) & 0x3fff,
      };
    case "VP8L": {
      const bits = bytes.readUInt32LE(21);
      return { format, width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
    }
    case "VP8X":
      return { format, width: bytes.readUIntLE(24, 3) + 1, height: bytes.readUIntLE(27, 3) + 1 };
    default:
      return undefined;
  }
}
