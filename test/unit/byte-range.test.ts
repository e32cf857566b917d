import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { preconditionOf, rangeOf } from "../../service/api/byte-range.ts";

const ETAG = '"abc"';
const of = (range: string, size = 10, ifRange?: string) =>
  rangeOf({ range, ...(ifRange !== undefined && { "if-range": ifRange }) }, size, ETAG);

describe("a Range header", () => {
  it.each([
    ["bytes=0-", { first: 0, last: 9 }],
    ["bytes=0-0", { first: 0, last: 0 }],
    ["bytes=3-5", { first: 3, last: 5 }],
    ["bytes=9-", { first: 9, last: 9 }],
    ["bytes=3-999999999999999999999999", { first: 3, last: 9 }],
    ["bytes=-4", { first: 6, last: 9 }],
    ["bytes=-10", { first: 0, last: 9 }],
    ["bytes=-11", { first: 0, last: 9 }],
    ["Bytes=1-2", { first: 1, last: 2 }],
    [" bytes= 1-2 ", { first: 1, last: 2 }],
    ["bytes=10-", "none"],
    ["bytes=10-12", "none"],
    ["bytes=999999999999999999999999-", "none"],
    ["bytes=-0", "none"],
    ["bytes=-", "whole"],
    ["bytes=", "whole"],
    ["bytes=5-4", "whole"],
    ["bytes=12-11", "whole"],
    ["bytes=0-1,3-4", "whole"],
    ["bytes=1.5-", "whole"],
    ["bytes=0x1-", "whole"],
    ["bytes=--5", "whole"],
    ["bytes 0-1", "whole"],
    ["pages=0-1", "whole"],
    ["", "whole"],
  ])("%j of ten bytes is %j", (range, wanted) => {
    expect(of(range)).toEqual(wanted);
  });

  it("asks for nothing that an empty file has", () => {
    for (const range of ["bytes=0-", "bytes=-1", "bytes=0-0"]) expect(of(range, 0)).toBe("none");
    expect(rangeOf({}, 0, ETAG)).toBe("whole");
  });

  it("counts only where If-Range names the file, byte for byte", () => {
    expect(of("bytes=3-", 10, ETAG)).toEqual({ first: 3, last: 9 });
    for (const other of ['"abd"', `W/${ETAG}`, "Wed, 21 Oct 2015 07:28:00 GMT", "", "*"])
      expect([other, of("bytes=3-", 10, other)]).toEqual([other, "whole"]);
    // Of a file that is another one now, no byte is asked for that it might not have.
    expect(of("bytes=99-", 10, '"abd"')).toBe("whole");
  });

  it("never gives bytes that the file has not, whatever it says", () => {
    const text = fc.oneof(
      fc.string(),
      fc
        .tuple(fc.constantFrom("", "0", "7", "10", "4096"), fc.constantFrom("", "0", "9", "10"))
        .map(([from, to]) => `bytes=${from}-${to}`),
    );
    fc.assert(
      fc.property(text, fc.nat(20), (range, size) => {
        const wanted = of(range, size);
        if (typeof wanted === "string") return;
        expect(wanted.first).toBeGreaterThanOrEqual(0);
        expect(wanted.first).toBeLessThanOrEqual(wanted.last);
        expect(wanted.last).toBeLessThan(size);
      }),
    );
  });
});

describe("a condition", () => {
  it.each([
    [{}, "met"],
    [{ "if-match": ETAG }, "met"],
    [{ "if-match": `"x", ${ETAG}` }, "met"],
    [{ "if-match": "*" }, "met"],
    [{ "if-match": `W/${ETAG}` }, "changed"],
    [{ "if-match": '"x"' }, "changed"],
    [{ "if-match": "" }, "changed"],
    [{ "if-none-match": ETAG }, "same"],
    [{ "if-none-match": `W/${ETAG}` }, "same"],
    [{ "if-none-match": "*" }, "same"],
    [{ "if-none-match": '"x", "y"' }, "met"],
    [{ "if-match": '"x"', "if-none-match": ETAG }, "changed"],
  ])("%j is %s", (headers, outcome) => {
    expect(preconditionOf(headers, ETAG)).toBe(outcome);
  });
});
