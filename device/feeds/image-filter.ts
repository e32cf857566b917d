import { LUMA_HEIGHT, LUMA_WIDTH, PATCH } from "../../service/contract/media.ts";
import type { ImageShape } from "../../service/contract/models.ts";
import { gridFilter } from "../../service/kernel/grid-filter.ts";

/**
 * The filter graph of a camera: one decoded picture becomes [jpeg], the model's size, and [luma], the gate's.
 *
 * Frames are thinned out before anything is scaled. `select` takes the first frame of every 1/fps seconds:
 * unlike `fps` it repeats none when the camera is slower, and does not wait for the next frame before it
 * lets one go. Range and size change in the same pass, and luma is scaled from the small picture.
 */
export function cameraFilter(fps: number, image: ImageShape): string {
  const turn = (time: string) => `floor((${time}-start_t)*${fps}+0.5)`;
  const select = `select='isnan(prev_t)+not(eq(${turn("t")},${turn("prev_t")}))'`;
  const luma = `scale=${LUMA_WIDTH}:${LUMA_HEIGHT}:flags=area,format=gray`;
  const { scale, pad } = sizing(image);
  return (
    `[0:v:0]${select},${scale},format=yuvj420p,split[whole][small];` +
    `[whole]${pad}[jpeg];[small]${luma}[luma]`
  );
}

/**
 * A grid is filled, with bars where the aspect differs. A budget of T tokens takes the largest picture of
 * the camera's own aspect whose sides are whole patches: width PATCH*floor(sqrt(T*aspect)), height
 * PATCH*floor(sqrt(T/aspect)).
 */
function sizing(image: ImageShape): { scale: string; pad: string } {
  const flags = "fast_bilinear";
  if (image.kind === "grid") return gridFilter(image.grids, flags);
  const side = (ratio: string) => `'${PATCH}*max(1,floor(sqrt(${image.tokens}*${ratio})))'`;
  return { scale: `scale=w=${side("iw/ih")}:h=${side("ih/iw")}:flags=${flags}`, pad: "null" };
}

/** Whether a picture of that size, pixels, is one that the shape asks for. */
export function fitsShape(image: ImageShape, width: number, height: number): boolean {
  if (image.kind === "grid") {
    return image.grids.some(({ columns, rows }) => width === columns * PATCH && height === rows * PATCH);
  }
  if (width % PATCH !== 0 || height % PATCH !== 0) return false;
  // A very flat picture has one row of patches, however small its share of the budget.
  return width * height <= image.tokens * PATCH * PATCH || width === PATCH || height === PATCH;
}
