import { LUMA_HEIGHT, LUMA_WIDTH, PATCH } from "../../service/contract/media.ts";
import { layoutOf, paint } from "./layout.ts";
import { Random } from "./random.ts";
import type { SceneSegment, Timeline } from "./timeline.ts";

/** Edge of a picture, pixels: the 5 x 5 patches that the small model was trained on. */
export const SIZE = 5 * PATCH;
const GRAIN_SIZE = 400;

/** What the camera of a cell sees, frame by frame. */
export class Camera {
  private seen: { segment: SceneSegment; view: View } | undefined;

  constructor(private readonly timeline: Timeline) {}

  /**
   * The picture at a moment, epoch ms: SIZE x SIZE pixels, row by row, red, green and blue. The same seed
   * and moment give the same bytes.
   */
  picture(at: number): Uint8Array {
    const { still, grain } = this.viewAt(at);
    const pixels = new Uint8Array(still.length);
    const random = new Random(this.timeline.seed, "grain", at);
    const left = random.whole(0, GRAIN_SIZE - SIZE);
    const top = random.whole(0, GRAIN_SIZE - SIZE);
    for (let y = 0; y < SIZE; y += 1) {
      const from = ((top + y) * GRAIN_SIZE + left) * 3;
      for (let i = 0; i < SIZE * 3; i += 1) {
        const value = (still[y * SIZE * 3 + i] ?? 0) + (GRAIN[from + i] ?? 0) * grain;
        pixels[y * SIZE * 3 + i] = Math.max(0, Math.min(255, value));
      }
    }
    return pixels;
  }

  private viewAt(at: number): View {
    const segment = this.timeline.sceneAt(at);
    if (this.seen?.segment !== segment) this.seen = { segment, view: this.view(segment) };
    return this.seen.view;
  }

  private view({ from, truth, visit }: SceneSegment): View {
    const { seed } = this.timeline;
    const { index } = this.timeline.stretchAt(from);
    const layout = layoutOf(new Random(seed, "layout", index), SIZE);
    const { pixels } = paint(layout, truth, new Random(seed, "visit", index, visit), SIZE);
    const exposure = new Random(seed, "exposure", index);
    const gain = exposure.between(0.65, 1.15);
    const offset = exposure.around(15);
    return {
      still: Float32Array.from(pixels, (value) => value * gain + offset),
      grain: exposure.between(0, 14),
    };
  }
}

/** A scene as the sensor has it before its noise, and the deviation of that noise, of 255. */
interface View {
  readonly still: Float32Array;
  readonly grain: number;
}

const GRAIN = grainField();

/** Normal noise that every frame takes another piece of. */
function grainField(): Float32Array {
  const random = new Random("grain");
  return Float32Array.from({ length: GRAIN_SIZE * GRAIN_SIZE * 3 }, () => random.normal());
}

/** The gate's small picture: the mean luma (BT.601) of the pixels that fall on each cell. */
export function lumaOf(pixels: Uint8Array): Uint8Array {
  const luma = new Uint8Array(LUMA_WIDTH * LUMA_HEIGHT);
  for (let row = 0; row < LUMA_HEIGHT; row += 1)
    for (let column = 0; column < LUMA_WIDTH; column += 1)
      luma[row * LUMA_WIDTH + column] = meanLuma(pixels, edges(column, LUMA_WIDTH), edges(row, LUMA_HEIGHT));
  return luma;
}

function edges(cell: number, cells: number): [number, number] {
  return [Math.floor((cell * SIZE) / cells), Math.floor(((cell + 1) * SIZE) / cells)];
}

function meanLuma(
  pixels: Uint8Array,
  [left, right]: [number, number],
  [top, bottom]: [number, number],
): number {
  let sum = 0;
  for (let y = top; y < bottom; y += 1)
    for (let x = left; x < right; x += 1) {
      const at = (y * SIZE + x) * 3;
      sum += 0.299 * (pixels[at] ?? 0) + 0.587 * (pixels[at + 1] ?? 0) + 0.114 * (pixels[at + 2] ?? 0);
    }
  return sum / ((right - left) * (bottom - top));
}
