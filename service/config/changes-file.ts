import { open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { stringify } from "yaml";
import { Changes } from "../contract/changes.ts";
import { pathText, schemaIssues } from "../kernel/config-schema.ts";
import { ConfigText, LARGEST_FILE, readText } from "../kernel/config-text.ts";
import { messageOf, PerchError, systemCode } from "../kernel/errors.ts";

/** What was changed by HTTP, as data/changes.yaml holds it. */
export interface ChangesDocument {
  readonly feeds: ReadonlyMap<string, { readonly enabled: boolean }>;
  /** Watches as a configuration file has them, unchecked; null: removed. */
  readonly watches: ReadonlyMap<string, unknown>;
}

export const NO_CHANGES: ChangesDocument = { feeds: new Map(), watches: new Map() };

const HEAD = `# Written by Perch: changes of watches and feeds that were made by HTTP. They are laid over the configuration
# file. Edit this while Perch is stopped, or remove it to have the configuration file alone again.
`;

export const changesFile = (data: string): string => join(data, "changes.yaml");

/**
 * What a changes file holds; nothing where there is none. Texts are taken as they stand: \${env:…} in what came by HTTP
 * would show secrets to whoever sent it. Throws CONFIG_INVALID where it cannot be read as one.
 */
export function readChanges(path: string): ChangesDocument {
  const text = textOf(path);
  if (text === undefined) return NO_CHANGES;
  const parsed = new ConfigText(text);
  const [fault] = parsed.faults;
  if (fault) throw unusable(path, `line ${fault.line}: ${fault.message}`);
  const value = parsed.toValue();
  const [issue] = schemaIssues(Changes, value);
  if (issue) throw unusable(path, `${pathText(issue.path)}: ${issue.message}`);
  const { feeds = {}, watches = {} } = value as Changes;
  return { feeds: new Map(Object.entries(feeds)), watches: new Map(Object.entries(watches)) };
}

/** Puts a whole new file in the place of the old one, on the disk when it resolves. Rejects with DATA_FULL, DATA_UNWRITABLE or CONFLICT. */
export async function writeChanges(path: string, { feeds, watches }: ChangesDocument): Promise<void> {
  const document = { feeds: Object.fromEntries(feeds), watches: Object.fromEntries(watches) };
  const text = `${HEAD}${stringify(document, { lineWidth: 0, aliasDuplicateObjects: false })}`;
  if (Buffer.byteLength(text) > LARGEST_FILE)
    throw new PerchError(
      "CONFLICT",
      `the changes would take more than ${LARGEST_FILE / 1e6} MB: move watches into the configuration file`,
    );
  const draft = `${path}.new`;
  try {
    const file = await open(draft, "w", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
    const folder = await open(dirname(path), "r");
    await folder.sync().finally(() => folder.close());
  } catch (error) {
    await rm(draft, { force: true });
    const full = ["ENOSPC", "EDQUOT"].includes(systemCode(error) ?? "");
    const code = full ? "DATA_FULL" : "DATA_UNWRITABLE";
    throw new PerchError(code, `nothing was changed: ${path} cannot be written: ${messageOf(error)}`, error);
  }
}

function textOf(path: string): string | undefined {
  try {
    return readText(path);
  } catch (error) {
    if (error instanceof Error && systemCode(error.cause) === "ENOENT") return undefined;
    throw unusable(path, messageOf(error));
  }
}

const unusable = (path: string, why: string): PerchError =>
  new PerchError("CONFIG_INVALID", `${path} cannot be used: ${why}`);
