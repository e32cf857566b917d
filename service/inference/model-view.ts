import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { LadderView } from "../contract/api-system.ts";
import type { Ladder } from "../contract/models.ts";
import { filesOf, type LadderFile } from "./model-files.ts";
import { partialOf } from "./model-staging.ts";
import type { ModelStore } from "./model-store.ts";

/** Every ladder, with what of it is here by name and size; what is in the files is not looked at. */
export function ladderViews(store: ModelStore, inUse: string): Promise<LadderView[]> {
  return Promise.all(store.ladders.map((ladder) => ladderView(store, ladder, ladder.id === inUse)));
}

async function ladderView(store: ModelStore, ladder: Ladder, inUse: boolean): Promise<LadderView> {
  const folder = store.folder(ladder);
  const files = await Promise.all(
    filesOf(ladder, store.ladders).map((file) => fileView(store, file, folder)),
  );
  const usual = store.level(ladder).id;
  const complete = (level: string) =>
    files.every(({ levels, found, bytes }) => !levels.includes(level) || found === bytes);
  return {
    id: ladder.id,
    title: ladder.title,
    inUse,
    folder,
    levels: ladder.levels.map(({ id }) => ({ id, default: id === usual, complete: complete(id) })),
    files,
  };
}

async function fileView(
  store: ModelStore,
  expected: LadderFile,
  folder: string,
): Promise<LadderView["files"][number]> {
  const { file, role, levels, bytes, url } = expected;
  const path = join(folder, file);
  return {
    file,
    role,
    levels: [...levels],
    bytes,
    found: await sizeOf(path),
    partial: await sizeOf(partialOf(path)),
    verified: await store.isVerified(expected, folder, role),
    fetchable: url !== undefined,
  };
}

/** Null where there is none. */
const sizeOf = (path: string): Promise<number | null> =>
  stat(path).then(
    ({ size }) => size,
    () => null,
  );
