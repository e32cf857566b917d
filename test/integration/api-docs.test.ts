import { describe, expect, it } from "vitest";
import { docsPage } from "../../service/api/docs/page.ts";
import { Served } from "../support/access-served.ts";

describe("the page about the API", () => {
  it("is one file without scripts or anything from elsewhere, and tells of every route", async () => {
    const served = await Served.start();
    const { status, headers, body } = await served.ask("/docs");
    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(headers.get("content-security-policy")).toMatch(/^default-src 'none'/);
    const page = String(body);
    expect(page).not.toMatch(/<script|<link|<img|<iframe|@import|url\(|\son\w+=/i);
    const { paths } = (await served.ask("/api/openapi.json")).body as { paths: Record<string, object> };
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => [method, path]),
    );
    expect(routes.length).toBeGreaterThan(5);
    for (const [method = "", path = ""] of routes)
      expect(page).toContain(
        `<span class="method ${method}">${method.toUpperCase()}</span><span class="path">${path}</span>`,
      );
    const session = "http://127.0.0.1:8473/api/session";
    expect(page).toContain(`curl -s -c cookies.txt ${session} `);
    expect(page).toContain(`curl -s -b cookies.txt -H &#39;x-csrf-token: CSRF&#39; -X DELETE ${session}<`);
    expect(page).toContain(`curl -s -H @header.txt ${session}<`);
    const ids = new Set([...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
    expect(ids.size).toBe([...page.matchAll(/ id="/g)].length);
    for (const [, to] of page.matchAll(/href="#([^"]+)"/g)) expect(ids).toContain(to);
  });

  it("shows parameters, bodies with all their forms, answers, roles and an example, and nothing as markup", () => {
    const page = docsPage({
      info: { title: "Perch", version: "1.2.3", description: "a < b" },
      tags: [
        { name: "things", description: "Of all kinds." },
        { name: "empty", description: "Nothing is in it." },
      ],
      paths: {
        "/api/things/{id}": {
          put: {
            tags: ["things"],
            summary: 'Say "<b>hello</b>"',
            description: "Roles: admin.",
            security: [{ token: [] }],
            parameters: [
              { name: "id", in: "path", required: true, schema: { type: "string" } },
              { name: "n", in: "query", schema: { type: "integer", minimum: 1, maximum: 9, default: 3 } },
            ],
            requestBody: {
              content: {
                "application/json": {
                  schema: {
                    type: "object",
                    required: ["shape"],
                    properties: {
                      shape: {
                        anyOf: [
                          {
                            type: "object",
                            required: ["kind", "size"],
                            properties: { kind: { enum: ["box"] }, size: { type: "integer" } },
                          },
                          { type: "object", required: ["kind"], properties: { kind: { enum: ["pipe"] } } },
                        ],
                      },
                      list: {
                        type: "array",
                        items: { type: "object", properties: { "a'b": { type: "boolean" } } },
                      },
                    },
                  },
                  example: { shape: { kind: "it's" } },
                },
              },
            },
            responses: {
              200: {
                description: "Default Response",
                content: {
                  "application/json": {
                    schema: { type: "object", properties: { at: { format: "date-time", type: "string" } } },
                  },
                },
              },
              204: { description: "It is gone." },
            },
          },
        },
      },
    });
    const shown = (name: string, type: string) => `<td><code>${name}</code></td><td>${type}</td>`;
    expect(page).toContain("<h1>Perch 1.2.3: its API</h1>\n<p>a &lt; b");
    expect(page).toContain("<p>Say &quot;&lt;b&gt;hello&lt;/b&gt;&quot;</p>");
    expect(page).toContain(shown("?n=", "whole number"));
    expect(page).toContain("From 1 to 9. Default: 3.");
    expect(page).toContain(shown("shape.kind", "one of &quot;box&quot;, &quot;pipe&quot;, required"));
    expect(page).toContain(shown("shape.size", "whole number"));
    expect(page).toContain(shown("list[].a&#39;b", "true or false"));
    expect(page).toContain("<summary>Answer · 200</summary>");
    expect(page).toContain(shown("at", "time"));
    expect(page).toContain("204: It is gone.");
    expect(page).toContain("curl -s -H @header.txt -X PUT http://127.0.0.1:8473/api/things/ID");
    expect(page).toContain("it&#39;\\&#39;&#39;s");
    expect(page).not.toContain("empty");
  });
});
