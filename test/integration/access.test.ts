import Fastify from "fastify";
import { describe, expect, it, onTestFinished } from "vitest";
import { Access, requireRole } from "../../service/api/access/access.ts";
import { AdminToken } from "../../service/api/access/admin-token.ts";
import { Tokens } from "../../service/api/access/tokens.ts";
import { isPerchError, messageOf } from "../../service/kernel/errors.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { accessFolder, Served, underName, wish } from "../support/access-served.ts";
import { FakeClock } from "../support/fake-clock.ts";

const WRONG = `perch_00000000_${"A".repeat(43)}`;

describe("a service that listens on loopback", () => {
  it("shows its state to anybody on the box, and lets none without a token change anything", async () => {
    const served = await Served.start();
    for (const path of ["/health/live", "/health/ready", "/metrics", "/api/governor"])
      expect((await served.ask(path)).status).toBe(200);
    const refused = await served.command(undefined);
    expect(refused.status).toBe(401);
    expect(refused.headers.get("www-authenticate")).toBe('Bearer realm="perch"');
    expect(refused.body).toEqual({
      error: expect.stringContaining("this needs a token"),
      code: "token_refused",
    });
    expect(served.bench.governor.view().mode).toBe("auto");
  });

  it("takes commands from the local administrator, admins and operators, and says to others whom it wants", async () => {
    const served = await Served.start();
    expect((await served.command(await served.adminToken())).status).toBe(200);
    expect((await served.command(served.token({ role: "admin" }), { mode: "auto" })).status).toBe(200);
    expect((await served.command(served.token({ role: "operator" }))).status).toBe(200);
    expect(served.bench.governor.view().mode).toBe("frozen");
    for (const role of ["viewer", "kiosk", "api"] as const) {
      const { status, body } = await served.command(served.token({ role }), { mode: "auto" });
      expect([status, body]).toEqual([
        403,
        {
          error: `the token a-${role} has the role ${role}; this takes admin or operator`,
          code: "forbidden",
        },
      ]);
    }
    expect(served.bench.governor.view().mode).toBe("frozen");
  });

  it("refuses a wrong token also where none is needed: whoever shows one should know", async () => {
    const served = await Served.start();
    for (const shown of [WRONG, "no", "perch_", `${served.token({ role: "viewer" })}x`]) {
      const { status, body } = await served.ask("/metrics", shown);
      expect([status, body]).toEqual([
        401,
        { error: expect.stringContaining("this token is not known"), code: "token_refused" },
      ]);
    }
    const basic = { authorization: `Basic ${Buffer.from("admin:admin").toString("base64")}` };
    expect((await served.ask("/metrics", undefined, { headers: basic })).status).toBe(401);
  });

  it("takes a token as x-api-key too, and never from the address", async () => {
    const served = await Served.start();
    const token = served.token({ role: "operator" });
    const init = { method: "POST", body: '{"mode":"frozen"}' };
    const headers = { "content-type": "application/json" };
    const asked = await served.ask("/api/governor", undefined, {
      ...init,
      headers: { ...headers, "x-api-key": token },
    });
    expect(asked.status).toBe(200);
    for (const key of ["token", "access_token", "api_key"])
      expect(
        (await served.ask(`/api/governor?${key}=${token}`, undefined, { ...init, headers })).status,
      ).toBe(401);
  });

  it("answers in its own form what does not exist, what is no JSON and who asks under a strange name", async () => {
    const served = await Served.start();
    expect(await served.ask("/etc/passwd")).toMatchObject({
      status: 404,
      body: { error: expect.any(String) },
    });
    expect(await served.ask("/%zz?token=secret")).toMatchObject({
      status: 400,
      body: { error: "this address cannot be read" },
    });
    const init = { method: "POST", body: "{", headers: { "content-type": "application/json" } };
    const broken = await served.ask("/api/governor", await served.adminToken(), init);
    expect([broken.status, Object.keys(broken.body as object)]).toEqual([400, ["error"]]);
    const foreign = await underName(served.url, "box.clinic.example");
    expect(foreign).toEqual({
      status: 403,
      body: '{"error":"ask for localhost or 127.0.0.1","code":"forbidden"}',
    });
  });
});

describe("a token", () => {
  it("that is revoked opens nothing from then on, without a restart", async () => {
    const served = await Served.start();
    const token = served.token({ role: "operator", name: "line-3" });
    expect((await served.command(token)).status).toBe(200);
    // Another process does this: it knows of the service only the data folder.
    new Tokens(served.data).revoke("line-3");
    expect((await served.command(token)).status).toBe(401);
  });

  it("that expired opens nothing, is told so, and is no wrong attempt", async () => {
    const served = await Served.start();
    const expires = new Date(served.clock.now() + 1000).toISOString();
    const token = served.token({ role: "operator", expires });
    expect((await served.command(token)).status).toBe(200);
    served.clock.advance(1000);
    for (let n = 0; n < 12; n += 1) {
      const { status, body } = await served.command(token);
      expect([status, body]).toEqual([
        401,
        { error: `the token a-operator expired at ${expires}: ask for a new one`, code: "token_refused" },
      ]);
    }
  });

  it("has a rate of its own: 429 says when to come again", async () => {
    const served = await Served.start();
    const token = served.token({ role: "viewer", rate: { count: 3, per: 60_000 } });
    const other = served.token({ role: "viewer", name: "other" });
    for (let n = 0; n < 3; n += 1) expect((await served.ask("/metrics", token)).status).toBe(200);
    const refused = await served.ask("/metrics", token);
    expect([refused.status, refused.headers.get("retry-after"), refused.body]).toEqual([
      429,
      "20",
      { error: "the token a-viewer has used up its rate: try again in 20 s", code: "rate_exceeded" },
    ]);
    expect((await served.ask("/metrics", other)).status).toBe(200);
    served.clock.advance(20_000);
    expect((await served.ask("/metrics", token)).status).toBe(200);
    expect((await served.ask("/metrics", token)).status).toBe(429);
  });

  it("never stands in the log, whatever is asked with it", async () => {
    const served = await Served.start();
    const secrets = [
      served.token({ role: "operator" }),
      served.token({ role: "api" }),
      await served.adminToken(),
    ];
    for (const token of secrets) {
      for (const path of ["/api/governor", "/none", "/api/governor?x=%zz", "/metrics"])
        await served.ask(path, token);
      await served.command(token, { mode: "quick" });
    }
    for (let n = 0; n < 12; n += 1) await served.ask("/metrics", WRONG);
    const log = served.log.join("");
    expect(log).toContain("10 wrong tokens came from 127.0.0.1");
    for (const secret of [...secrets, WRONG]) {
      expect(log).not.toContain(secret);
      expect(log).not.toContain(secret.slice(-20));
    }
  });
});

describe("an address that shows wrong tokens", () => {
  it("is locked out for a minute after ten within one; the local administrator never is", async () => {
    const served = await Served.start();
    const right = served.token({ role: "viewer" });
    for (let n = 0; n < 10; n += 1) expect((await served.ask("/metrics", WRONG)).status).toBe(401);
    for (const token of [WRONG, right]) {
      const { status, headers, body } = await served.ask("/metrics", token);
      expect([status, headers.get("retry-after"), body]).toEqual([
        429,
        "60",
        { error: "too many wrong tokens came from 127.0.0.1: try again in 60 s", code: "rate_exceeded" },
      ]);
    }
    expect((await served.ask("/metrics")).status).toBe(200);
    expect((await served.command(await served.adminToken())).status).toBe(200);
    served.clock.advance(60_000);
    expect((await served.ask("/metrics", right)).status).toBe(200);
  });

  it("may be wrong as often as it likes where that is spread over time", async () => {
    const served = await Served.start();
    for (let n = 0; n < 40; n += 1) {
      expect((await served.ask("/metrics", WRONG)).status).toBe(401);
      served.clock.advance(6_700);
    }
  });
});

describe("a route that says nobody may use it, nor everybody", () => {
  it("cannot be added", async () => {
    const data = await accessFolder();
    const app = Fastify();
    onTestFinished(() => app.close());
    const shared = { clock: new FakeClock(), logger: silentLogger, lan: false, names: [] };
    const access = new Access({ ...shared, admin: new AdminToken(data), tokens: new Tokens(data) });
    access.install(app);
    app.get("/open", { config: { open: true } }, async () => "");
    app.get("/guarded", access.guarded("health.read"), async () => "");
    expect(() => app.get("/forgotten", async () => "")).toThrow("GET /forgotten is nobody's");
  });
});

describe("a part of the API with a form of its own", () => {
  it("answers refusals in that form, from its error handler", async () => {
    const data = await accessFolder();
    const app = Fastify();
    onTestFinished(() => app.close());
    const tokens = new Tokens(data);
    const admin = new AdminToken(data);
    admin.prepare();
    new Access({
      admin,
      tokens,
      clock: new FakeClock(),
      logger: silentLogger,
      lan: false,
      names: [],
    }).install(app);
    app.register(
      async (v1) => {
        v1.setErrorHandler((error, _request, reply) => {
          reply.code(isPerchError(error) ? error.status : 500).send({ error: { message: messageOf(error) } });
        });
        v1.post(
          "/ask",
          { config: { ability: "model.ask" }, preHandler: requireRole("api") },
          async ({ caller }) => caller,
        );
      },
      { prefix: "/v1" },
    );
    const url = await app.listen({ host: "127.0.0.1", port: 0 });
    const ask = async (token?: string) => {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const response = await fetch(`${url}/v1/ask`, { method: "POST", headers });
      return {
        status: response.status,
        bearer: response.headers.get("www-authenticate"),
        body: await response.json(),
      };
    };
    const bearer = 'Bearer realm="perch"';
    const inForm = { error: { message: expect.any(String) } };
    expect(await ask()).toEqual({ status: 401, bearer, body: inForm });
    expect(await ask(WRONG)).toEqual({ status: 401, bearer, body: inForm });
    const made = (role: "kiosk" | "api") => tokens.create(wish({ role, lane: "batch", kiosk: "hall" }), 0);
    expect(await ask(made("kiosk").token)).toEqual({ status: 403, bearer: null, body: inForm });
    const { token, stored } = made("api");
    expect(await ask(token)).toMatchObject({
      status: 200,
      body: {
        name: "a-api",
        role: "api",
        tokenId: stored.id,
        from: "127.0.0.1",
        lane: "batch",
        kiosk: "hall",
      },
    });
  });
});
