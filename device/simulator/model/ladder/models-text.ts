import { isMap, isScalar, isSeq, type Node, type Pair, parseDocument, type YAMLMap } from "yaml";
import type { ModelFile } from "../../../../service/contract/models.ts";

export interface LevelFiles {
  readonly id: string;
  readonly text: ModelFile;
  readonly mmproj: ModelFile;
}

/** Keys of a level that say what it is; all others say how it runs. */
const IDENTITY = new Set(["id", "text", "mmproj"]);

/**
 * The text of a models.yaml with other levels in one ladder, and every byte outside of that ladder's
 * `default` and `levels` as it was. How a level runs (image, threads, ...) is taken, as it is written, from
 * the level of the same name, or from the ladder's default where there was none. Throws an Error where
 * there is no such ladder.
 */
export function withLevels(
  models: string,
  ladderId: string,
  levels: readonly LevelFiles[],
  defaultId: string,
): string {
  const ladder = ladderOf(models, ladderId);
  const old = levelsOf(ladder);
  const usual = old.find((level) => level.get("id") === ladder.get("default")) ?? old[0];
  if (!usual) throw new Error(`ladder ${ladderId} has no level whose settings could be taken`);
  const indent = " ".repeat(columnOf(models, keyNode(pairOf(ladder, "levels"))));
  const lines = levels.flatMap((level) => {
    const same = old.find((other) => other.get("id") === level.id) ?? usual;
    return levelLines(level, settingsOf(models, same)).map((line, index) =>
      line === "" ? "" : `${indent}  ${index === 0 ? "- " : "  "}${line}`,
    );
  });
  const block = [`${indent}levels:`, ...lines, ""].join("\n");
  const replaced = replaceBlock(models, pairOf(ladder, "levels"), `${indent}default: ${defaultId}\n${block}`);
  const before = ladder.has("default") ? pairOf(ladder, "default") : undefined;
  if (!before) return replaced;
  if (startOf(before) > startOf(pairOf(ladder, "levels")))
    throw new Error(`ladder ${ladderId}: "default" has to stand before "levels"`);
  return replaceBlock(replaced, before, "");
}

/** Files that a ladder of a models.yaml names. */
export function filesOf(models: string, ladderId: string): string[] {
  const files = levelsOf(ladderOf(models, ladderId)).flatMap((level) =>
    ["text", "mmproj"].map((role) => String(level.getIn([role, "file"]))),
  );
  return [...new Set(files)];
}

function ladderOf(models: string, id: string): YAMLMap {
  const document = parseDocument(models);
  const [error] = document.errors;
  if (error) throw error;
  const ladders = document.get("ladders");
  const found = isSeq(ladders)
    ? ladders.items.find((item): item is YAMLMap => isMap(item) && item.get("id") === id)
    : undefined;
  if (!found) throw new Error(`models.yaml has no ladder ${id}`);
  return found;
}

function levelsOf(ladder: YAMLMap): YAMLMap[] {
  const levels = ladder.get("levels");
  return isSeq(levels) ? levels.items.filter((item): item is YAMLMap => isMap(item)) : [];
}

/** Each setting as it is written, the comment behind it included. */
function settingsOf(models: string, level: YAMLMap): string[] {
  return level.items
    .filter((pair) => !IDENTITY.has(nameOf(pair)))
    .map((pair) => {
      const text = models.slice(startOf(pair), endOf(pair)).trimEnd();
      const behind = /^[ \t]+#[^\n]*/.exec(models.slice(startOf(pair) + text.length));
      return `${text}${behind?.[0] ?? ""}`;
    });
}

function levelLines({ id, text, mmproj }: LevelFiles, settings: readonly string[]): string[] {
  const fileLines = (role: string, { file, bytes, sha256 }: ModelFile) => [
    `${role}:`,
    `  file: ${file}`,
    `  bytes: ${bytes}`,
    `  sha256: ${sha256}`,
  ];
  return [`id: ${id}`, ...fileLines("text", text), ...fileLines("mmproj", mmproj), ...settings];
}

/** Puts whole lines in the place of a pair's lines. */
function replaceBlock(models: string, pair: Pair, lines: string): string {
  const from = models.lastIndexOf("\n", startOf(pair)) + 1;
  const last = from + models.slice(from, endOf(pair)).trimEnd().length;
  const lineEnd = models.indexOf("\n", last);
  return models.slice(0, from) + lines + (lineEnd === -1 ? "" : models.slice(lineEnd + 1));
}

function pairOf(map: YAMLMap, name: string): Pair {
  const found = map.items.find((pair) => nameOf(pair) === name);
  if (!found) throw new Error(`models.yaml: ${name} is missing`);
  return found;
}

const nameOf = ({ key }: Pair): string => (isScalar(key) ? String(key.value) : "");
const keyNode = ({ key }: Pair): Node => key as Node;
const startOf = (pair: Pair): number => keyNode(pair).range?.[0] ?? 0;
const endOf = (pair: Pair): number => (pair.value as Node | null)?.range?.[1] ?? startOf(pair);
const columnOf = (models: string, node: Node): number => {
  const start = node.range?.[0] ?? 0;
  return start - (models.lastIndexOf("\n", start - 1) + 1);
};
