import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Accounts } from "../../service/api/access/accounts.ts";
import { Passwords } from "../../service/api/access/passwords.ts";
import type { AccountRole } from "../../service/contract/accounts.ts";
import { Served } from "../support/access-served.ts";
import { Browser, PASSWORD } from "../support/browser.ts";

const HOUR = 3_600_000;
const FROZEN = { mode: "frozen" };

/** A service with an admin anna, who is logged in, and others by role. */
async function withAnna(...others: AccountRole[]) {
  const served = await Served.start();
  const anna = new Browser(served);
  await anna.setUp(served.setupToken, "anna");
  for (const role of others)
    await anna.ask("POST", "/api/accounts", { name: role, role, password: PASSWORD });
  return { served, anna };
}
const command = (browser: Browser, headers?: Record<string, string>) =>
  browser.ask("POST", "/api/governor", FROZEN, headers);

describe("the first run", () => {
  it("makes the first administrator by a link that works once, and logs it in", async () => {
    const served = await Served.start();
    const token = served.setupToken;
    expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
    const anna = new Browser(served);
    expect((await anna.setUp("A".repeat(43), "anna")).status).toBe(403);
    // What is wrong with the wish does not use it up.
    expect(await anna.setUp(token, "anna", "short")).toMatchObject({
      status: 400,
      body: { error: "this password does not do: it has 5 characters: take at least 12" },
    });
    expect((await anna.setUp(token, "anna")).body).toMatchObject({ name: "anna", role: "admin" });
    expect((await command(anna)).status).toBe(200);
    expect(await new Browser(served).setUp(token, "mallory")).toMatchObject({
      status: 409,
      body: { error: expect.stringContaining("has an administrator already") },
    });
    expect(served.signIn.accounts.list()).toHaveLength(1);
  });

  it("makes one administrator of two who use the link at once", async () => {
    const served = await Served.start();
    const token = served.setupToken;
    const both = await Promise.all(["a", "b"].map((name) => new Browser(served).setUp(token, name)));
    expect(both.map(({ status }) => status).sort()).toEqual([200, 403]);
    expect(served.signIn.accounts.list()).toHaveLength(1);
  });

  it("is over after a day, and is not offered where there is an administrator", async () => {
    const { served } = await withAnna();
    await served.stop();
    const again = await Served.start({ data: served.data });
    expect(again.setupToken).toBe("");
    const late = await Served.start();
    const token = late.setupToken;
    late.clock.advance(24 * HOUR);
    expect((await new Browser(late).setUp(token, "anna")).status).toBe(403);
  });
});

describe("a login", () => {
  it("is a cookie that no script reads and no other site sends", async () => {
    const { served } = await withAnna();
    const { headers, body } = await new Browser(served).login("anna");
    expect(headers.getSetCookie()).toEqual([
      expect.stringMatching(
        /^perch_session=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=604800$/,
      ),
    ]);
    expect(headers.get("cache-control")).toBe("no-store");
    expect(Object.keys(body)).toEqual(["name", "role", "csrf", "until"]);
  });

  it("says who one is, and is over when one logs out", async () => {
    const { anna } = await withAnna();
    expect((await anna.who()).body).toEqual({
      ...{ name: "anna", role: "admin", csrf: anna.csrf },
      until: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    const { cookie } = anna;
    expect((await anna.ask("DELETE", "/api/session")).status).toBe(204);
    expect(anna.cookie).toBe("perch_session=");
    anna.cookie = cookie;
    expect((await anna.who()).status).toBe(401);
  });

  it("is the only one of its browser", async () => {
    const { served, anna } = await withAnna();
    const { cookie } = anna;
    await anna.login("anna");
    expect(anna.cookie).not.toBe(cookie);
    expect(served.signIn.sessions.of("anna")).toHaveLength(1);
    expect((await anna.who()).status).toBe(200);
  });

  it("is refused alike for a wrong name and a wrong password", async () => {
    const { served } = await withAnna();
    const refused = [
      await new Browser(served).login("anna", "wrong horse battery"),
      await new Browser(served).login("nobody", PASSWORD),
      await new Browser(served).login("../accounts/anna", PASSWORD),
      await new Browser(served).login("anna", ""),
    ].map(({ status, body, headers }) => [status, body, headers.getSetCookie()]);
    expect(refused[0]).toEqual([
      401,
      { error: expect.stringContaining("is wrong"), code: "login_refused" },
      [],
    ]);
    for (const one of refused) expect(one).toEqual(refused[0]);
  });

  it("outlives a restart, and ends 12 h after its last use and 7 days after its beginning", async () => {
    const { served, anna } = await withAnna();
    const short = new Browser(served);
    await short.login("anna");
    await served.stop();
    const again = await Served.start({ data: served.data });
    again.clock.advance(served.clock.now() - again.clock.now());
    const moved = (browser: Browser) => Object.assign(new Browser(again), { cookie: browser.cookie });
    const [kept, idle] = [moved(anna), moved(short)];
    expect((await idle.who()).status).toBe(200);
    for (let hours = 0; hours < 7 * 24 - 11; hours += 11) {
      expect([hours, (await kept.who()).status]).toEqual([hours, 200]);
      again.clock.advance(11 * HOUR);
    }
    expect((await idle.who()).status).toBe(401);
    expect((await kept.who()).status).toBe(200);
    again.clock.advance(11 * HOUR);
    expect((await kept.who()).status).toBe(401);
    expect(readdirSync(join(served.data, "sessions"))).toEqual([]);
  });

  it("is one of sixteen of its account at most: the one that was quiet for longest ends", async () => {
    const { served, anna } = await withAnna();
    const more: Browser[] = [];
    for (let n = 0; n < 16; n += 1) {
      const browser = new Browser(served);
      await browser.login("anna");
      more.push(browser);
    }
    expect((await anna.who()).status).toBe(401);
    for (const browser of more) expect((await browser.who()).status).toBe(200);
    expect(readdirSync(join(served.data, "sessions"))).toHaveLength(16);
  });

  it("ends with its account's password or its account, also where the command line changes them", async () => {
    const { served, anna } = await withAnna("operator", "viewer");
    const [operator, viewer] = [new Browser(served), new Browser(served)];
    await operator.login("operator");
    await viewer.login("viewer");
    // Another process does this: it knows of the service only the data folder.
    const beside = new Accounts(served.data, new Passwords());
    await beside.change("operator", { password: "another horse battery" });
    beside.remove("viewer");
    expect([(await operator.who()).status, (await viewer.who()).status]).toEqual([401, 401]);
    expect((await new Browser(served).login("operator")).status).toBe(401);
    await operator.login("operator", "another horse battery");
    expect((await command(operator)).status).toBe(200);
    await anna.ask("PATCH", "/api/accounts/operator", { role: "viewer" });
    expect((await command(operator)).status).toBe(403);
    expect((await operator.who()).body.role).toBe("viewer");
  });

  it("keeps no secret in the data folder, in the log or in the audit", async () => {
    const { served, anna } = await withAnna();
    const setup = served.setupToken;
    await new Browser(served).login("anna", "a wrong and secret one");
    await anna.ask("PUT", "/api/session/password", { current: PASSWORD, password: "the next one of mine" });
    const secrets = [
      PASSWORD,
      "a wrong and secret one",
      "the next one of mine",
      setup,
      anna.cookie.slice(-43),
      anna.csrf,
    ];
    await served.stop();
    const files = readdirSync(served.data, { recursive: true, withFileTypes: true }).filter((one) =>
      one.isFile(),
    );
    const seen = [
      ...files.map((one) => readFileSync(join(one.parentPath, one.name), "latin1")),
      ...served.log,
    ];
    expect(files.length).toBeGreaterThan(3);
    for (const secret of secrets) expect(seen.filter((text) => text.includes(secret))).toEqual([]);
  });
});

describe("a change that comes with a login's cookie", () => {
  it("takes the token of the login; a Bearer token takes none", async () => {
    const { served, anna } = await withAnna();
    const other = new Browser(served);
    await other.login("anna");
    for (const csrf of ["", "x", other.csrf])
      expect(await command(anna, { "x-csrf-token": csrf })).toMatchObject({
        status: 403,
        body: { error: expect.stringContaining("x-csrf-token") },
      });
    expect(served.bench.governor.view().mode).toBe("auto");
    const bearer = { authorization: `Bearer ${served.token({ role: "operator" })}`, "x-csrf-token": "" };
    expect((await command(anna, bearer)).status).toBe(200);
    expect((await command(anna)).status).toBe(200);
  });

  it.each([
    { origin: "http://evil.example" },
    { origin: "null" },
    { origin: "http://127.0.0.1:1" },
    { origin: "nonsense" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
  ])("is refused from a page elsewhere, even with the token: %j", async (headers: Record<string, string>) => {
    const { served, anna } = await withAnna();
    expect((await command(anna, headers)).status).toBe(403);
    expect(served.bench.governor.view().mode).toBe("auto");
    // Nor does the cookie count for reading there, nor can such a page log a browser in.
    expect((await anna.ask("GET", "/api/session", undefined, headers)).status).toBe(401);
    const login = { name: "anna", password: PASSWORD };
    expect((await anna.ask("POST", "/api/session", login, headers)).status).toBe(403);
  });

  it("is taken from the service's own page", async () => {
    const { served, anna } = await withAnna();
    const own = { origin: served.url, "sec-fetch-site": "same-origin" };
    expect((await command(anna, own)).status).toBe(200);
    expect((await anna.ask("GET", "/api/session", undefined, own)).status).toBe(200);
  });

  it("is noted with the account's name", async () => {
    const { served, anna } = await withAnna();
    await command(anna);
    await anna.ask("DELETE", "/api/session");
    await expect
      .poll(() =>
        served.record.queries
          .audit()
          .map(({ who, role, what }) => [who, role, what])
          .reverse(),
      )
      .toEqual([
        ["account anna", "admin", "account add anna (admin), the first"],
        ["account anna", "admin", 'governor {"mode":"frozen"}'],
        ["account anna", "admin", "log out"],
      ]);
  });
});

describe("wrong passwords", () => {
  it("make their address wait, longer each time, whatever the name", async () => {
    const { served } = await withAnna();
    const guess = async (name: string) => (await new Browser(served).login(name, "a wrong password")).status;
    for (const wait of [60, 120, 240]) {
      for (let n = 0; n < 10; n += 1) expect(await guess(n % 2 === 0 ? "anna" : "nobody")).toBe(401);
      const { status, headers, body } = await new Browser(served).login("anna");
      expect([status, headers.get("retry-after"), body.error]).toEqual([
        429,
        String(wait),
        `too many wrong passwords: try again in ${wait} s`,
      ]);
      served.clock.advance(wait * 1000);
    }
    expect((await new Browser(served).login("anna")).status).toBe(200);
  });

  it("get no further when they come all at once", async () => {
    const { served } = await withAnna();
    const guesses = await Promise.all(
      Array.from({ length: 60 }, (_, n) => new Browser(served).login("anna", `a wrong password ${n}`)),
    );
    const tried = guesses.filter(({ status }) => status === 401);
    expect(tried.length).toBeLessThanOrEqual(10);
    expect(new Set(guesses.map(({ status }) => status))).toEqual(new Set([401, 429]));
  });
});

describe("accounts by HTTP", () => {
  it("are listed, made, changed and removed by an admin, and by nobody else", async () => {
    const { served, anna } = await withAnna("operator");
    const wish = { name: "ben", role: "viewer", password: PASSWORD };
    const operator = new Browser(served);
    await operator.login("operator");
    for (const [method, path, body] of [
      ["GET", "/api/accounts", undefined],
      ["POST", "/api/accounts", wish],
      ["PATCH", "/api/accounts/anna", { role: "viewer" }],
      ["DELETE", "/api/accounts/anna", undefined],
    ] as const)
      expect([method, (await operator.ask(method, path, body)).status]).toEqual([method, 403]);
    expect((await operator.ask("GET", "/api/accounts")).body.error).toBe(
      "the account operator has the role operator; this takes admin",
    );
    expect(await anna.ask("POST", "/api/accounts", wish)).toMatchObject({
      status: 201,
      body: { name: "ben", role: "viewer", by: "account anna", sessions: 0 },
    });
    expect((await anna.ask("POST", "/api/accounts", wish)).status).toBe(409);
    const { body } = await anna.ask<{ accounts: object[] }>("GET", "/api/accounts");
    expect(body.accounts.map((one) => Object.values(one).slice(0, 2))).toEqual([
      ["anna", "admin"],
      ["ben", "viewer"],
      ["operator", "operator"],
    ]);
    expect(JSON.stringify(body)).not.toContain("argon2");
    expect((await anna.ask("PATCH", "/api/accounts/ben", { role: "admin" })).status).toBe(200);
    expect((await anna.ask("DELETE", "/api/accounts/ben")).status).toBe(204);
    expect((await anna.ask("DELETE", "/api/accounts/ben")).status).toBe(404);
  });

  it("always leave an admin", async () => {
    const { anna } = await withAnna("viewer");
    for (const answer of [
      await anna.ask("DELETE", "/api/accounts/anna"),
      await anna.ask("PATCH", "/api/accounts/anna", { role: "operator" }),
    ])
      expect(answer).toMatchObject({
        status: 409,
        body: { error: expect.stringContaining("the only admin") },
      });
    await anna.ask("PATCH", "/api/accounts/viewer", { role: "admin" });
    expect((await anna.ask("DELETE", "/api/accounts/anna")).status).toBe(204);
    expect((await anna.who()).status).toBe(401);
  });

  it.each([
    [{ name: "Ben" }, "name: "],
    [{ name: "../ben" }, "name: "],
    [{ role: "kiosk" }, "role: "],
    [{ role: undefined }, "role"],
    [{ password: "short" }, "at least 12"],
    [{ password: "x".repeat(257) }, "at most 256"],
    [{ password: "abababababababab" }, "the same few characters"],
    [{ password: "perch-ben-password" }, "little more than the name"],
    [{ name: "a", password: "aa bb aa bb" }, "at least 12"],
    [{ more: 1 }, "more"],
  ])("are refused for %j, with the reason and without the password", async (over, reason) => {
    const { anna } = await withAnna();
    const wish = { name: "ben", role: "viewer", password: PASSWORD, ...over };
    const { status, body } = await anna.ask("POST", "/api/accounts", wish);
    expect([status, body.error]).toEqual([400, expect.stringContaining(reason)]);
    expect(body.error).not.toContain(wish.password);
  });

  it("let everybody change their own password, and end their other logins", async () => {
    const { served } = await withAnna("viewer");
    const [here, there] = [new Browser(served), new Browser(served)];
    await here.login("viewer");
    await there.login("viewer");
    const change = (current: string) =>
      here.ask("PUT", "/api/session/password", { current, password: "another horse battery" });
    expect((await change("not the right one")).status).toBe(401);
    expect((await change(PASSWORD)).status).toBe(200);
    expect([(await here.who()).status, (await there.who()).status]).toEqual([200, 401]);
    expect((await there.login("viewer", "another horse battery")).status).toBe(200);
    const token = served.token({ role: "viewer", name: "t" });
    const bearer = { authorization: `Bearer ${token}` };
    const body = { current: PASSWORD, password: "another horse battery" };
    expect((await new Browser(served).ask("PUT", "/api/session/password", body, bearer)).status).toBe(400);
  });
});
