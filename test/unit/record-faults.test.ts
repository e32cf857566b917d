import { tmpdir } from "node:os";
import { describe, expect, test } from "vitest";
import { PerchError } from "../../service/kernel/errors.ts";
import { faultOf } from "../../service/record/faults.ts";

const failure = (code: string) => Object.assign(new Error(`said ${code}`), { code });

describe("what a failure of the disk is called", () => {
  test.each([
    ["SQLITE_FULL", "DATA_FULL"],
    ["ENOSPC", "DATA_FULL"],
    ["EDQUOT", "DATA_FULL"],
    ["SQLITE_IOERR_FSYNC", "DATA_UNWRITABLE"],
    ["SQLITE_READONLY_DBMOVED", "DATA_UNWRITABLE"],
    ["SQLITE_CANTOPEN", "DATA_UNWRITABLE"],
    ["EROFS", "DATA_UNWRITABLE"],
    ["EACCES", "DATA_UNWRITABLE"],
    ["SQLITE_BUSY", "DATA_UNWRITABLE"],
    ["SQLITE_NOTADB", "DATA_CORRUPT"],
    ["SQLITE_CORRUPT_VTAB", "DATA_CORRUPT"],
  ])("%s is %s", (code, expected) => {
    expect(faultOf(failure(code), tmpdir())?.code).toBe(expected);
  });

  test("a fault that has its name keeps it", () => {
    const locked = new PerchError("DATA_LOCKED", "taken");
    expect(faultOf(locked, tmpdir())).toBe(locked);
  });

  test.each(["SQLITE_CONSTRAINT_UNIQUE", "SQLITE_ERROR", "ERR_INVALID_ARG_TYPE"])(
    "%s is none of the disk's faults",
    (code) => {
      expect(faultOf(failure(code), tmpdir())).toBeUndefined();
    },
  );
});
