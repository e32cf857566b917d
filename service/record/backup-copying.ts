import { spawn } from "node:child_process";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { DATABASE } from "./faults.ts";

/** Characters of what a process said that failed. */
const LONGEST_FAULT = 500;

/** A copy of the database in the making. */
export interface Copying {
  /** Resolves when it is checked and on the disk; rejects with why it is not. */
  readonly outcome: Promise<{ readonly bytes: number; readonly sha256: string }>;
  /** Ends it, and says why. */
  end(reason: string): void;
}

/** Has another process copy the database of a data folder, so that neither the copying nor the flush holds this one up. */
export function copyDatabase(data: string, target: string): Copying {
  const program = fileURLToPath(import.meta.url).replace(/backup-copying(\.\w+)$/, "backup-copy$1");
  const loader = extname(program) === ".ts" ? ["--import", "tsx"] : [];
  const child = spawn(process.execPath, [...loader, program, join(data, DATABASE), target], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  let complained = "";
  let ended: string | undefined;
  child.stdout.on("data", (text) => (said += String(text)));
  child.stderr.on("data", (text) => (complained = (complained + String(text)).slice(-20_000)));
  const outcome = new Promise<{ bytes: number; sha256: string }>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (code === 0) resolve(JSON.parse(said) as { bytes: number; sha256: string });
      else reject(new Error(ended ?? (signal ? `it was ended (${signal})` : faultIn(complained, data))));
    });
  });
  const end = (reason: string) => {
    ended = reason;
    child.kill("SIGKILL");
  };
  return { outcome, end };
}

/** The error's own line of what Node prints of one that nothing caught. */
function faultIn(complained: string, data: string): string {
  if (/database or disk is full|ENOSPC/.test(complained))
    return `the disk of ${data} is full: free some space, or remove an old backup`;
  const lines = complained.split("\n");
  const line = lines.find((one) => /^\w*Error\b.*:/.test(one)) ?? lines.find((one) => one.trim() !== "");
  return (line ?? "it ended without a word").slice(0, LONGEST_FAULT);
}
