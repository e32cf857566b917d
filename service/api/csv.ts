/** What stands in one field. Null and undefined are an empty one. */
export type Cell = string | number | boolean | null | undefined;

/** A text that begins so is taken for a formula by spreadsheets, and may then do what whoever wrote it wants. */
const FORMULA = /^\s*[=+\-@＝＋－＠]|^[\t\r\n]/u;
const NEEDS_QUOTES = /[",\r\n]/;

/** One record of a CSV file (RFC 4180). Texts that look like formulas have an apostrophe in front, which spreadsheets hide. */
export const csvLine = (cells: readonly Cell[]): string => `${cells.map(csvField).join(",")}\r\n`;

function csvField(cell: Cell): string {
  if (cell === null || cell === undefined) return "";
  if (typeof cell !== "string") return String(cell);
  const safe = FORMULA.test(cell) ? `'${cell}` : cell;
  return NEEDS_QUOTES.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
