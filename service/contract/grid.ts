import Type from "typebox";

/** Size of a picture in patches of the model: it is columns x rows tokens. */
export interface Grid {
  readonly columns: number;
  readonly rows: number;
}

const EDGE = "([1-9]|[1-5]\\d|6[0-4])";
const GRID = new RegExp(`^${EDGE}x${EDGE}$`);

/** "7x4" as columns and rows, 64 at most of each; undefined where the text is none. */
export function parseGrid(text: string): Grid | undefined {
  const match = GRID.exec(text);
  return match ? { columns: Number(match[1]), rows: Number(match[2]) } : undefined;
}

/** A grid as it is written: "7x4". */
export const gridText = ({ columns, rows }: Grid): string => `${columns}x${rows}`;

/** A grid: written as text ("7x4"), read by the program as columns and rows. */
export const GridText = (options: { description: string }) =>
  Type.Unsafe<Grid>({ type: "string", format: "perch-grid", pattern: GRID.source, ...options });

export const aspectOf = ({ columns, rows }: Grid): number => columns / rows;

/**
 * Which grid a picture takes by its aspect (width / height): grids from narrow to wide, each for the aspects
 * below its `until` that no grid before it takes. The bound between two is where both are off by the same
 * factor.
 */
export function gridRanges(grids: readonly Grid[]): { readonly grid: Grid; readonly until: number }[] {
  const sorted = grids.toSorted((a, b) => aspectOf(a) - aspectOf(b));
  return sorted.map((grid, index) => {
    const wider = sorted[index + 1];
    return {
      grid,
      until: wider ? Math.sqrt(aspectOf(grid) * aspectOf(wider)) : Number.POSITIVE_INFINITY,
    };
  });
}

/** The grid whose aspect is nearest by ratio. Throws where there is none at all. */
export function nearestGrid(grids: readonly Grid[], aspect: number): Grid {
  const range = gridRanges(grids).find(({ until }) => aspect < until);
  if (!range) throw new Error(`no grid for the aspect ${aspect}`);
  return range.grid;
}
