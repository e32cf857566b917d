import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Agent, fetch as fetchWith } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Accounts } from "../../service/api/access/accounts.ts";
import { Passwords } from "../../service/api/access/passwords.ts";
import { packageRoot } from "../../service/kernel/paths.ts";
import { Served } from "../support/access-served.ts";
import { ServedAppliance } from "../support/appliance-served.ts";
import { Browser, PASSWORD } from "../support/browser.ts";

interface Operation {
  readonly summary: string;
  readonly description?: string;
  readonly security: readonly { readonly [scheme: string]: unknown }[];
  readonly requestBody?: object;
  readonly responses: {
    readonly [status: string]: { readonly headers?: { readonly [name: string]: unknown } };
  };
}

interface Document {
  readonly openapi: string;
  readonly paths: { readonly [path: string]: { readonly [method: string]: Operation } };
  readonly components: {
    readonly securitySchemes: { readonly [name: string]: { readonly name?: string } };
  };
}

const documentOf = async (served: { ask(path: string): Promise<{ body: unknown }> }): Promise<Document> =>
  (await served.ask("/api/openapi.json")).body as Document;

const operationsOf = ({ paths }: Document) =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      ...{ method: method.toUpperCase(), path: path.replaceAll(/\{\w+\}/g, "none"), operation },
      ways: operation.security.map((way) => Object.keys(way).sort().join("+")),
    })),
  );

/** What stands under a name of the document: "#/components/responses/X". */
function within(document: unknown, ref: string): unknown {
  return ref
    .slice(2)
    .split("/")
    .reduce<unknown>((node, key) => (node as { [key: string]: unknown } | undefined)?.[key], document);
}

describe("the API's own description", () => {
  it("is OpenAPI 3.1, made of the schemas that check requests, without what only Perch's checks know", async () => {
    const document = await documentOf(await Served.start());
    const { openapi, paths } = document;
    expect(openapi).toBe("3.1.0");
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining(["/health/live", "/health/ready", "/api/governor"]),
    );
    expect(paths["/api/governor"]?.post).toMatchObject({
      tags: ["governor"],
      summary: expect.any(String),
      description: "Roles: admin, operator.",
      requestBody: { content: { "application/json": { schema: { properties: { mode: {} } } } } },
    });
    expect(JSON.stringify(document)).not.toContain("perch-duration");
  });

  it("names nothing that it does not hold, and says of each guarded operation how it refuses", async () => {
    const document = await documentOf(box);
    const text = JSON.stringify(document);
    const refs = new Set([...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref = ""]) => ref));
    expect(refs.size).toBeGreaterThan(3);
    for (const ref of refs) expect([ref, within(document, ref)]).toEqual([ref, expect.any(Object)]);
    const schemes = Object.keys(document.components.securitySchemes);
    for (const { operation, path } of operationsOf(document)) {
      for (const way of operation.security)
        expect([path, schemes]).toEqual([path, expect.arrayContaining(Object.keys(way))]);
      const statuses = Object.keys(operation.responses);
      const guarded = operation.security.length > 0 ? ["401", "403"] : [];
      expect([path, statuses]).toEqual([path, expect.arrayContaining([...guarded, "default"])]);
      expect([path, statuses.some((status) => /^2/.test(status))]).toEqual([path, true]);
    }
    expect(document.paths["/v1/messages"]?.post?.responses[401]).toEqual({
      $ref: "#/components/responses/UnknownAnthropicError",
    });
  });

  it("is enough to log in, act and log out, as a client that knows nothing else", async () => {
    const served = await Served.start();
    await new Browser(served).setUp(served.setupToken, "anna");
    const document = await documentOf(served);
    const { session, csrf } = document.components.securitySchemes;
    const logins = operationsOf(document).filter(
      ({ operation, path }) =>
        operation.security.length === 0 &&
        operation.responses[200]?.headers?.["set-cookie"] !== undefined &&
        path.endsWith("session"),
    );
    expect(logins.map(({ method, path }) => `${method} ${path}`)).toEqual(["POST /api/session"]);
    const json = { "content-type": "application/json" };
    const login = await served.ask("/api/session", undefined, {
      method: "POST",
      headers: json,
      body: JSON.stringify({ name: "anna", password: PASSWORD }),
    });
    const cookie = login.headers.getSetCookie()[0]?.split(";")[0] ?? "";
    expect(cookie.split("=")[0]).toBe(session?.name);
    const shown: Record<string, string> = {
      session: cookie,
      csrf: (login.body as { csrf: string }).csrf,
    };
    const act = (method: "post" | "delete", path: string, body?: object) => {
      const way = document.paths[path]?.[method]?.security.find((one) => "session" in one) ?? {};
      const headers = {
        ...("session" in way && { cookie: shown.session ?? "" }),
        ...("csrf" in way && { [csrf?.name ?? ""]: shown.csrf ?? "" }),
        ...(body && json),
      };
      return served.ask(path, undefined, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    };
    expect((await act("post", "/api/governor", { mode: "frozen" })).status).toBe(200);
    expect((await act("delete", "/api/session")).status).toBe(204);
    expect((await act("post", "/api/governor", { mode: "auto" })).status).toBe(401);
  });

  it("is of this very box: with TLS on the LAN the cookie has another name, and nothing goes without a token", async () => {
    const local = await documentOf(await Served.start());
    const served = await Served.start({ lan: true, http: { tls: "self-signed" } });
    const ca = readFileSync(join(served.data, "tls/certificate.pem"));
    const answer = await fetchWith(`${served.url}/api/openapi.json`, {
      headers: { authorization: `Bearer ${served.token({ role: "viewer" })}` },
      dispatcher: new Agent({ connect: { ca } }),
    });
    const document = (await answer.json()) as Document;
    const cookie = ({ components }: Document) => components.securitySchemes.session?.name;
    expect([cookie(local), cookie(document)]).toEqual(["perch_session", "__Host-perch_session"]);
    const metrics = ({ paths }: Document) => paths["/metrics"]?.get?.security.map(Object.keys);
    expect(metrics(local)).toEqual([["token"], ["session"], []]);
    expect(metrics(document)).toEqual([["token"], ["session"]]);
  });
});

let box: ServedAppliance;
beforeAll(async () => {
  box = new ServedAppliance({ feeds: [], watches: [] });
  await box.start();
  await box.ready();
});
afterAll(() => box.dispose());

describe("each operation of the whole service", () => {
  it("that takes everybody is named on the page on access", async () => {
    const open = operationsOf(await documentOf(box)).filter(
      ({ operation }) => operation.security.length === 0,
    );
    const page = readFileSync(join(packageRoot, "docs/access.md"), "utf8");
    const named = /Without any ability answer (.*)\. `\/docs`/.exec(page)?.[1] ?? "";
    // Pages are not described.
    const told = [...named.matchAll(/`([A-Z]+ \S+)`/g)].map(([, one]) => one);
    expect(
      [...open.map(({ method, path }) => `${method} ${path}`), "GET /", "GET /login", "GET /setup"].sort(),
    ).toEqual(told.sort());
  });

  it("takes what its description says, and nothing else", async () => {
    const accounts = new Accounts(box.data, new Passwords());
    await accounts.create({ name: "anna", role: "admin", password: PASSWORD, by: "a test" }, Date.now());
    const operations = operationsOf(await documentOf(box));
    expect(operations.length).toBeGreaterThan(40);
    expect(new Set(operations.flatMap(({ ways }) => ways))).toEqual(
      new Set(["token", "csrf+session", "session", ""]),
    );
    const token = { authorization: `Bearer ${box.token("admin")}` };
    for (const { method, path, operation, ways } of operations) {
      /** Whether who sends that is let in: what is wrong with the request itself is told afterwards. */
      const letIn = async (shown: Record<string, string>): Promise<boolean> => {
        const body = operation.requestBody && { body: "{}" };
        const type = operation.requestBody && { "content-type": "application/json" };
        const headers = { ...type, ...shown };
        const answer = await fetch(`${box.url}${path}`, { method, headers, ...body });
        // What never ends says who is let in at its beginning.
        const over = answer.ok ? answer.body?.cancel() : undefined;
        const said = answer.ok ? "" : await answer.text();
        await over;
        return !(answer.status === 401 || answer.status === 403 || said.includes("a token has neither"));
      };
      const anna = new Browser(box);
      await anna.login("anna");
      const login = { cookie: anna.cookie };
      const open = ways.length === 0;
      expect([method, path, ways, await letIn({})]).toEqual([method, path, ways, open || ways.includes("")]);
      if (open) continue;
      expect([method, path, "token", await letIn(token)]).toEqual([
        ...[method, path, "token", ways.includes("token")],
      ]);
      expect([method, path, "session", await letIn(login)]).toEqual([
        ...[method, path, "session", ways.includes("session")],
      ]);
      expect([method, path, "csrf", await letIn({ ...login, "x-csrf-token": anna.csrf })]).toEqual([
        ...[method, path, "csrf", ways.includes("session") || ways.includes("csrf+session")],
      ]);
    }
  });
});
