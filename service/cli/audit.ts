import { existsSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "../config/config.ts";
import type { AuditRow } from "../contract/access.ts";
import { messageOf, PerchError } from "../kernel/errors.ts";
import { Reader } from "../record/record.ts";
import { UsageError } from "./usage.ts";

interface Options {
  readonly config: string;
  readonly limit?: string;
  readonly json?: boolean;
}

/** `perch audit`: who changed what, newest first. Resolves to the exit code. */
export async function audit({ config, limit = "20", json }: Options): Promise<number> {
  const most = Number(limit);
  if (!Number.isInteger(most) || most < 1 || most > 10_000)
    throw new UsageError(`--limit ${limit}: must be a whole number from 1 to 10000`);
  const { data } = loadConfig(config, () => undefined);
  const rows = rowsOf(data, most);
  if (json) process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
  else if (rows.length === 0) process.stdout.write("nothing was changed yet\n");
  else process.stdout.write(`${rows.map(rowText).join("\n")}\n`);
  return 0;
}

function rowsOf(data: string, limit: number): AuditRow[] {
  if (!existsSync(join(data, "perch.db"))) return [];
  try {
    const reader = new Reader(data);
    try {
      return reader.queries.audit({ limit });
    } finally {
      reader.close();
    }
  } catch (error) {
    const why = messageOf(error);
    const hint = why.includes("no such table") ? "it is an older one, which the next start brings up" : why;
    throw new PerchError("DATA_UNWRITABLE", `the record in ${data} cannot be read: ${hint}`);
  }
}

const rowText = ({ at, who, role, from, what, outcome }: AuditRow): string =>
  [
    new Date(at).toLocaleString("sv-SE"),
    `${who}${role === null || who === role ? "" : ` (${role})`} from ${from}:`,
    `${what}:`,
    outcome,
  ]
    .map(printable)
    .join("  ");

/** What strangers sent must not steer the terminal of whoever reads it. */
const printable = (text: string) =>
  text.replace(
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`,
  );
