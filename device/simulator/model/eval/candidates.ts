import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Grid } from "../../../../service/contract/grid.ts";
import type { Ladder, Level } from "../../../../service/contract/models.ts";
import { ModelStore } from "../../../../service/inference/model-store.ts";
import { silentLogger } from "../../../../service/kernel/logger.ts";
import { packageRoot } from "../../../../service/kernel/paths.ts";
import { fileOf, LADDER, mmprojFile } from "../ladder/make-ladder.ts";

/** A level that can be examined. */
export interface Candidate {
  readonly store: ModelStore;
  readonly ladder: Ladder;
  readonly level: Level;
}

/** Levels that a folder of exported files may hold, best first. */
const EXPORTED = ["f16", "q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_0", "q3_k_m", "q2_k"];
const EXPORT = join(packageRoot, "build/train/export");

interface Wanted {
  /** A folder of exported files instead of the shipped ladder. */
  readonly weights?: string;
  /** Ids of levels; all without it. */
  readonly levels?: readonly string[];
  /** Type of the projectors of exported levels below q6_k. */
  readonly smallMmproj: string;
  /** Grids other than those of models.yaml. */
  readonly grids?: readonly Grid[];
}

/** The default level first, then the others, best first. Throws an Error where none is as wanted. */
export function candidates({ weights, levels, grids, smallMmproj }: Wanted): [Candidate, ...Candidate[]] {
  const data = join(tmpdir(), "perch-eval-no-data");
  const store = new ModelStore({
    models: join(packageRoot, "config/models.yaml"),
    data,
    logger: silentLogger,
  });
  const shipped = store.ladder(LADDER);
  const usual = store.level(shipped);
  const exported = (folder: string, ids: readonly string[]) =>
    ids
      .flatMap((id) => exportedLevel(folder, id, smallMmproj, usual))
      .map((level) => ({ ladder: { ...shipped, folder }, level }));
  const found =
    weights === undefined
      ? [
          // The best one is not shipped where it would be too large.
          ...(shipped.levels.some(({ id }) => id === "f16") ? [] : exported(EXPORT, ["f16"])),
          ...shipped.levels.map((level) => ({ ladder: shipped, level })),
        ]
      : exported(resolve(weights), EXPORTED);
  const image: Level["image"] | undefined = grids && { kind: "grid", grids: [...grids] };
  const [first, ...others] = found
    .filter(({ level }) => levels === undefined || levels.includes(level.id))
    .sort((one, other) => Number(other.level.id === usual.id) - Number(one.level.id === usual.id))
    .map(({ ladder, level }): Candidate => ({ store, ladder, level: image ? { ...level, image } : level }));
  if (!first) throw new Error(`no level ${levels?.join(", ") ?? ""} in ${weights ?? "config/models.yaml"}`);
  return [first, ...others];
}

function exportedLevel(folder: string, id: string, smallMmproj: string, usual: Level): Level[] {
  const names = { text: `small-${id.toUpperCase()}.gguf`, mmproj: mmprojFile(id, smallMmproj) };
  if (!Object.values(names).every((name) => existsSync(join(folder, name)))) return [];
  return [{ ...usual, id, text: fileOf(folder, names.text), mmproj: fileOf(folder, names.mmproj) }];
}

/** The grids that a level takes. Throws an Error where it takes a budget of tokens instead. */
export function gridsOf({ image }: Level): [Grid, ...Grid[]] {
  if (image.kind !== "grid") throw new Error("the small model takes grids, not a budget of tokens");
  const [first, ...others] = image.grids;
  if (!first) throw new Error("the level has no grid");
  return [first, ...others];
}
