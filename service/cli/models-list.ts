import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Ladder } from "../contract/models.ts";
import { bytesText, filesOf, type LadderFile } from "../inference/model-files.ts";
import { partialOf } from "../inference/model-staging.ts";
import type { ModelStore } from "../inference/model-store.ts";

/** `perch models list`: every ladder, with what of it is here by name and size; verify looks into the files. */
export async function laddersText(store: ModelStore, inUse: string): Promise<string> {
  const texts = store.ladders.map((ladder) => ladderText(store, ladder, ladder.id === inUse));
  return (await Promise.all(texts)).join("\n");
}

async function ladderText(store: ModelStore, ladder: Ladder, inUse: boolean): Promise<string> {
  const files = filesOf(ladder, store.ladders);
  const folder = store.folder(ladder);
  const sizes = await Promise.all(files.map(({ file }) => sizeOf(join(folder, file))));
  const here = files.filter(({ bytes }, index) => sizes[index] === bytes);
  const usual = store.level(ladder).id;
  const levels = ladder.levels.map(({ id }) => (id === usual ? `${id} (default)` : id));
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const lines = [
    `${ladder.id}${inUse ? " (in use)" : ""}: ${ladder.title}`,
    `  levels  ${levels.join(", ")}`,
    `  files   ${files.length}, ${bytesText(bytes)}, ${hereText(here.length, files.length)}, in ${folder}`,
  ];
  const missing = files.filter((file) => !here.includes(file));
  for (const file of missing) lines.push(`          ${await missingText(file, folder)}`);
  return `${lines.join("\n")}\n`;
}

function hereText(here: number, all: number): string {
  if (here === all) return "all here";
  return here === 0 ? "none here" : `${here} of ${all} here`;
}

async function missingText({ file, bytes, url }: LadderFile, folder: string): Promise<string> {
  const size = await sizeOf(join(folder, file));
  const partial = await sizeOf(partialOf(join(folder, file)));
  const facts = [
    `${file}, ${bytesText(bytes)}: ${size === undefined ? "not here" : `here with ${size} bytes, not ${bytes}`}`,
    ...(partial === undefined ? [] : [`${bytesText(partial)} have come`]),
    ...(url === undefined ? ["no url: --mirror or import"] : []),
  ];
  return facts.join(", ");
}

/** Undefined where there is none. */
const sizeOf = (path: string): Promise<number | undefined> =>
  stat(path).then(
    ({ size }) => size,
    () => undefined,
  );
