import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { TestFile } from "../support/config-text.ts";

const file = new TestFile();
afterAll(() => file.remove());

const set: string[] = [];
afterEach(() => {
  for (const name of set.splice(0)) delete process.env[name];
});

function environment(name: string, value: string): void {
  process.env[name] = value;
  set.push(name);
}

/** A reference as a file holds it. */
const ref = (to: string) => `\${${to}}`;

describe("a secret", () => {
  const secretFile = join(file.folder, "secret");

  it("comes from the environment or a file, alone or within a text", () => {
    environment("PERCH_TEST_SECRET", "correct horse battery");
    writeFileSync(secretFile, "staple\n");
    const text = `name: "a ${ref(`file:${secretFile}`)}"\npassword: ${ref("env:PERCH_TEST_SECRET")}\n`;
    expect(file.read(text)).toMatchObject({ name: "a staple", password: "correct horse battery" });
  });

  it("that cannot be had is named by its reference, with the reason", () => {
    environment("PERCH_TEST_SECRET", "");
    writeFileSync(secretFile, "\n");
    const text = (reference: string) => file.errors(`name: a\npassword: ${reference}\n`)[0];
    const found = [
      text(ref("env:PERCH_TEST_NONE")),
      text(ref("env:PERCH_TEST_SECRET")),
      text(ref("file:/nowhere/secret")),
      text(ref(`file:${secretFile}`)),
      text(ref(`file:${file.folder}`)),
      text(ref("file:/dev/zero")),
      text(ref("PERCH_TEST_SECRET")),
    ];
    expect(found.map((line) => line?.replaceAll(file.folder, "D"))).toEqual([
      `F:2: password = "${ref("env:PERCH_TEST_NONE")}": the environment variable PERCH_TEST_NONE cannot be used: it is not set, or empty`,
      `F:2: password = "${ref("env:PERCH_TEST_SECRET")}": the environment variable PERCH_TEST_SECRET cannot be used: it is not set, or empty`,
      `F:2: password = "${ref("file:/nowhere/secret")}": the file /nowhere/secret cannot be used: there is no such file`,
      `F:2: password = "${ref("file:D/secret")}": the file D/secret cannot be used: it is empty`,
      `F:2: password = "${ref("file:D")}": the file D cannot be used: it is a folder, not a file`,
      `F:2: password = "${ref("file:/dev/zero")}": the file /dev/zero cannot be used: it is larger than 64 KB, which none needs to be`,
      `F:2: password = [hidden]: is not a reference that is known: write ${ref("env:NAME")} or ${ref("file:PATH")}`,
    ]);
  });

  it("never shows in an error, whatever is wrong with it or near it", () => {
    environment("PERCH_TEST_SECRET", "hunter2");
    environment("PERCH_TEST_URL", "ftp://user:hunter2@host");
    const texts = [
      `name: a\npassword: ${ref("env:PERCH_TEST_SECRET")}\n`,
      "name: a\npassword: hunter2\n",
      "name: a\npassword: [hunter2]\n",
      "name: a\npassword: { hunter2: hunter2 }\n",
      `name: a\nwait: ${ref("env:PERCH_TEST_SECRET")}\n`,
      `name: a\nthings: [{ kind: pipe, url: '${ref("env:PERCH_TEST_URL")}' }]\n`,
      "name: a\nthings: [{ kind: pipe, url: 'ftp://user:hunter2@host' }]\n",
      "name: a\nthings: [{ kind: pipe, url: 'ftp://user:hun/hunter2@host' }]\n",
      "name: a\nthings: [{ kind: pipe, url: 'https://h', password: 5, x: hunter2 }]\n",
      "name: a\npasword: hunter2\n",
      "name: a\npassword: *hunter2\n",
      "name: a\npassword: !hunter2\n",
      "name: a\npassword: }hunter2\n",
      "name: a\npassword: 'a'hunter2\n",
      "name: a\npassword: |hunter2\n  x\n",
    ];
    for (const text of texts) {
      const found = file.errors(text);
      expect(found, text).not.toEqual([]);
      expect(found.join("\n"), text).not.toContain("hunter2");
    }
  });

  it("does not show where a check of its own quotes it", () => {
    environment("PERCH_TEST_SECRET", "correct horse battery");
    const issue = { path: ["name"], message: "correct horse battery is no name" };
    expect(file.errors(`name: ${ref("env:PERCH_TEST_SECRET")}\n`, () => [issue])).toEqual([
      `F:1: name = "${ref("env:PERCH_TEST_SECRET")}": ${ref("env:PERCH_TEST_SECRET")} is no name`,
    ]);
  });

  it("is not filled in a second time where it looks like a reference itself", () => {
    environment("PERCH_TEST_SECRET", ref("env:PERCH_TEST_OTHER"));
    environment("PERCH_TEST_OTHER", "other");
    expect(file.read(`name: ${ref("env:PERCH_TEST_SECRET")}\n`)).toMatchObject({
      name: ref("env:PERCH_TEST_OTHER"),
    });
  });
});
