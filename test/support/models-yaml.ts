import { stringify } from "yaml";
import { type Grid, gridText } from "../../service/contract/grid.ts";
import type { Ladder } from "../../service/contract/models.ts";

/** The text of a models.yaml with these ladders: grids are written as 7x4. */
export const modelsYaml = (...ladders: Ladder[]): string =>
  stringify({ ladders }, (key, value) => (key === "grids" ? (value as Grid[]).map(gridText) : value));
