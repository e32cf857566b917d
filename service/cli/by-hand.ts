import { userInfo } from "node:os";
import type { AuditRow } from "../contract/access.ts";
import { messageOf, PerchError, systemCode } from "../kernel/errors.ts";
import { appendAudit } from "../record/record.ts";

/** Notes a change that the command line made in the data folder by itself. It is made already: where it cannot be noted, that is said. */
export function noteByHand(data: string, what: string): void {
  const row: AuditRow = {
    ...{ at: Date.now(), who: userInfo().username, role: "admin", from: "command line" },
    ...{ what, outcome: "done" },
  };
  try {
    appendAudit(data, row);
  } catch (error) {
    process.stderr.write(`perch: this is not in the audit: ${messageOf(error)}\n`);
  }
}

/** Faults of the data folder in words. `what` it was about: "the tokens". */
export async function inData<T>(data: string, what: string, act: () => T | Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const code = systemCode(error);
    if (error instanceof PerchError || code === undefined) throw error;
    const hint = code === "EACCES" || code === "EPERM" ? "; ask as the service's user, or with sudo" : "";
    throw new PerchError("DATA_UNWRITABLE", `${what} of ${data} cannot be used: ${messageOf(error)}${hint}`);
  }
}
