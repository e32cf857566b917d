import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { StagingFile } from "../../service/inference/model-staging.ts";
import { isPerchError } from "../../service/kernel/errors.ts";

// node --import tsx staging-full-disk.ts FOLDER: in a mount namespace of its own. Puts a disk of 1 MB
// on FOLDER, lets a file of 3 MB come, makes room, lets the rest come, and prints what was seen as JSON.
const [folder = ""] = process.argv.slice(2);
execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]);

const bytes = randomBytes(3_000_000);
const sha256 = createHash("sha256").update(bytes).digest("hex");
const expected = { file: "a.gguf", bytes: bytes.length, sha256 };
const open = () => StagingFile.open(join(folder, "a.gguf"), expected, new AbortController().signal);
const appendRest = async (staging: StagingFile) => {
  while (staging.size < bytes.length)
    await staging.append(bytes.subarray(staging.size, staging.size + 100_000));
};

const first = await open();
const fault: unknown = await appendRest(first).catch((error: unknown) => error);
await first.close();

execFileSync("mount", ["-o", "remount,size=16m", folder]);
const second = await open();
const kept = second.size;
await appendRest(second);
await second.finish();
await second.close();

process.stdout.write(
  JSON.stringify({
    fault: isPerchError(fault) ? fault.code : String(fault),
    kept,
    afterwards: readdirSync(folder),
    right: readFileSync(join(folder, "a.gguf")).equals(bytes),
  }),
);
