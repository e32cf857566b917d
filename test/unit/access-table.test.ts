import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { RIGHTS, type Right } from "../../service/api/access/rights.ts";
import { ROLES } from "../../service/contract/access.ts";
import { packageRoot } from "../../service/kernel/paths.ts";

const page = readFileSync(join(packageRoot, "docs/access.md"), "utf8");
const lines = page.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
/** The table's rows: ability, a column for each role, nobody, and what it is. */
const rows = lines.filter(
  ([, ability = ""]) => /^`[a-z.]+`$/.test(ability) && ability.slice(1, -1) in RIGHTS,
);

it("the page on access shows every ability with the roles that have it, as the service has them", () => {
  expect(lines.find(([, first]) => first === "ability")?.slice(2, 8)).toEqual([...ROLES, "nobody"]);
  const told = rows.map(([, ability = "", ...cells]) => [ability.slice(1, -1), cells.slice(0, 6)]);
  const meant = Object.entries(RIGHTS).map(([ability, { roles, openOnLoopback }]: [string, Right]) => [
    ability,
    [...ROLES.map((role) => roles.includes(role)), openOnLoopback].map((may) => (may ? "yes" : "")),
  ]);
  expect(Object.fromEntries(told)).toEqual(Object.fromEntries(meant));
  expect(told).toHaveLength(meant.length);
});

it("the page on access says what takes only a token, or only a login", () => {
  for (const [ability, { by }] of Object.entries(RIGHTS) as [string, Right][]) {
    const what = rows.find(([, one]) => one === `\`${ability}\``)?.[8] ?? "";
    expect([ability, /with a (\w+) only/.exec(what)?.[1]]).toEqual([ability, by]);
  }
});
