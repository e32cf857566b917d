import { existsSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf, PerchError } from "../kernel/errors.ts";

/** sockaddr_un's sun_path holds 107 bytes and a zero. */
const SOCKET_PATH_LIMIT = 107;

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
      Buffer.byteLength(join(folder, "perch-XXXXXX", "999999.sock")) <= SOCKET_PATH_LIMIT,
  );
  const prefix = join(base ?? "/tmp", "perch-");
  // mkdtemp makes it with mode 0700.
  return await mkdtemp(prefix).catch((error: unknown) => {
    throw new PerchError(
      "DATA_UNWRITABLE",
      `no folder for the engine's socket can be made (${prefix}…): ${messageOf(error)}`,
      error,
    );
  });
}
