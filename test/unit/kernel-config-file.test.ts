import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readConfigFile } from "../../service/kernel/config-file.ts";
import { Schema, TestFile } from "../support/config-text.ts";

const file = new TestFile();
afterAll(() => file.remove());

describe("a right file", () => {
  it("has defaults filled in at every depth, inside tagged unions too, and units decoded", () => {
    expect(file.read("name: a\nthings: [{ kind: box, lid: {} }]\nwait: 1.5m\nroom: 2GB\n")).toEqual({
      name: "a",
      wait: 90_000,
      room: 2e9,
      on: true,
      first: { kind: "box", size: 3, lid: { colour: "red" } },
      things: [{ kind: "box", size: 3, lid: { colour: "red" } }],
      limits: {},
    });
  });

  it("may leave a key with a default empty", () => {
    expect(file.read("name: a\nwait:\nfirst: ~\nthings: null\n")).toEqual(file.read("name: a\n"));
  });

  it("may use anchors and aliases, and each place has a value of its own", () => {
    const value = file.read("name: a\nthings:\n  - &one { kind: box, size: 5 }\n  - *one\n") as {
      things: { size: number }[];
    };
    expect(value.things.map(({ size }) => size)).toEqual([5, 5]);
    expect(value.things[0]).not.toBe(value.things[1]);
  });

  it("may begin with a byte order mark and have Windows line ends", () => {
    expect(file.read("\uFEFFname: a\r\non: false\r\n")).toMatchObject({ name: "a", on: false });
  });
});

describe("a wrong file", () => {
  it("has every error told at once, with file, line, key, the value found and what is allowed", () => {
    const text = `
nmae: a
wait: soon
room: 5
on: "yes"
first:
  kind: box
  size: 12
  lid: { colour: green, shape: round }
things:
  - kind: tube
  - kind: pipe
    url: ftp://host
    size: 3
  - { size: 2 }
limits: { a: -1, B: 2, c: x }
`;
    expect(file.errors(text)).toEqual([
      "F:1: the key name is missing (What it is called.)",
      "F:2: nmae: unknown key nmae; known keys: name, wait, room, on, password, first, things, limits",
      'F:3: wait = "soon": must be a duration like "250ms", "2s", "5m", "8h" or "30d"',
      'F:4: room = 5: must be a size like "24KB", "500MB" or "2GB"',
      'F:5: on = "yes": must be true or false',
      "F:8: first.size = 12: must be <= 9",
      'F:9: first.lid.colour = "green": must be one of red, blue',
      "F:9: first.lid.shape: unknown key shape; known keys: colour",
      'F:11: things[0].kind = "tube": kind must be one of box, pipe',
      'F:13: things[1].url = "ftp://host": is not of the form that is allowed: https:// and host. (it must match ^https://)',
      "F:14: things[1].size: unknown key size; known keys: kind, url, password",
      "F:15: things[2]: kind must be one of box, pipe",
      "F:16: limits.a = -1: must be >= 0",
      'F:16: limits.c = "x": must be a whole number',
      "F:16: limits.B: unknown key B; names must match ^[a-z]+$",
    ]);
  });

  it("has dozens of unknown keys told, none left out", () => {
    const keys = Array.from({ length: 40 }, (_, n) => `extra${n}: 1`);
    expect(file.errors(`name: a\n${keys.join("\n")}\n`)).toHaveLength(40);
  });

  it("may use names that every object has, and they are as unknown as others", () => {
    const found = file.errors("name: a\nconstructor: 1\ntoString: 2\n__proto__: { on: false }\n1: x\n");
    expect(found.map((line) => line.split(";")[0])).toEqual([
      "F:2: constructor: unknown key constructor",
      "F:3: toString: unknown key toString",
      "F:4: __proto__: unknown key __proto__",
      "F:5: 1: unknown key 1",
    ]);
  });

  it.each([
    ["is empty", "", "F:1: the key name is missing (What it is called.)"],
    ["holds only a comment", "# nothing\n", "F:1: the key name is missing (What it is called.)"],
    ["is a list", "- name: a\n", "F:1: must be a mapping of keys to values"],
    ["is a single text", "name\n", "F:1: must be a mapping of keys to values"],
    [
      "leaves a needed key empty",
      "name:\n",
      "F:1: name = null: must be a text; numbers and true, false go in quotes",
    ],
    [
      "has a number for a text",
      "name: 5\n",
      "F:1: name = 5: must be a text; numbers and true, false go in quotes",
    ],
    ["has an empty text", "name: ''\n", 'F:1: name = "": must not be empty'],
    [
      "has a text for a mapping",
      "name: a\nfirst: box\n",
      'F:2: first = "box": must be a mapping with the key kind',
    ],
    ["has a mapping for a list", "name: a\nthings: {}\n", "F:2: things: must be a list"],
    ["has a key twice", "name: a\non: true\nname: b\n", "F:3: the key name is there twice"],
    ["indents with a tab", "name: a\nfirst:\n\tkind: box\n", "F:3: Tabs are not allowed as indentation"],
    [
      "holds two documents",
      "name: a\n---\nname: b\n",
      "F:2: a second document begins here (---); a file holds one",
    ],
    [
      "has an alias without anchor",
      "name: a\nfirst: *one\n",
      "F:2: there is no anchor (&name) above for this alias; a text that begins with * goes in quotes",
    ],
    [
      "has a tag",
      "name: !secret a\n",
      "F:1: tags (!name) are not known here; a text that begins with ! goes in quotes",
    ],
    ["refers to itself", "name: a\nthings: &x [*x]\n", "F:2: things[0]: must be a mapping with the key kind"],
    ["is no UTF-8", Buffer.from("name: caf\xe9\n", "latin1"), "F: it is not UTF-8 text"],
    [
      "is some large file",
      `name: a\n${"# padding\n".repeat(110_000)}`,
      "F: it is larger than 1000 KB, which none needs to be",
    ],
    ["nests without end", "[".repeat(300_000), "F:1: lists or mappings are nested more than 100 deep"],
    ["nests without end by keys", "? ".repeat(3000), "F:1: lists or mappings are nested more than 100 deep"],
  ])("is refused in plain words where it %s", (_, text, message) => {
    expect(file.errors(text)).toEqual([message]);
  });

  it("is refused where its aliases unfold without end", () => {
    const levels = Array.from({ length: 9 }, (_, n) => `l${n + 1}: &l${n + 1} [${`*l${n}, `.repeat(9)}]`);
    expect(file.errors(`name: a\nl0: &l0 [x, x]\n${levels.join("\n")}\n`)).toEqual([
      "F: aliases (*name) unfold into far more than a configuration holds",
    ]);
  });

  it("has no more than ten errors of syntax told: the rest follow from the first", () => {
    expect(file.errors("name: }\n".repeat(100)).length).toBe(10);
  });

  it("is named with the folder it was looked for in where it is not there", () => {
    expect(() => readConfigFile(Schema, "no-such.yaml")).toThrow(
      `no-such.yaml: there is no such file (looked in ${join(process.cwd(), "no-such.yaml")})`,
    );
    expect(() => readConfigFile(Schema, file.folder)).toThrow(`${file.folder}: it is a folder, not a file`);
  });

  it("has a long value shortened in its error", () => {
    const [line] = file.errors(`name: a\nwait: ${"x".repeat(5000)}\n`);
    expect(line?.length).toBeLessThan(200);
  });

  it("is checked for what no schema can say once the schema holds", () => {
    const issue = { path: ["things", 1, "size"], message: "is too much together" };
    const text = "name: a\nthings:\n  - kind: box\n  - { kind: box,\n      size: 4 }\n";
    expect(file.errors(text, () => [issue])).toEqual(["F:5: things[1].size = 4: is too much together"]);
    expect(file.errors("name: 1\n", () => [issue])).toHaveLength(1);
  });
});
