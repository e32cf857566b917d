/** Red, green and blue, 0 to 255. */
export type Colour = readonly [number, number, number];
/** Left, top, right and bottom in pixels; both ends belong to the shape, fractions are cut off. */
export type Box = readonly [number, number, number, number];

/**
 * A square picture of `size` pixels, three bytes each, on which shapes are drawn without anti-aliasing:
 * the small model was trained on pictures with hard edges, which a canvas does not draw.
 */
export class Raster {
  readonly pixels: Uint8Array;

  constructor(readonly size: number) {
    this.pixels = new Uint8Array(size * size * 3);
  }

  rectangle(box: Box, colour: Colour): void {
    const [left, top, right, bottom] = cut(box);
    for (let y = top; y <= bottom; y += 1) this.row(left, right, y, colour);
  }

  ellipse(box: Box, colour: Colour): void {
    const bottom = Math.trunc(box[3]);
    this.ellipseDownTo(box, bottom, colour);
  }

  /** The upper half of an ellipse. */
  upperHalf(box: Box, colour: Colour): void {
    this.ellipseDownTo(box, Math.floor((Math.trunc(box[1]) + Math.trunc(box[3])) / 2), colour);
  }

  roundedRectangle(box: Box, radius: number, colour: Colour): void {
    const [left, top, right, bottom] = cut(box);
    this.rectangle([left + radius, top, right - radius, bottom], colour);
    this.rectangle([left, top + radius, right, bottom - radius], colour);
    const across = 2 * radius;
    for (const x of [left, right - across])
      for (const y of [top, bottom - across]) this.ellipse([x, y, x + across, y + across], colour);
  }

  private ellipseDownTo(box: Box, last: number, colour: Colour): void {
    const [left, top, right, bottom] = cut(box);
    const radiusX = (right - left + 1) / 2;
    const radiusY = (bottom - top + 1) / 2;
    const middleX = (left + right) / 2;
    const middleY = (top + bottom) / 2;
    for (let y = top; y <= last; y += 1) {
      const half = radiusX * Math.sqrt(Math.max(0, 1 - ((y - middleY) / radiusY) ** 2));
      this.row(Math.ceil(middleX - half), Math.floor(middleX + half), y, colour);
    }
  }

  private row(left: number, right: number, y: number, [red, green, blue]: Colour): void {
    if (y < 0 || y >= this.size) return;
    const last = Math.min(this.size - 1, right);
    for (let x = Math.max(0, left); x <= last; x += 1) {
      const at = (y * this.size + x) * 3;
      this.pixels[at] = red;
      this.pixels[at + 1] = green;
      this.pixels[at + 2] = blue;
    }
  }
}

function cut([left, top, right, bottom]: Box): [number, number, number, number] {
  return [Math.trunc(left), Math.trunc(top), Math.trunc(right), Math.trunc(bottom)];
}
