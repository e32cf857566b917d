import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { csvLine } from "../../service/api/csv.ts";

/** RFC 4180 read back, by its own grammar. */
function fieldsOf(line: string): string[] {
  const fields: string[] = [];
  for (let rest = line.slice(0, -2); ; ) {
    const [whole = "", quoted, plain] = /^(?:"((?:[^"]|"")*)"|([^",\r\n]*))/.exec(rest) ?? [];
    fields.push(quoted?.replaceAll('""', '"') ?? plain ?? "");
    rest = rest.slice(whole.length);
    if (rest === "") return fields;
    if (rest[0] !== ",") throw new Error(`no comma before ${rest}`);
    rest = rest.slice(1);
  }
}

describe("a line of CSV", () => {
  it("gives back every text that is no formula", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: "binary", maxLength: 12 }), { minLength: 1, maxLength: 6 }),
        (cells) => {
          const line = csvLine(cells);
          expect(line.endsWith("\r\n")).toBe(true);
          const marked = cells.map((cell) => `'${cell}`);
          const fields = fieldsOf(line);
          expect(fields).toEqual(cells.map((cell, at) => (fields[at] === marked[at] ? marked[at] : cell)));
        },
      ),
    );
  });

  it.each(["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\tx", "\rx", "＝1", "=cmd|' /C calc'!A0"])(
    "makes no formula of %j",
    (text) => {
      expect(fieldsOf(csvLine([text, "next"]))).toEqual([`'${text}`, "next"]);
    },
  );

  it("leaves numbers, what is missing, and texts with a sign inside as they are", () => {
    expect(csvLine([-1.5, 0, true, null, undefined, "a-b", 'say "x", y', "two\nlines"])).toBe(
      '-1.5,0,true,,,a-b,"say ""x"", y","two\nlines"\r\n',
    );
  });
});
