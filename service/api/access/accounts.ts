import { randomBytes } from "node:crypto";
import { type AccountRole, StoredAccount } from "../../contract/accounts.ts";
import { iso } from "../../kernel/clock.ts";
import { PerchError } from "../../kernel/errors.ts";
import { type Passwords, refusePoorPassword } from "./passwords.ts";
import { PrivateFiles } from "./private-files.ts";

const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;
/** A box has a handful of people. */
const MOST = 100;

interface Wish {
  readonly name: string;
  readonly role: AccountRole;
  readonly password: string;
  /** Who makes it. */
  readonly by: string;
  /** Only where there is no admin yet. */
  readonly first?: boolean;
}

/** The people who may log in: accounts/NAME.json in the data folder, one each. */
export class Accounts {
  private readonly files: PrivateFiles<StoredAccount>;

  /** `warn` is told of files that are not as they should be, once of each fault. */
  constructor(
    data: string,
    private readonly passwords: Passwords,
    warn: (message: string) => void = () => undefined,
  ) {
    this.files = new PrivateFiles<StoredAccount>({
      ...{ data, folder: "accounts", what: "account", schema: StoredAccount, warn, names: NAME },
      nameOf: ({ name }) => name,
    });
  }

  /** By name. Throws what the file system says. */
  list(): StoredAccount[] {
    return this.files.list().sort((a, b) => a.name.localeCompare(b.name));
  }

  find(name: string): StoredAccount | undefined {
    return this.files.read(name);
  }

  hasAdmin(): boolean {
    return this.list().some(({ role }) => role === "admin");
  }

  /** `now` is epoch ms. Rejects with REQUEST_INVALID, with CONFLICT where there is no room for it, or with what the file system says. */
  async create({ name, role, password, by, first = false }: Wish, now: number): Promise<StoredAccount> {
    refuseName(name);
    refusePoorPassword(password, name);
    this.refuseNoRoom(name, first);
    const account = {
      ...{ name, role, hash: await this.passwords.hash(password), stamp: newStamp() },
      ...{ created: iso(now), by },
    };
    // Hashing took its time: others may have come first.
    this.files.alone(() => {
      this.refuseNoRoom(name, first);
      if (!this.files.create(account)) throw taken(name);
    });
    return account;
  }

  /** Rejects with NOT_FOUND, with REQUEST_INVALID, or with CONFLICT where no admin would be left. */
  async change(
    name: string,
    { role, password }: { readonly role?: AccountRole; readonly password?: string },
  ): Promise<StoredAccount> {
    this.known(name);
    if (password !== undefined) refusePoorPassword(password, name);
    const hash = password === undefined ? undefined : await this.passwords.hash(password);
    return this.files.alone(() => {
      // Read again: hashing took its time, and it may be gone or another by now.
      const account = this.known(name);
      if (role !== undefined && role !== "admin")
        this.refuseLastAdmin(account, "give another account that role first");
      const changed = {
        ...account,
        ...(role !== undefined && { role }),
        ...(hash !== undefined && { hash, stamp: newStamp() }),
      };
      this.files.write(changed);
      return changed;
    });
  }

  /** Throws NOT_FOUND, or CONFLICT where no admin would be left. */
  remove(name: string): void {
    this.known(name);
    this.files.alone(() => {
      this.refuseLastAdmin(this.known(name), "make another one first");
      this.files.remove(name);
    });
  }

  private known(name: string): StoredAccount {
    const account = this.find(name);
    if (!account) throw new PerchError("NOT_FOUND", `there is no account ${shown(name)}`);
    return account;
  }

  private refuseNoRoom(name: string, first: boolean): void {
    const all = this.list();
    if (first && all.some(({ role }) => role === "admin")) throw hasAdmin();
    if (this.find(name)) throw taken(name);
    if (all.length >= MOST)
      throw new PerchError("CONFLICT", `there are ${MOST} accounts already: remove one that is not used`);
  }

  private refuseLastAdmin(account: StoredAccount, advice: string): void {
    const others = this.list().filter(({ name, role }) => role === "admin" && name !== account.name);
    if (account.role === "admin" && others.length === 0)
      throw new PerchError("CONFLICT", `${account.name} is the only admin: ${advice}`);
  }
}

/** Throws REQUEST_INVALID. */
export function refuseName(name: string): void {
  if (!NAME.test(name))
    throw new PerchError(
      "REQUEST_INVALID",
      `"${shown(name)}" is no name for an account: lower case letters, digits, - and _, at most 63, not beginning with - or _`,
    );
}

export const hasAdmin = () => new PerchError("CONFLICT", "this box has an administrator already: log in");
const taken = (name: string) => new PerchError("CONFLICT", `there is an account ${name} already`);
const shown = (name: string): string => name.replace(/[^\x20-\x7e]/g, "?").slice(0, 70);
const newStamp = (): string => randomBytes(8).toString("hex");
