import { createHash } from "node:crypto";
import { closeSync, createReadStream, fsyncSync, openSync, statSync } from "node:fs";
import { setPriority } from "node:os";
import { Database } from "../kernel/sqlite.ts";

// node backup-copy.js DATABASE COPY: a process of its own, so that neither the copying nor the disk's flush holds the
// service up. Copies the database as it is at one moment, checks the copy, and prints {bytes, sha256} of it as JSON.
const [database = "", copy = ""] = process.argv.slice(2);
setPriority(10);
// What the box has seen is its user's alone.
process.umask(0o077);

const source = new Database(database, { readonly: true, fileMustExist: true, timeout: 10_000 });
source.prepare("VACUUM INTO ?").run(copy);
source.close();

const made = new Database(copy, { readonly: true, fileMustExist: true });
const found = made.pragma("quick_check(1)", { simple: true });
made.close();
if (found !== "ok") throw new Error(`the copy is damaged: ${String(found)}`);

const file = openSync(copy, "r+");
fsyncSync(file);
closeSync(file);

const hash = createHash("sha256");
for await (const chunk of createReadStream(copy)) hash.update(chunk as Buffer);
process.stdout.write(JSON.stringify({ bytes: statSync(copy).size, sha256: hash.digest("hex") }));
