import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ROLES, type Role } from "../../service/contract/access.ts";
import { Served, underName } from "../support/access-served.ts";

/**
 * What is promised, written down a second time: who gets what, and what on loopback also those get who show nothing;
 * a token that is shown is held to its role there too.
 */
const PROMISED: Record<string, { roles: readonly (Role | "nobody")[]; local: boolean }> = {
  "GET /health/live": { roles: [...ROLES, "nobody"], local: true },
  "GET /health/ready": { roles: ROLES, local: true },
  "GET /metrics": { roles: ["admin", "operator", "viewer"], local: true },
  "GET /api/governor": { roles: ["admin", "operator", "viewer"], local: true },
  "GET /docs": { roles: ["admin", "operator", "viewer", "api"], local: true },
  "GET /api/openapi.json": { roles: ["admin", "operator", "viewer", "api"], local: true },
  "POST /api/governor": { roles: ["admin", "operator"], local: false },
  "GET /api/session": { roles: ROLES, local: false },
  "GET /api/accounts": { roles: ["admin"], local: false },
  "GET /login": { roles: [...ROLES, "nobody"], local: true },
};
const someone = fc.constantFrom(...ROLES, "nobody" as const, "revoked" as const, "expired" as const);
const route = fc.constantFrom(...Object.keys(PROMISED));
const COMMANDS = [{ mode: "auto" }, { mode: "frozen" }, { mode: "manual", pace: 0.5 }];

describe.each([
  ["on loopback", false],
  ["on the LAN", true],
])("a service %s", (_where, lan) => {
  it("gives no role more than the table says, and no less", async () => {
    const served = await Served.start({ lan });
    const shown = new Map<string, string | undefined>([["nobody", undefined]]);
    for (const role of ROLES) shown.set(role, served.token({ role }));
    shown.set("revoked", served.token({ role: "admin", name: "gone" }));
    served.tokens.revoke("gone");
    const yesterday = new Date(served.clock.now() - 86_400_000).toISOString();
    shown.set("expired", served.token({ role: "admin", name: "old", expires: yesterday }));

    const property = fc.asyncProperty(
      someone,
      route,
      fc.constantFrom(...COMMANDS),
      async (who, where, body) => {
        const [method = "", path = ""] = where.split(" ");
        const before = served.bench.governor.view().mode;
        const init = { method, headers: { "content-type": "application/json" } };
        const { status } = await served.ask(path, shown.get(who), {
          ...init,
          ...(method === "POST" && { body: JSON.stringify(body) }),
        });
        const { roles = [], local = false } = PROMISED[where] ?? {};
        const known = who !== "revoked" && who !== "expired";
        const may = known && (roles.includes(who) || (who === "nobody" && local && !lan));
        if (may) expect(status, `${who}: ${where}`).toBe(200);
        else expect(status, `${who}: ${where}`).toBe(known && who !== "nobody" ? 403 : 401);
        if (!may) expect(served.bench.governor.view().mode).toBe(before);
        // What was wrong before must not lock out what comes.
        served.clock.advance(61_000);
      },
    );
    await fc.assert(property, { numRuns: 300 });
  });
});

describe("what ails the box", () => {
  it("is told to those who may see it, and to others only that something does", async () => {
    const served = await Served.start();
    served.parts = { engine: { state: "degraded", reason: "no model in /srv/models" } };
    const said = async (token?: string) => (await served.ask("/health/ready", token)).body;
    for (const token of [undefined, served.token({ role: "viewer" })])
      expect(await said(token)).toMatchObject({ status: "not ready", parts: served.parts });
    for (const role of ["kiosk", "api"] as const)
      expect(await said(served.token({ role }))).toEqual({
        ...{ status: "not ready", missing: ["engine"], version: "0.0.0" },
      });
  });
});

describe("a service on the LAN", () => {
  it("tells strangers nothing but that it lives, also of what does not exist", async () => {
    const served = await Served.start({ lan: true });
    expect((await served.ask("/health/live")).body).toEqual({ status: "live", version: "0.0.0" });
    for (const path of [
      "/metrics",
      "/none",
      "/health",
      "/health/live/",
      "/v1/models",
      "/%zz",
      "//health/live",
    ])
      expect([path, (await served.ask(path)).status]).toEqual([path, path === "/%zz" ? 400 : 401]);
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
      expect((await served.ask("/api/governor", undefined, { method })).status).toBe(401);
  });

  it("answers to addresses and to the names it was given, and to no other", async () => {
    const served = await Served.start({ lan: true });
    for (const host of [
      "192.168.1.7:8473",
      "[fe80::1]:8473",
      "127.0.0.1",
      "localhost:1",
      "box.clinic.example",
      "BOX.clinic.example.:8473",
    ])
      expect([host, (await underName(served.url, host)).status]).toEqual([host, 200]);
    for (const host of [
      "evil.example",
      "box.clinic.example.evil.example",
      "192.168.1.7.evil.example",
      "127.0.0.1.nip.io",
    ])
      expect([host, (await underName(served.url, host)).status]).toEqual([host, 403]);
  });
});
