import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ERROR_CODES, isPerchError, messageOf, PerchError, systemCode } from "../../service/kernel/errors.ts";

describe("an expected fault", () => {
  it("says what HTTP answers for it and whether to try again", () => {
    const fault = new PerchError("QUEUE_FULL", "too many wait", new Error("cause"));
    expect([fault.name, fault.status, fault.retryable]).toEqual(["PerchError", 429, true]);
    expect(fault.cause).toEqual(new Error("cause"));
    expect("cause" in new PerchError("QUEUE_FULL", "too many wait")).toBe(false);
  });

  it("has a status of HTTP's kind for every code", () => {
    for (const { status } of Object.values(ERROR_CODES)) {
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(600);
    }
  });

  it("is told from others, by code where codes are named", () => {
    const fault = new PerchError("DATA_FULL", "full");
    expect(isPerchError(fault)).toBe(true);
    expect(isPerchError(fault, "DATA_LOCKED", "DATA_FULL")).toBe(true);
    expect(isPerchError(fault, "DATA_LOCKED")).toBe(false);
    for (const other of [new Error("full"), "full", null, undefined, { code: "DATA_FULL" }])
      expect(isPerchError(other)).toBe(false);
  });
});

describe("whatever was thrown", () => {
  it("has a message", () => {
    expect([new Error("why"), "why", undefined, 5].map(messageOf)).toEqual(["why", "why", "undefined", "5"]);
  });

  it("has the operating system's code where that is the cause", () => {
    const read = () => readFileSync("/no/such/file");
    expect(read).toThrow(expect.toSatisfy((error: unknown) => systemCode(error) === "ENOENT"));
    const numbered = Object.assign(new Error("x"), { code: 5 });
    expect([new Error("x"), numbered, "ENOENT", undefined].map(systemCode)).toEqual(Array(4).fill(undefined));
  });
});
