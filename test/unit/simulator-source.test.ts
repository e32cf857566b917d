import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { DEFAULT_SIZE, parseSimSource, simSourceText } from "../../device/simulator/sim-source.ts";
import { isPerchError } from "../../service/kernel/errors.ts";

describe("sim: sources", () => {
  it.each([
    ["sim:cell", 1],
    ["sim:cell?seed=7", 7],
    ["sim:cell?seed=0", 0],
    ["sim:cell?seed=4294967295", 4294967295],
  ])("%s has seed %d", (source, seed) => {
    expect(parseSimSource(source)).toEqual({ kind: "cell", seed, size: DEFAULT_SIZE });
  });

  it.each([
    ["sim:cell?seed=7&size=336x192", { kind: "cell", seed: 7, size: { width: 336, height: 192 } }],
    ["sim:cell?size=96x1920", { kind: "cell", seed: 1, size: { width: 96, height: 1920 } }],
    ["sim:demo.yaml", { kind: "scenario", file: resolve("demo.yaml"), size: DEFAULT_SIZE }],
    [
      "sim:/etc/perch/a b.yml?size=240x240",
      { kind: "scenario", file: "/etc/perch/a b.yml", size: { width: 240, height: 240 } },
    ],
  ])("%s is read, and again from its own text wherever that is read", (source, told) => {
    expect(parseSimSource(source)).toEqual(told);
    expect(parseSimSource(simSourceText(parseSimSource(source)))).toEqual(told);
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
    ["sim:cell?seed=1&seed=2", "seed is given twice"],
    ["sim:demo.yaml?seed=1", "a scenario's seed stands in its file"],
    ["sim:cell?size=336", 'size is "336"'],
    ["sim:cell?size=95x192", 'size is "95x192", not WIDTHxHEIGHT from 96 to 1920'],
    ["sim:cell?size=336x1921", 'size is "336x1921"'],
  ])("%s is refused, saying what is allowed", (source, reason) => {
    let thrown: unknown;
    try {
      parseSimSource(source);
    } catch (error) {
      thrown = error;
    }
    expect(isPerchError(thrown, "FEED_INVALID")).toBe(true);
    expect(String(thrown)).toContain(reason);
    expect(String(thrown)).toContain("allowed is sim:cell or sim:PATH.yaml");
  });
});
