import { createCanvas, ImageData } from "@napi-rs/canvas";
import { SIZE } from "./scene.ts";

const QUALITY = 88;
const canvas = createCanvas(SIZE, SIZE);
const context = canvas.getContext("2d");

/** SIZE x SIZE pixels of red, green and blue as a JPEG. */
export function encodeJpeg(pixels: Uint8Array): Buffer {
  const rgba = new Uint8ClampedArray(SIZE * SIZE * 4).fill(255);
  for (let from = 0, to = 0; from < pixels.length; from += 3, to += 4)
    rgba.set(pixels.subarray(from, from + 3), to);
  context.putImageData(new ImageData(rgba, SIZE, SIZE), 0, 0);
  return canvas.encodeSync("jpeg", QUALITY);
}
