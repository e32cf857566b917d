/** Width in pixels and JPEG quality, tried in this order until the picture is small enough. */
const TRIES = [
  [320, 80],
  [320, 60],
  [320, 40],
  [160, 60],
  [160, 40],
] as const;

/**
 * A JPEG as one of at most `most` bytes, at most 320 pixels wide; undefined where none is small enough.
 * Rejects where the bytes are no picture. The work is done on another thread.
 */
export async function shrink(jpeg: Buffer, most: number): Promise<Buffer | undefined> {
  // Loaded when first needed: most boxes send pictures that fit.
  const { createCanvas, loadImage } = await import("@napi-rs/canvas");
  const image = await loadImage(jpeg);
  for (const [widest, quality] of TRIES) {
    const width = Math.min(widest, image.width);
    const height = Math.max(1, Math.round((image.height * width) / image.width));
    const canvas = createCanvas(width, height);
    canvas.getContext("2d").drawImage(image, 0, 0, width, height);
    const smaller = await canvas.encode("jpeg", quality);
    if (smaller.length <= most) return smaller;
  }
  return undefined;
}
