import type { ImageShape } from "../../service/contract/models.ts";

/** One grid of 5 x 5 patches: every picture has 240 x 240 pixels. */
export const SQUARE: ImageShape = { kind: "grid", grids: [{ columns: 5, rows: 5 }] };
/** A square grid and a wide one of 336 x 192 pixels, for 16:9. */
export const SQUARE_AND_WIDE: ImageShape = {
  kind: "grid",
  grids: [
    { columns: 5, rows: 5 },
    { columns: 7, rows: 4 },
  ],
};
