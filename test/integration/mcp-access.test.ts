import { describe, expect, it } from "vitest";
import { Served } from "../support/access-served.ts";
import { Browser } from "../support/browser.ts";

const SEARCH = {
  ...{ jsonrpc: "2.0", id: 1, method: "tools/call" },
  params: { name: "search_events", arguments: {} },
};
const FORMS = { accept: "application/json, text/event-stream", "content-type": "application/json" };

describe.each([
  ["on loopback", false],
  ["on the LAN", true],
])("an agent's interface %s", (_where, lan) => {
  const call = (served: Served, token?: string, headers: Record<string, string> = {}) =>
    served.ask("/mcp", token, {
      method: "POST",
      headers: { ...FORMS, ...headers },
      body: JSON.stringify(SEARCH),
    });

  it("takes a token, with its rights and no others", async () => {
    const served = await Served.start({ lan });
    const found = { result: { content: [{ type: "text", text: '{"events":[],"next":null}' }] } };
    expect(await call(served, served.token({ role: "viewer" }))).toMatchObject({ status: 200, body: found });
    for (const role of ["kiosk", "api"] as const)
      expect((await call(served, served.token({ role }))).status).toBe(403);
    expect((await call(served)).status).toBe(401);
  });

  it("takes no login's cookie, not with its CSRF token either, and says what it takes", async () => {
    const served = await Served.start({ lan });
    const anna = new Browser(served);
    await anna.setUp(served.setupToken, "anna");
    for (const asked of [anna.ask("POST", "/mcp", SEARCH, FORMS), anna.ask("GET", "/mcp", undefined, FORMS)])
      expect(await asked).toMatchObject({
        status: 403,
        body: { error: expect.stringMatching(/anna .* a cookie, which does not count here.*Bearer/) },
      });
    // A token beside the cookie counts as the token.
    const bearer = { ...FORMS, authorization: `Bearer ${served.token({ role: "viewer" })}` };
    expect((await anna.ask("POST", "/mcp", SEARCH, bearer)).status).toBe(200);
  });

  it("answers no page of another origin, whatever it shows", async () => {
    const served = await Served.start({ lan });
    const token = served.token({ role: "viewer" });
    for (const headers of [
      { origin: "http://evil.example" },
      { origin: "null" },
      { "sec-fetch-site": "cross-site" },
    ] as Record<string, string>[])
      expect(await call(served, token, headers)).toMatchObject({
        status: 403,
        body: { error: expect.stringContaining("not this service's own") },
      });
    expect((await call(served, token, { origin: served.url })).status).toBe(200);
  });
});
