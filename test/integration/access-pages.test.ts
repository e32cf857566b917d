import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Agent, fetch } from "undici";
import { describe, expect, it } from "vitest";
import { setupLink } from "../../service/api/access/setup-link.ts";
import { Served } from "../support/access-served.ts";
import { PASSWORD } from "../support/browser.ts";
import { PageBrowser } from "../support/page-browser.ts";
import { until } from "../support/until.ts";

const hashOf = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
const between = (html: string, tag: string) =>
  new RegExp(`<${tag}>(.*?)</${tag}>`, "s").exec(html)?.[1] ?? "";

/** What a page allows: its own script and style, and `more`. */
const sealed = (html: string, ...more: readonly string[]) => [
  "default-src 'none'",
  `script-src ${hashOf(between(html, "script"))}`,
  `style-src ${hashOf(between(html, "style"))}`,
  "connect-src 'self'",
  ...more,
  ...["form-action 'none'", "base-uri 'none'", "frame-ancestors 'none'"],
];

describe("the pages to log in", () => {
  it.each(["/login", "/setup"])("%s is one file that runs its own script and loads nothing", async (path) => {
    const served = await Served.start({ lan: true });
    const { status, headers, body } = await served.ask(path);
    const html = String(body);
    expect([status, headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    expect(headers.get("content-security-policy")?.split("; ")).toEqual(sealed(html));
    expect(html).not.toMatch(/\s(src|style|on\w+)=|https?:/);
    expect(headers.get("x-frame-options")).toBe("DENY");
    expect(headers.get("cache-control")).toBe("no-store");
  });
});

describe("the front page", () => {
  it("is for everybody, says nothing of the box by itself, and loads nothing from elsewhere", async () => {
    for (const lan of [false, true]) {
      const served = await Served.start({ lan });
      const { status, headers, body } = await served.ask("/");
      const html = String(body);
      expect([status, headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
      expect(headers.get("content-security-policy")?.split("; ")).toEqual(
        sealed(html, "img-src 'self' blob: data:"),
      );
      expect(html).not.toMatch(/\s(src|style|on\w+)="|https?:|innerHTML|insertAdjacentHTML/);
      expect([...html.matchAll(/(?:href)="([^"]*)"/g)].map(([, to]) => to?.slice(0, 10)).sort()).toEqual(
        ["/api/event", "/docs", "/login", "/login", "/metrics", "data:image"].sort(),
      );
      expect(headers.get("cache-control")).toBe("no-store");
    }
  });

  it("is nothing but the way to the login on the LAN for who is not logged in", async () => {
    const served = await Served.start({ lan: true });
    const browser = new PageBrowser(served.url);
    await browser.open("/");
    await until(() => browser.path === "/login" && browser.text("#send") === "Log in");
    expect(browser.asked).toEqual(["/", "/api/session", "/api/governor", "/login", "/api/session"]);
  });

  it("says what is missing where the box is not ready", async () => {
    const served = await Served.start();
    const reason = "its file <b>q8_0.gguf</b> is missing: perch models pull brings it";
    served.parts = { engine: { state: "degraded", reason }, broker: { state: "ok" } };
    const browser = new PageBrowser(served.url);
    await browser.open("/");
    await until(() => browser.text("#ready") === "Not ready");
    expect(browser.text("#faults")).toBe(`Model I${reason.slice(1)}`);
    expect(browser.count("#faults b")).toBe(0);
    await until(() => (browser.text("#facts") ?? "") !== "");
    expect(browser.text("#facts")).toContain("of scripted");
  });
});

describe("every answer", () => {
  it("says that it is what it says, that no other site shows it, and allows no other page to read it", async () => {
    const served = await Served.start();
    for (const path of ["/health/live", "/metrics", "/none", "/login", "/api/openapi.json"]) {
      const { headers } = await served.ask(path, undefined, { headers: { origin: "http://evil.example" } });
      expect([path, headers.get("x-content-type-options"), headers.get("referrer-policy")]).toEqual([
        ...[path, "nosniff", "no-referrer"],
      ]);
      expect(headers.get("cross-origin-resource-policy")).toBe("same-origin");
      expect([...headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
    }
  });
});

describe("on the LAN", () => {
  it("a login is a cookie of this very host, over TLS only, and opens what its role may", async () => {
    const served = await Served.start({ lan: true, http: { tls: "self-signed" } });
    const dispatcher = new Agent({
      connect: { ca: readFileSync(join(served.data, "tls/certificate.pem")) },
    });
    const post = (path: string, body: object) =>
      fetch(`${served.url}${path}`, {
        ...{ method: "POST", dispatcher, body: JSON.stringify(body) },
        headers: { "content-type": "application/json" },
      });
    const made = await post("/api/setup", { token: served.setupToken, name: "anna", password: PASSWORD });
    const [cookie = ""] = made.headers.getSetCookie();
    expect(cookie).toMatch(
      /^__Host-perch_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=604800; Secure$/,
    );
    const read = (name: string) =>
      fetch(`${served.url}/api/governor`, {
        ...{ dispatcher, headers: { cookie: `${name}=${cookie.split(/[=;]/)[1]}` } },
      });
    expect((await read("__Host-perch_session")).status).toBe(200);
    // The name without its prefix is one that a neighbour on plain HTTP could have set.
    expect((await read("perch_session")).status).toBe(401);
  });

  it("the first run's link names the box as others know it", () => {
    const http = { host: "0.0.0.0", port: 8473, names: ["box.clinic.example"] };
    expect(setupLink(http, "https://127.0.0.1:8473", "T")).toBe("https://box.clinic.example:8473/setup#T");
    expect(setupLink({ ...http, names: [] }, "https://0.0.0.0:8473", "T")).toMatch(
      /^https:\/\/[\d.]+:8473\/setup#T$/,
    );
    expect(setupLink({ ...http, host: "127.0.0.1" }, "http://127.0.0.1:1234", "T")).toBe(
      "http://127.0.0.1:1234/setup#T",
    );
  });
});
