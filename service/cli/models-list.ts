import type { LadderView } from "../contract/api-system.ts";
import { bytesText } from "../contract/units.ts";
import type { ModelStore } from "../inference/model-store.ts";
import { ladderViews } from "../inference/model-view.ts";

/** `perch models list`: every ladder, with what of it is here by name and size; verify looks into the files. */
export async function laddersText(store: ModelStore, inUse: string): Promise<string> {
  return (await ladderViews(store, inUse)).map(ladderText).join("\n");
}

function ladderText({ id, title, inUse, folder, levels, files }: LadderView): string {
  const here = files.filter(({ bytes, found }) => found === bytes);
  const names = levels.map((level) => (level.default ? `${level.id} (default)` : level.id));
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const lines = [
    `${id}${inUse ? " (in use)" : ""}: ${title}`,
    `  levels  ${names.join(", ")}`,
    `  files   ${files.length}, ${bytesText(bytes)}, ${hereText(here.length, files.length)}, in ${folder}`,
    ...files.filter((file) => !here.includes(file)).map((file) => `          ${missingText(file)}`),
  ];
  return `${lines.join("\n")}\n`;
}

function hereText(here: number, all: number): string {
  if (here === all) return "all here";
  return here === 0 ? "none here" : `${here} of ${all} here`;
}

function missingText({ file, bytes, found, partial, fetchable }: LadderView["files"][number]): string {
  const facts = [
    `${file}, ${bytesText(bytes)}: ${found === null ? "not here" : `here with ${found} bytes, not ${bytes}`}`,
    ...(partial === null ? [] : [`${bytesText(partial)} have come`]),
    ...(fetchable ? [] : ["no url: --mirror or import"]),
  ];
  return facts.join(", ");
}
