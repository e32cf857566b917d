import { spawn, spawnSync } from "node:child_process";
import { ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { SetupError } from "./command.mjs";

/**
 * Holds build/setup/lock until this process ends, however it ends: the kernel's file lock stays with the
 * open file that `flock` locked on our behalf. A second set-up waits here and then finds the work done.
 */
export async function lockSetup(root, say) {
  const path = join(root, "build", "setup", "lock");
  const file = openForThisUser(path);
  const stdio = ["ignore", "ignore", "ignore", file];
  const first = spawnSync("flock", ["--nonblock", "3"], { stdio });
  if (first.error) throw new SetupError(`flock (package util-linux) is missing: ${first.error.message}`);
  if (first.status !== 0) {
    say(`another set-up is at work here (process ${readFileSync(path, "utf8").trim()}); waiting for it`);
    await new Promise((resolve, reject) => {
      spawn("flock", ["3"], { stdio }).on("error", reject).on("close", resolve);
    });
  }
  ftruncateSync(file);
  writeSync(file, `${process.pid}\n`);
}

function openForThisUser(path) {
  try {
    mkdirSync(dirname(path), { recursive: true });
    return openSync(path, "a+");
  } catch (error) {
    if (!["EACCES", "EPERM", "EROFS"].includes(error.code)) throw error;
    throw new SetupError(`this user may not write to ${dirname(path)}`, {
      advice: "Run set-up as the owner of this folder: npm run setup",
    });
  }
}
