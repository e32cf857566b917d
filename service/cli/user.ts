import { userInfo } from "node:os";
import { Accounts, refuseName } from "../api/access/accounts.ts";
import { Passwords } from "../api/access/passwords.ts";
import { loadConfig } from "../config/config.ts";
import { ACCOUNT_ROLES, type AccountRole, type StoredAccount } from "../contract/accounts.ts";
import { isPerchError } from "../kernel/errors.ts";
import { inData, noteByHand } from "./by-hand.ts";
import { newPassword } from "./secret-input.ts";
import { UsageError } from "./usage.ts";

interface Options {
  readonly config: string;
  /** What to do, and with whom: `remove anna`. */
  readonly words: readonly string[];
  readonly role?: string;
  readonly json?: boolean;
}

const ACTIONS = ["add", "list", "password", "remove"] as const;

/** `perch user`: makes, lists, changes and removes accounts in the data folder. Resolves to the exit code. */
export async function user(options: Options): Promise<number> {
  const [word, name, ...more] = options.words;
  const action = ACTIONS.find((one) => one === word);
  if (action === undefined)
    throw new UsageError(`perch user ${word ?? "what"}? perch user add, list, password or remove`);
  if (more.length > 0) throw new UsageError(`perch user ${action} does not take "${more[0]}"`);
  if (options.json !== undefined && action !== "list")
    throw new UsageError("--json belongs to perch user list");
  if (options.role !== undefined && action !== "add")
    throw new UsageError("--role belongs to perch user add");
  const role = action === "add" ? roleOf(options.role) : "viewer";
  const { data } = loadConfig(options.config, () => undefined);
  const warn = (message: string) => process.stderr.write(`perch: ${message}\n`);
  const accounts = new Accounts(data, new Passwords(), warn);
  return inData(data, "the accounts", () => {
    if (action === "list") {
      if (name !== undefined) throw new UsageError(`perch user list does not take "${name}"`);
      return list(accounts.list(), options.json ?? false);
    }
    if (name === undefined) throw new UsageError(`perch user ${action} whom? perch user ${action} NAME`);
    if (action === "remove") return remove(accounts, name, data);
    return action === "add" ? add(accounts, { name, role, data }) : change(accounts, name, data);
  });
}

function roleOf(role: string | undefined): AccountRole {
  const known = ACCOUNT_ROLES.find((one) => one === role);
  if (known) return known;
  throw new UsageError(`--role ${role ?? "is missing"}: must be one of ${ACCOUNT_ROLES.join(", ")}`);
}

async function add(
  accounts: Accounts,
  { name, role, data }: { name: string; role: AccountRole; data: string },
): Promise<number> {
  // Said before anybody thinks up a password.
  asUsage(() => refuseName(name));
  if (accounts.find(name)) throw new UsageError(`there is an account ${name} already`);
  await accounts.create({ name, role, password: await newPassword(), by: userInfo().username }, Date.now());
  noteByHand(data, `account add ${name} (${role})`);
  process.stdout.write(`${name} may log in as ${role}\n`);
  return 0;
}

async function change(accounts: Accounts, name: string, data: string): Promise<number> {
  if (!accounts.find(name)) throw new UsageError(`there is no account ${name}; perch user list shows them`);
  await accounts.change(name, { password: await newPassword() });
  noteByHand(data, `account change ${name}: a new password`);
  process.stdout.write(`${name} has a new password; logins with the old one are over\n`);
  return 0;
}

function remove(accounts: Accounts, name: string, data: string): number {
  accounts.remove(name);
  noteByHand(data, `account remove ${name}`);
  process.stdout.write(`${name} may not log in any more\n`);
  return 0;
}

function list(accounts: readonly StoredAccount[], json: boolean): number {
  const shown = accounts.map(({ name, role, created, by }) => ({ name, role, created, by }));
  if (json) process.stdout.write(`${JSON.stringify(shown, null, 2)}\n`);
  else if (shown.length === 0) process.stdout.write("there are no accounts; perch user add makes one\n");
  for (const { name, role, created, by } of json ? [] : shown)
    process.stdout.write(`${name.padEnd(20)} ${role.padEnd(9)} since ${created.slice(0, 10)}, by ${by}\n`);
  return 0;
}

function asUsage(check: () => void): void {
  try {
    check();
  } catch (error) {
    if (isPerchError(error)) throw new UsageError(error.message);
    throw error;
  }
}
