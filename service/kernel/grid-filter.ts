import { aspectOf, type Grid, gridRanges } from "../contract/grid.ts";
import { PATCH } from "../contract/media.ts";

/**
 * Where the aspect is off by less than this share, a picture is stretched: nobody sees it in what is shown,
 * while bars take part of a patch from the picture, and were on none that the model was trained on.
 */
const STRETCHED = 0.05;
/** Pixels that are only rounding noise. */
const NOISE = 0.001;

/**
 * The two ffmpeg filters that put a picture of any size on the nearest of a level's grids: scaled with its
 * aspect kept, and padded around its middle. Expressions, for the size of a source is known to ffmpeg only.
 *
 * @param flags ffmpeg's name of how to scale
 */
export function gridFilter(grids: readonly Grid[], flags: string): { scale: string; pad: string } {
  const width = byAspect(grids, (grid) => fitted(grid, grid.columns, `${grid.rows * PATCH}*a`));
  const height = byAspect(grids, (grid) => fitted(grid, grid.rows, `${grid.columns * PATCH}/a`));
  const outer = (edge: "columns" | "rows") => byAspect(grids, (grid) => String(grid[edge] * PATCH));
  return {
    scale: `scale=w='${width}':h='${height}':flags=${flags}`,
    pad: `pad=w='${outer("columns")}':h='${outer("rows")}':x='(ow-iw)/2':y='(oh-ih)/2'`,
  };
}

/**
 * One edge of the scaled picture, pixels. Rounded up to even: that brings the aspect nearer to the grid's
 * own, so that the padding, which only sees the scaled picture, finds the same grid.
 */
function fitted(grid: Grid, patches: number, kept: string): string {
  const most = patches * PATCH;
  const stretched = `lt(abs(a/${aspectOf(grid)}-1),${STRETCHED})`;
  return `if(${stretched},${most},min(${most},2*ceil((${kept}-${NOISE})/2)))`;
}

/** An expression that is what `value` says of the grid for the aspect `a` of the picture that comes in. */
function byAspect(grids: readonly Grid[], value: (grid: Grid) => string): string {
  return gridRanges(grids).reduceRight(
    (wider, { grid, until }) => (wider === "" ? value(grid) : `if(lt(a,${until}),${value(grid)},${wider})`),
    "",
  );
}
