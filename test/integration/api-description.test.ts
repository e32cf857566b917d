import { describe, expect, it } from "vitest";
import { Served } from "../support/access-served.ts";

interface Described {
  openapi: string;
  paths: Record<string, Record<string, { summary?: string; description?: string; responses?: object }>>;
}

describe("the API's own description", () => {
  it("is OpenAPI 3.1, made of the schemas that check requests, without what only Perch's checks know", async () => {
    const served = await Served.start();
    const { status, body } = await served.ask("/api/openapi.json");
    expect(status).toBe(200);
    const { openapi, paths } = body as Described;
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
    expect(JSON.stringify(body)).not.toContain("perch-duration");
  });
});
