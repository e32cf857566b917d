import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { AdminToken } from "../../service/api/access/admin-token.ts";
import { Tokens } from "../../service/api/access/tokens.ts";
import { accessFolder, wish } from "../support/access-served.ts";

const NOW = 1_750_000_000_000;

async function made() {
  const data = await accessFolder();
  const warnings: string[] = [];
  const tokens = new Tokens(data, (message) => warnings.push(message));
  const { token, stored } = tokens.create(wish({ role: "viewer" }), NOW);
  return { data, tokens, token, stored, warnings, file: join(tokens.folder, `${stored.id}.json`) };
}
const mode = (path: string) => statSync(path).mode & 0o777;
const counts = (tokens: Tokens, token: string) => "token" in tokens.find(token, NOW);

describe("the tokens of a data folder", () => {
  it("are random, of a form that scanners know, and only their hashes are kept", async () => {
    const { data, tokens, token, file } = await made();
    expect(token).toMatch(/^perch_[0-9a-f]{8}_[A-Za-z0-9_-]{43}$/);
    const secret = token.slice(-43);
    expect(Buffer.from(secret, "base64url")).toHaveLength(32);
    expect(readFileSync(file, "utf8")).not.toContain(secret);
    expect(tokens.create(wish({ role: "viewer", name: "b" }), NOW).token.slice(-43)).not.toBe(secret);
    expect(readdirSync(data)).toEqual(["tokens"]);
    expect([mode(tokens.folder), mode(file)]).toEqual([0o700, 0o600]);
  });

  it("open with the whole secret and nothing else", async () => {
    const { tokens, token, stored } = await made();
    expect(tokens.find(token, NOW)).toEqual({ token: stored });
    const other = tokens.create(wish({ role: "admin", name: "b" }), NOW);
    const swapped = `perch_${other.stored.id}_${token.slice(-43)}`;
    for (const wrong of [
      token.slice(0, -1),
      `${token} `,
      token.toUpperCase(),
      token.slice(6),
      swapped,
      `perch_${stored.id}_${stored.hash.slice(0, 43)}`,
      `perch_../../..._${"A".repeat(43)}`,
      "",
    ])
      expect(tokens.find(wrong, NOW)).toEqual({ unknown: true });
  });

  it("have names of their own; a revoked one is gone, by name or by id", async () => {
    const { tokens, token, stored } = await made();
    expect(() => tokens.create(wish({ role: "admin", name: "a-viewer" }), NOW)).toThrow(
      "there is a token a-viewer already",
    );
    const second = tokens.create(wish({ role: "api", name: "b" }), NOW + 1);
    expect(tokens.list().map(({ name }) => name)).toEqual(["a-viewer", "b"]);
    tokens.revoke("a-viewer");
    expect([counts(tokens, token), counts(tokens, second.token)]).toEqual([false, true]);
    tokens.revoke(second.stored.id);
    expect(tokens.list()).toEqual([]);
    expect(() => tokens.revoke(stored.id)).toThrow(`there is no token ${stored.id}`);
  });

  it("that a folder without any has, are none", async () => {
    const tokens = new Tokens(join(await accessFolder(), "none"));
    expect(tokens.list()).toEqual([]);
    expect(() => tokens.revoke("x")).toThrow("there is no token x");
  });
});

describe("a token's file that is not as it should be", () => {
  it("is closed again where others could read it: it holds no secret", async () => {
    const { tokens, token, file, warnings } = await made();
    chmodSync(file, 0o644);
    chmodSync(tokens.folder, 0o755);
    expect(counts(tokens, token)).toBe(true);
    expect([mode(tokens.folder), mode(file)]).toEqual([0o700, 0o600]);
    expect(warnings).toEqual([]);
  });

  it("does not count where others could write it, and is told once", async () => {
    const { tokens, token, file, warnings } = await made();
    chmodSync(file, 0o620);
    for (let n = 0; n < 3; n += 1) expect(counts(tokens, token)).toBe(false);
    expect(warnings).toEqual([
      expect.stringMatching(/does not count: it may be written by others.*chmod go-rwx/),
    ]);
    chmodSync(file, 0o600);
    expect(counts(tokens, token)).toBe(true);
    chmodSync(tokens.folder, 0o777);
    expect(counts(tokens, token)).toBe(false);
  });

  it.each([
    ["half of it", (text: string) => text.slice(0, 40)],
    ["no JSON", () => "nonsense"],
    ["a role that is none", (text: string) => text.replace('"role": "viewer"', '"role": "root"')],
    ["something more", (text: string) => text.replace("{", '{"more":1,')],
    ["another's id", (text: string) => text.replace(/"id": "[0-9a-f]{8}"/, '"id": "00000000"')],
    ["far too much", (text: string) => text + " ".repeat(10_000)],
  ])("with %s does not count, and leaves the others alone", async (_what, spoil) => {
    const { tokens, token, file, warnings } = await made();
    const other = tokens.create(wish({ role: "api", name: "other" }), NOW);
    writeFileSync(file, spoil(readFileSync(file, "utf8")));
    expect([counts(tokens, token), counts(tokens, other.token)]).toEqual([false, true]);
    expect(tokens.list().map(({ name }) => name)).toEqual(["other"]);
    expect(warnings[0]).toContain(file);
    expect(warnings.join()).not.toContain(token.slice(-43));
  });

  it("that is a link to somewhere else does not count", async () => {
    const { data, tokens, token, file } = await made();
    const elsewhere = join(data, "elsewhere.json");
    writeFileSync(elsewhere, readFileSync(file), { mode: 0o600 });
    tokens.revoke("a-viewer");
    symlinkSync(elsewhere, file);
    expect(counts(tokens, token)).toBe(false);
  });

  it("that was left half made by a power cut is no token", async () => {
    const { tokens } = await made();
    writeFileSync(join(tokens.folder, "0123abcd.new"), "{", { mode: 0o600 });
    expect(tokens.list()).toHaveLength(1);
  });
});

describe("the administrator's token in the data folder", () => {
  it("stays the same, and becomes another one where others could read it", async () => {
    const data = await accessFolder();
    expect(new AdminToken(data).prepare()).toEqual({ exposed: false });
    const first = AdminToken.read(data);
    expect(new AdminToken(data).prepare()).toEqual({ exposed: false });
    expect(AdminToken.read(data)).toBe(first);
    chmodSync(join(data, "admin.token"), 0o640);
    const again = new AdminToken(data);
    expect(again.prepare()).toEqual({ exposed: true });
    expect(mode(join(data, "admin.token"))).toBe(0o600);
    expect([again.matches(first), again.matches(AdminToken.read(data))]).toEqual([false, true]);
  });

  it("opens nothing where it is empty or was never made", async () => {
    const data = await accessFolder();
    const token = new AdminToken(data);
    expect([token.matches(""), token.matches("undefined")]).toEqual([false, false]);
    mkdirSync(join(data, "other"));
    writeFileSync(join(data, "other", "admin.token"), "", { mode: 0o600 });
    const empty = new AdminToken(join(data, "other"));
    empty.prepare();
    expect(empty.matches("")).toBe(false);
  });
});
