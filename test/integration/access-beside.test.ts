import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Accounts } from "../../service/api/access/accounts.ts";
import { Passwords } from "../../service/api/access/passwords.ts";
import { PrivateFiles } from "../../service/api/access/private-files.ts";
import { Tokens } from "../../service/api/access/tokens.ts";
import { StoredAccount } from "../../service/contract/accounts.ts";
import { messageOf } from "../../service/kernel/errors.ts";
import { packageRoot } from "../../service/kernel/paths.ts";
import { accessFolder, Served } from "../support/access-served.ts";
import { Browser, PASSWORD } from "../support/browser.ts";

const ROUNDS = 8;

/** Another process, which works on the data folders that it is told of. */
class Changer {
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;

  constructor() {
    const tsx = join(packageRoot, "node_modules/tsx/dist/loader.mjs");
    const script = join(packageRoot, "test/support/access-changer.ts");
    this.child = spawn(process.execPath, ["--import", tsx, script], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const { stdout } = this.child;
    if (!stdout) throw new Error("it has no output");
    this.lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  }

  /** The next thing that it says. */
  async said(): Promise<string> {
    return String((await this.lines.next()).value);
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** As by a power cut. */
  async die(): Promise<void> {
    const over = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await over;
  }

  do(...words: string[]): Promise<string> {
    this.child.stdin?.write(`${words.join(" ")}\n`);
    return this.said();
  }
}

let one: Changer;
let other: Changer;
beforeAll(async () => {
  [one, other] = [new Changer(), new Changer()];
  for (const process of [one, other]) expect(await process.said()).toBe("ready");
});
afterAll(() => Promise.all([one.die(), other.die()]));

describe("two processes that change accounts at the same moment", () => {
  let data: string;
  let accounts: Accounts;
  /** Puts an account there as it was, without asking for a password again. */
  let put: (account: StoredAccount) => void;

  beforeEach(async () => {
    data = await accessFolder();
    accounts = new Accounts(data, new Passwords());
    const files = new PrivateFiles<StoredAccount>({
      ...{ data, folder: "accounts", what: "account", schema: StoredAccount, names: /^\w+$/ },
      ...{ nameOf: ({ name }) => name, warn: () => undefined },
    });
    put = (account) => files.write(account);
  });
  const admin = (name: string) =>
    accounts.create({ name, role: "admin", password: PASSWORD, by: "a test" }, Date.now());

  it.each(["remove", "demote"])("leave one admin, whichever of the two they %s", async (verb) => {
    const both = [await admin("anna"), await admin("ben")];
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const account of both) put(account);
      const said = await Promise.all([one.do(data, verb, "anna"), other.do(data, verb, "ben")]);
      expect(said.sort()).toEqual(["done", expect.stringMatching(/is the only admin/)].sort());
      expect(accounts.list().filter(({ role }) => role === "admin")).toHaveLength(1);
    }
    expect(readdirSync(join(data, "accounts")).filter((name) => !name.endsWith(".json"))).toEqual([]);
  });

  it("make one first admin, although both found none before they hashed its password", async () => {
    const first = (name: string) =>
      accounts
        .create({ name, role: "admin", password: PASSWORD, by: "a test", first: true }, Date.now())
        .then(() => "made", messageOf);
    const said = await Promise.all([first("anna"), first("ben")]);
    expect(said.sort()).toEqual(["made", expect.stringContaining("has an administrator already")]);
    expect(accounts.list()).toHaveLength(1);
  });

  it("lose neither of two changes of one account", async () => {
    await admin("anna");
    const ben = await admin("ben");
    for (let round = 0; round < ROUNDS; round += 1) {
      put(ben);
      expect(await Promise.all([one.do(data, "password", "ben"), other.do(data, "demote", "ben")])).toEqual([
        "done",
        "done",
      ]);
      const { role, stamp } = accounts.find("ben") ?? {};
      expect([role, stamp === ben.stamp]).toEqual(["viewer", false]);
    }
  });
});

describe("two processes that make a token of one name", () => {
  it("make one", async () => {
    const data = await accessFolder();
    for (let round = 0; round < ROUNDS; round += 1) {
      const said = await Promise.all(
        [one, other].map((process) => process.do(data, "token", `line-${round}`)),
      );
      expect(said.sort()).toEqual(["done", expect.stringMatching(/already: revoke it first/)]);
    }
    expect(new Tokens(data).list()).toHaveLength(ROUNDS);
  });
});

describe("a process that hangs in the middle of a change", () => {
  it("is named by the service, which goes on, and leaves nothing that locks when it dies", async () => {
    const served = await Served.start();
    const anna = new Browser(served);
    await anna.setUp(served.setupToken, "anna");
    const wish = { name: "ben", role: "viewer", password: PASSWORD };
    await anna.ask("POST", "/api/accounts", wish);
    const hanging = new Changer();
    expect(await hanging.said()).toBe("ready");
    expect(await hanging.do(served.data, "hang")).toBe("done");

    const remove = () => anna.ask("DELETE", "/api/accounts/ben");
    expect(await remove()).toMatchObject({
      status: 409,
      body: {
        error: `process ${hanging.pid} writes the accounts at this moment: wait until it is done, or end it`,
      },
    });
    expect((await anna.who()).status).toBe(200);
    await hanging.die();
    expect(existsSync(join(served.data, "accounts/lock"))).toBe(true);
    expect((await remove()).status).toBe(204);
    expect(readdirSync(join(served.data, "accounts"))).toEqual(["anna.json"]);
  });
});
