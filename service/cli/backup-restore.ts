import { existsSync } from "node:fs";
import { basename } from "node:path";
import { PerchError } from "../kernel/errors.ts";
import { BackupShelf } from "../record/backup-shelf.ts";
import { restoreRecord } from "../record/restoring.ts";
import { inData, noteByHand } from "./by-hand.ts";

/** `perch backup restore`: puts a file, or a backup of the data folder by its id, in the record's place. */
export async function restore(data: string, which: string): Promise<number> {
  const from = fileOf(data, which);
  process.stderr.write(`copying and checking ${from}; a large one takes a while\n`);
  const { version, newest, kept } = await inData(data, "the record", () =>
    restoreRecord(data, from, Date.now()),
  );
  noteByHand(data, `put back the record from ${basename(from)}`);
  const lines = [
    `the record is put back from ${from}`,
    version < newest
      ? `it is of an older Perch (version ${version}), and was brought to version ${newest}`
      : undefined,
    kept && `the one that was there is ${kept}: remove it once you do not need it`,
    `accounts, tokens, changes made by HTTP and the configuration are not in a backup: those of ${data} stay`,
    "start the service again: sudo systemctl start perch",
  ];
  for (const line of lines) if (line !== undefined) process.stdout.write(`${line}\n`);
  return 0;
}

function fileOf(data: string, which: string): string {
  if (existsSync(which)) return which;
  const own = new BackupShelf(data);
  if (own.list().some(({ id }) => id === which)) return own.path(which);
  throw new PerchError(
    "NOT_FOUND",
    `there is no file and no backup ${which}: perch backup list shows those of the data folder`,
  );
}
