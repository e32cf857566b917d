import { describe, expect, it } from "vitest";
import { parseSimSource } from "../../device/simulator/sim-source.ts";
import { isPerchError } from "../../service/kernel/errors.ts";

describe("sim: sources", () => {
  it.each([
    ["sim:cell", 1],
    ["sim:cell?seed=7", 7],
    ["sim:cell?seed=0", 0],
    ["sim:cell?seed=4294967295", 4294967295],
  ])("%s has seed %d", (source, seed) => {
    expect(parseSimSource(source)).toEqual({ name: "cell", seed });
  });

  it.each([
    ["sim:ward", 'no simulator "ward"'],
    ["sim:", 'no simulator ""'],
    ["file:cell", "does not begin with sim:"],
    ["sim:cell?sead=7", 'no key "sead"'],
    ["sim:cell?seed=", 'seed is ""'],
    ["sim:cell?seed=-1", 'seed is "-1"'],
    ["sim:cell?seed=1.5", 'seed is "1.5"'],
    ["sim:cell?seed=4294967296", 'seed is "4294967296"'],
    ["sim:cell?seed=1&seed=2", "given twice"],
  ])("%s is refused, saying what is allowed", (source, reason) => {
    let thrown: unknown;
    try {
      parseSimSource(source);
    } catch (error) {
      thrown = error;
    }
    expect(isPerchError(thrown, "FEED_INVALID")).toBe(true);
    expect(String(thrown)).toContain(reason);
    expect(String(thrown)).toContain("allowed is sim:cell");
  });
});
