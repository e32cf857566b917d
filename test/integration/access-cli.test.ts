import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { token as tokenCommand } from "../../service/cli/token.ts";
import { UsageError } from "../../service/cli/usage.ts";
import { accessFolder, Served } from "../support/access-served.ts";
import { perchIn } from "../support/perch-command.ts";
import { until } from "../support/until.ts";

async function configured() {
  const folder = await accessFolder();
  writeFileSync(join(folder, "perch.yaml"), "node: here\ndata: data\nfeeds: []\nwatches: []\n");
  const token = (...words: string[]) => perchIn(folder, "token", ...words, "--config", "perch.yaml");
  return { folder, data: join(folder, "data"), token };
}

describe("perch token", () => {
  it("makes a token that a running service takes at once, and revokes it without a restart", async () => {
    const { data, token } = await configured();
    const made = await token("create", "--name", "line-3", "--role", "operator", "--expires", "90d");
    expect(made).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^perch_[0-9a-f]{8}_[A-Za-z0-9_-]{43}\n$/),
      err: expect.stringMatching(/^line-3: operator, expires \d{4}-\d\d-\d\d .* UTC\. It is shown this once/),
    });
    const first = made.out.trim();
    // The service starts on what lies there, and goes on while more is made.
    const served = await Served.start({ data });
    expect((await served.command(first)).status).toBe(200);
    const second = (
      await token("create", "--name", "board", "--role", "viewer", "--rate", "60/min")
    ).out.trim();
    expect((await served.ask("/metrics", second)).status).toBe(200);
    expect((await served.command(second)).status).toBe(403);

    expect((await token("revoke", "line-3")).out).toMatch(
      /^line-3 \([0-9a-f]{8}\) opens nothing any more\n$/,
    );
    expect((await served.command(first)).status).toBe(401);
    await until(() => served.record.queries.audit().length === 4);
    // The service's clock stands still in this test: what matters is what is there.
    expect(
      served.record.queries
        .audit()
        .map(({ role, from, what }) => [role, from, what.split(" (")[0]])
        .sort(),
    ).toEqual([
      ["admin", "command line", "token create board"],
      ["admin", "command line", "token create line-3"],
      ["admin", "command line", "token revoke line-3"],
      ["operator", "127.0.0.1", 'governor {"mode":"frozen"}'],
    ]);
    for (const file of readdirSync(data, { recursive: true, withFileTypes: true }).filter((one) =>
      one.isFile(),
    ))
      for (const secret of [first, second])
        expect(readFileSync(join(file.parentPath, file.name), "latin1")).not.toContain(secret.slice(-43));
  });

  it("loses nothing where several are made and revoked at once", async () => {
    const { token } = await configured();
    await token("create", "--name", "old", "--role", "api");
    const create = (name: string) => token("create", "--name", name, "--role", "viewer");
    const done = await Promise.all([create("a"), create("b"), token("revoke", "old"), create("c")]);
    expect(done.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    const listed = JSON.parse((await token("list", "--json")).out) as { name: string }[];
    expect(listed.map(({ name }) => name).sort()).toEqual(["a", "b", "c"]);
  });

  it("lists what counts, with its limits and without hashes", async () => {
    const { token } = await configured();
    expect((await token("list")).out).toBe("there are no tokens; perch token create makes one\n");
    await token("create", "--name", "hall", "--role", "kiosk", "--kiosk", "hall-2", "--expires", "1ms");
    await token("create", "--name", "nightly", "--role", "api", "--lane", "batch", "--rate", "5/s");
    const { out } = await token("list");
    expect(out).toMatch(/^hall +[0-9a-f]{8} {2}kiosk, kiosk hall-2, EXPIRED \d{4}/);
    expect(out).toMatch(/\nnightly +[0-9a-f]{8} {2}api, lane batch, at most 5\/s, does not expire\n$/);
    const listed = JSON.parse((await token("list", "--json")).out) as object[];
    expect(listed).toMatchObject([{ name: "hall", kiosk: "hall-2" }, { rate: { count: 5, per: 1000 } }]);
    expect(JSON.stringify(listed)).not.toContain("hash");
  });

  it.each([
    [[], {}, "what about tokens?"],
    [["make"], {}, "perch token does not know make"],
    [["create"], {}, "--name is missing"],
    [["create"], { name: "Anna", role: "admin" }, "--name Anna: must be lower case"],
    [["create"], { name: "0123abcd", role: "admin" }, "looks like a token's id"],
    [["create"], { name: "a", role: "root" }, "--role root: must be one of admin, operator"],
    [["create"], { name: "a", role: "kiosk" }, "--kiosk ID says which"],
    [["create"], { name: "a", role: "api", kiosk: "b" }, "--kiosk ID says which"],
    [["create"], { name: "a", role: "viewer", lane: "batch" }, "--lane is for the role api"],
    [["create"], { name: "a", role: "api", lane: "kiosk" }, "--lane kiosk: must be api or batch"],
    [["create"], { name: "a", role: "api", rate: "0/s" }, "--rate 0/s: must be a rate like"],
    [["create"], { name: "a", role: "api", expires: "9999d" }, "--expires 9999d: must be a duration"],
    [["create", "a"], { name: "a", role: "api" }, 'does not take "a"'],
    [["list"], { role: "api" }, "--role belongs to perch token create"],
    [["revoke", "a"], { json: true }, "--json belongs to perch token list"],
    [["revoke"], {}, "revoke which?"],
    [["revoke", "a", "b"], {}, 'does not take "b"'],
  ])("refuses %j with %j, and makes nothing", async (words, options, message) => {
    const { folder, data } = await configured();
    const asked = tokenCommand({ ...options, words, config: join(folder, "perch.yaml") });
    await expect(asked).rejects.toThrow(message);
    await expect(asked).rejects.toBeInstanceOf(UsageError);
    expect(existsSync(data)).toBe(false);
  });

  it("does not repeat a whole token that somebody puts onto its command line", async () => {
    const { token } = await configured();
    const secret = `perch_01234567_${"S".repeat(43)}`;
    const { code, err } = await token("revoke", secret);
    expect([code, err]).toEqual([2, expect.stringContaining("give its name or id")]);
    expect(err).not.toContain("SSSS");
  });

  it("says that there is no such token, that a name is taken, and whose the folder is", async () => {
    const { data, token } = await configured();
    expect(await token("revoke", "none")).toMatchObject({
      code: 1,
      err: expect.stringContaining("there is no token none"),
    });
    const words = ["create", "--name", "a", "--role", "viewer"];
    await token(...words);
    expect(await token(...words)).toMatchObject({
      code: 1,
      err: expect.stringContaining("there is a token a already"),
    });
    chmodSync(join(data, "tokens"), 0o722);
    expect((await token("list")).err).toMatch(/does not count: .*tokens may be written by others/);
  });

  it("tells all of this when it is asked", async () => {
    const { out } = await (await configured()).token("--help");
    for (const role of ["admin", "operator", "viewer", "kiosk", "api"]) expect(out).toContain(`  ${role} `);
    expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
  });
});
