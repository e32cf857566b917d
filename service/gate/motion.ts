import type { MotionGate } from "../contract/config-feeds.ts";
import type { Luma } from "../contract/media.ts";

type Zone = MotionGate["masks"][number];

/** How much of a new frame goes into the background: where nothing moved, and where something did. */
const LEARN_STILL = 0.1;
const LEARN_MOVED = 0.03;
/** A pixel counts as changed where so many of the eight around it differ too: noise is alone, objects are not. */
const COMPANY = 2;
/** Pixels closer to each other than this say little about how contrast changed; luma. */
const CONTRAST = 16;
/** No exposure changes by more than this factor from a frame to the next without the picture being another. */
const MOST_GAIN = 6;

/**
 * Motion against an adaptive background. Light that changes over the whole picture (a lamp goes on, the
 * camera's exposure follows) scales and shifts every pixel alike: its gain and offset are taken out of
 * the difference, and taken into the background.
 */
export class Motion {
  private background: Float32Array | undefined;
  private watched: Uint16Array | undefined;

  constructor(private readonly config: Pick<MotionGate, "threshold" | "area" | "masks">) {}

  /** Whether enough of the unmasked frame differs from the background. The first frame only teaches. */
  moved(luma: Luma): boolean {
    const { data } = luma;
    if (this.background?.length !== data.length) {
      this.background = Float32Array.from(data);
      this.watched = unmasked(luma, this.config.masks);
      return false;
    }
    const { background } = this;
    const watched = this.watched ?? unmasked(luma, this.config.masks);
    if (watched.length === 0) return false;
    const { gain, offset } = lightChange(background, data, watched);
    const differing = new Uint8Array(data.length);
    for (const pixel of watched) {
      const expected = gain * (background[pixel] ?? 0) + offset;
      const difference = (data[pixel] ?? 0) - expected;
      const differs = Math.abs(difference) > this.config.threshold && !clipped(expected, data[pixel] ?? 0);
      if (differs) differing[pixel] = 1;
      background[pixel] = expected + difference * (differs ? LEARN_MOVED : LEARN_STILL);
    }
    return inCompany(differing, luma) / watched.length >= this.config.area;
  }
}

/** How many pixels differ that have others beside them that do. */
function inCompany(differing: Uint8Array, { width, height }: Luma): number {
  let count = 0;
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      if (differing[y * width + x] === 0) continue;
      let around = -1;
      for (let row = Math.max(0, y - 1); row <= Math.min(height - 1, y + 1); row += 1)
        for (let column = Math.max(0, x - 1); column <= Math.min(width - 1, x + 1); column += 1)
          around += differing[row * width + column] ?? 0;
      if (around >= COMPANY) count += 1;
    }
  }
  return count;
}

/** A pixel at the end of the scale that should be beyond it is no difference. */
const clipped = (expected: number, found: number) =>
  (found === 255 && expected > 255) || (found === 0 && expected < 0);

/**
 * Gain and offset from background to frame: the median slope between pixels of the darker and of the
 * lighter half, and after it the median offset, so that what moves does not sway them.
 * Source: H. Theil's estimator (1950), on pairs that lie far apart.
 */
function lightChange(background: Float32Array, data: Uint8Array, watched: Uint16Array) {
  // Every third pixel is plenty for a median.
  const sample = watched.filter((_, index) => index % 3 === 0);
  const before = (pixel: number) => background[pixel] ?? 0;
  const now = (pixel: number) => data[pixel] ?? 0;
  const inRange = sample.filter((pixel) => now(pixel) > 0 && now(pixel) < 255);
  inRange.sort((a, b) => before(a) - before(b));
  const half = inRange.length >> 1;
  const slopes: number[] = [];
  for (let index = 0; index < half; index += 1) {
    const [dark = 0, light = 0] = [inRange[index], inRange[index + half]];
    const contrast = before(light) - before(dark);
    if (contrast >= CONTRAST) slopes.push((now(light) - now(dark)) / contrast);
  }
  // Where there is little contrast gain and offset are the same.
  const slope = slopes.length > sample.length / 8 ? median(slopes) : 1;
  const gain = slope > 1 / MOST_GAIN && slope < MOST_GAIN ? slope : 1;
  const offsets = Array.from(inRange, (pixel) => now(pixel) - gain * before(pixel));
  return { gain, offset: median(offsets) };
}

function median(values: number[]): number {
  values.sort((a, b) => a - b);
  return values[values.length >> 1] ?? 0;
}

/** Indexes of the pixels whose middle lies in no mask. */
function unmasked({ width, height }: Luma, masks: readonly Zone[]): Uint16Array {
  const pixels: number[] = [];
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      if (!masks.some((mask) => inside(mask, (x + 0.5) / width, (y + 0.5) / height)))
        pixels.push(y * width + x);
    }
  }
  return Uint16Array.from(pixels);
}

/** Whether a point lies in a polygon: the even-odd rule, counting edges to the right of it. */
function inside(polygon: Zone, x: number, y: number): boolean {
  let odd = false;
  let [previousX, previousY] = polygon.at(-1) ?? [0, 0];
  for (const [cornerX, cornerY] of polygon) {
    const crosses = cornerY > y !== previousY > y;
    if (crosses && x < ((previousX - cornerX) * (y - cornerY)) / (previousY - cornerY) + cornerX) odd = !odd;
    [previousX, previousY] = [cornerX, cornerY];
  }
  return odd;
}
