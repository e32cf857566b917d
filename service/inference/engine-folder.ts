import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf, PerchError, systemCode } from "../kernel/errors.ts";

/** sockaddr_un's sun_path holds 107 bytes and a zero. */
const SOCKET_PATH_LIMIT = 107;
const NAME = "perch-engine-";

/**
 * A new folder that only this user can enter, with a path short enough for a socket in it. Not in the
 * data folder, which may lie deep, or on a disk whose file system has no sockets. Rejects with
 * DATA_UNWRITABLE.
 */
export async function privateFolder(): Promise<string> {
  const candidates = [process.env.XDG_RUNTIME_DIR, tmpdir(), "/tmp"];
  const base = candidates.find(
    (folder): folder is string =>
      folder !== undefined &&
      existsSync(folder) &&
      Buffer.byteLength(join(folder, `${NAME}${"9".repeat(7)}-XXXXXX`, "999999.sock")) <= SOCKET_PATH_LIMIT,
  );
  await sweep(base ?? "/tmp");
  const prefix = join(base ?? "/tmp", `${NAME}${process.pid}-`);
  // mkdtemp makes it with mode 0700.
  return await mkdtemp(prefix).catch((error: unknown) => {
    throw new PerchError(
      "DATA_UNWRITABLE",
      `no folder for the engine's socket can be made (${prefix}…): ${messageOf(error)}`,
      error,
    );
  });
}

/** Removes the folders of services that were killed and could not do it themselves. */
async function sweep(base: string): Promise<void> {
  const names = await readdir(base).catch(() => []);
  for (const name of names) {
    const pid = new RegExp(`^${NAME}(\\d+)-`).exec(name)?.[1];
    // What cannot be removed is another user's, and in nobody's way.
    if (pid && gone(Number(pid))) await rm(join(base, name), { recursive: true }).catch(() => undefined);
  }
}

function gone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return systemCode(error) === "ESRCH";
  }
}
