import { join } from "node:path";
import { createInterface } from "node:readline";
import { Accounts } from "../../service/api/access/accounts.ts";
import { Passwords } from "../../service/api/access/passwords.ts";
import { Tokens } from "../../service/api/access/tokens.ts";
import { messageOf } from "../../service/kernel/errors.ts";
import { FileLock } from "../../service/kernel/file-lock.ts";

// Changes accounts and tokens of data folders as it is told, line by line, and says of each what came of it.
async function change([data = "", what, name = ""]: string[]): Promise<unknown> {
  const accounts = new Accounts(data, new Passwords());
  if (what === "remove") return accounts.remove(name);
  if (what === "demote") return accounts.change(name, { role: "viewer" });
  if (what === "password") return accounts.change(name, { password: `correct horse battery ${name}` });
  // For good: it hangs in the middle of a change.
  if (what === "hang") return FileLock.take(join(data, "accounts/lock"), "the accounts");
  return new Tokens(data).create({ name, role: "viewer", by: "a test", expires: null }, Date.now());
}

const lines = createInterface({ input: process.stdin });
process.stdout.write("ready\n");
for await (const line of lines) {
  const outcome = await change(line.split(" ")).then(() => "done", messageOf);
  process.stdout.write(`${outcome}\n`);
}
