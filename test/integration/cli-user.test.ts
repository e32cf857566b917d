import { spawn } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Accounts } from "../../service/api/access/accounts.ts";
import { Passwords } from "../../service/api/access/passwords.ts";
import { health as healthCommand } from "../../service/cli/health.ts";
import { user as userCommand } from "../../service/cli/user.ts";
import { accessFolder, Served } from "../support/access-served.ts";
import { Browser, PASSWORD } from "../support/browser.ts";
import { commandLine } from "../support/perch.ts";
import { perchArguments, perchIn, perchTold } from "../support/perch-command.ts";

async function configured() {
  const folder = await accessFolder();
  const data = join(folder, "data");
  writeFileSync(join(folder, "perch.yaml"), `node: here\ndata: ${data}\nfeeds: []\nwatches: []\n`);
  const words = (given: string[]) => ["user", ...given, "--config", "perch.yaml"];
  const told = (input: string, ...given: string[]) => perchTold(folder, input, ...words(given));
  return { folder, data, told, user: (...given: string[]) => told("", ...given) };
}

describe("perch user", () => {
  it("keeps the accounts of a running service, and notes who did", async () => {
    const { data, told, user } = await configured();
    const served = await Served.start({ data });
    const token = served.setupToken;
    expect(await told(`${PASSWORD}\nmore\n`, "add", "anna", "--role", "admin")).toEqual({
      ...{ code: 0, out: "anna may log in as admin\n", err: "" },
    });
    // There is an administrator: the link of the first run makes no other.
    expect((await new Browser(served).setUp(token, "mallory")).status).toBe(409);
    const anna = new Browser(served);
    expect((await anna.login("anna")).status).toBe(200);
    expect((await told("another horse battery", "password", "anna")).code).toBe(0);
    expect((await anna.who()).status).toBe(401);
    expect((await anna.login("anna", "another horse battery")).status).toBe(200);
    expect(await user("remove", "anna")).toMatchObject({
      code: 1,
      err: expect.stringContaining("the only admin"),
    });
    expect(JSON.parse((await user("list", "--json")).out)).toMatchObject([{ name: "anna", role: "admin" }]);
    const noted = served.record.queries.audit().filter(({ from }) => from === "command line");
    expect(noted.map(({ what }) => what).reverse()).toEqual([
      "account add anna (admin)",
      "account change anna: a new password",
    ]);
  });

  it("asks for the password on a terminal, which shows nothing of it, and not on the command line", async () => {
    const { folder, data } = await configured();
    const command = [process.execPath, ...perchArguments("user", "add", "anna", "--role", "viewer")];
    const quoted = [...command, "--config", "perch.yaml"].map((word) => `'${word}'`).join(" ");
    // script gives the program a terminal of its own.
    const terminal = spawn("script", ["--quiet", "--echo", "always", "--command", quoted, "/dev/null"], {
      cwd: folder,
    });
    let shown = "";
    let seen = "";
    terminal.stdout.on("data", (piece) => {
      shown += String(piece);
      if (/New password: $/.test(shown) || /Once more: $/.test(shown)) {
        const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
        seen += pids.map((pid) => commandLine(Number(pid))).join("\n");
        terminal.stdin.write(`x\u007f${PASSWORD}\r`);
      }
    });
    expect(await new Promise((resolve) => terminal.on("close", resolve))).toBe(0);
    expect(shown).toContain("anna may log in as viewer");
    expect(seen).toContain("user add anna");
    for (const text of [shown, seen]) expect(text).not.toContain(PASSWORD);
    const { hash } = new Accounts(data, new Passwords()).find("anna") ?? {};
    expect(await new Passwords().verify(hash, PASSWORD)).toBe(true);
  });

  it.each([
    [[], {}, "perch user what?"],
    [["make", "a"], {}, "perch user make?"],
    [["add", "anna"], {}, "--role is missing"],
    [["add", "anna"], { role: "kiosk" }, "--role kiosk: must be one of admin, operator, viewer"],
    [["add"], { role: "admin" }, "perch user add whom?"],
    [["add", "Anna"], { role: "admin" }, '"Anna" is no name for an account'],
    [["remove"], {}, "perch user remove whom?"],
    [["remove", "anna"], {}, "there is no account anna"],
    [["password", "anna"], {}, "there is no account anna"],
    [["list", "anna"], {}, 'does not take "anna"'],
    [["list", "anna", "ben"], {}, 'does not take "ben"'],
    [["remove", "anna"], { role: "admin" }, "--role belongs to perch user add"],
    [["remove", "anna"], { json: true }, "--json belongs to perch user list"],
  ])("refuses %j with %j, and makes nothing", async (words, options, message) => {
    const { folder } = await configured();
    const asked = userCommand({ ...options, words, config: join(folder, "perch.yaml") });
    await expect(asked).rejects.toThrow(message);
    expect(readdirSync(folder)).toEqual(["perch.yaml"]);
  });

  it("refuses a poor password without repeating it", async () => {
    const { folder, told } = await configured();
    expect(await told("", "add", "anna", "--role", "admin")).toMatchObject({
      ...{ code: 2, err: expect.stringContaining("standard input holds no password") },
    });
    const { code, err } = await told("tooshort\n", "add", "anna", "--role", "admin");
    expect([code, err]).toEqual([1, expect.stringContaining("it has 8 characters: take at least 12")]);
    expect(err).not.toContain("tooshort");
    expect(readdirSync(folder)).toEqual(["perch.yaml"]);
  });
});

describe("perch health", () => {
  it("asks as the configuration says: by TLS, with the token, or neither", async () => {
    for (const lan of [false, true]) {
      const folder = await accessFolder();
      const served = await Served.start({
        data: join(folder, "data"),
        lan,
        http: lan ? { tls: "self-signed" } : {},
      });
      const { port } = new URL(served.url);
      const lines = lan ? "  host: 0.0.0.0\n  tls: self-signed\n" : "";
      writeFileSync(
        join(folder, "perch.yaml"),
        `node: here\ndata: ${served.data}\nfeeds: []\nwatches: []\nhttp:\n  port: ${port}\n${lines}`,
      );
      const config = join(folder, "perch.yaml");
      expect(await healthCommand({ config })).toBe(0);
      served.parts = { engine: { state: "degraded", reason: "no model" } };
      expect(await perchIn(folder, "health", "--config", "perch.yaml")).toEqual({
        ...{ code: 1, out: "not ready\n  engine: degraded, no model\n", err: "" },
      });
      await served.stop();
      await expect(healthCommand({ config })).rejects.toThrow("no service answers");
    }
  });
});
