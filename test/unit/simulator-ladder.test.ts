import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { makeLadder } from "../../device/simulator/model/ladder/make-ladder.ts";
import { withLevels } from "../../device/simulator/model/ladder/models-text.ts";
import { packageRoot } from "../../service/kernel/paths.ts";

const MODELS = readFileSync(join(packageRoot, "config/models.yaml"), "utf8");
const file = (name: string, digit: string) => ({ file: `${name}.gguf`, bytes: 12, sha256: digit.repeat(64) });
const level = (id: string) => ({ id, text: file(id, "a"), mmproj: file(`m-${id}`, "b") });

describe("new levels in models.yaml", () => {
  it("leave every byte outside of the ladder's levels as it was", () => {
    const changed = withLevels(MODELS, "perch-small", [level("f16"), level("q8_0")], "q8_0");
    const head = MODELS.slice(0, MODELS.search(/ {4}(?:default|levels):/));
    const others = MODELS.slice(MODELS.indexOf("\n  - id: gemma-4-12b"));
    expect(others.length).toBeGreaterThan(500);
    expect(changed.startsWith(head)).toBe(true);
    expect(changed.endsWith(`kv: f16\n${others}`)).toBe(true);
  });

  it("keep how they run, in the words of the ladder's default level", () => {
    const [small] = parse(MODELS).ladders;
    const [ladder] = parse(withLevels(MODELS, "perch-small", [level("f16"), level("q2_k")], "q2_k")).ladders;
    const { text: _, mmproj: __, id: ___, ...settings } = small.levels[0];
    expect(ladder.default).toBe("q2_k");
    expect(ladder.levels).toEqual([
      { ...level("f16"), ...settings },
      { ...level("q2_k"), ...settings },
    ]);
  });

  it("come out the same however often they are put in", () => {
    const once = withLevels(MODELS, "perch-small", [level("f16"), level("q8_0")], "q8_0");
    expect(withLevels(once, "perch-small", [level("f16"), level("q8_0")], "q8_0")).toBe(once);
    expect(withLevels(once, "perch-small", [level("x")], "x")).toBe(
      withLevels(MODELS, "perch-small", [level("x")], "x"),
    );
  });

  it("keep a level's own settings and the comments behind them", () => {
    const models = [
      "ladders:",
      "  - id: one # first",
      "    default: b",
      "    levels: # rungs",
      "      - id: a",
      "        threads: 3   # three of them",
      "        image:",
      "          kind: budget",
      "      - id: b",
      "        threads: 1",
      "# the end",
      "",
    ].join("\n");
    const changed = withLevels(models, "one", [level("a"), level("c")], "a");
    expect(changed).toContain(
      "        threads: 3   # three of them\n        image:\n          kind: budget\n",
    );
    expect(parse(changed).ladders[0].levels[1].threads).toBe(1);
    expect(changed.startsWith("ladders:\n  - id: one # first\n    default: a\n    levels:\n")).toBe(true);
    expect(changed.endsWith("        threads: 1\n# the end\n")).toBe(true);
  });

  it("are refused for a ladder that is not there", () => {
    expect(() => withLevels(MODELS, "gemma", [level("a")], "a")).toThrow("models.yaml has no ladder gemma");
  });
});

describe("a ladder made of an export", () => {
  let folder: string;
  const inside = (name: string) => join(folder, name);
  const options = (change: object = {}) => ({
    from: inside("export"),
    levels: ["f16", "q8_0", "q2_k"],
    standard: "q8_0",
    smallMmproj: "Q4_0",
    say: () => undefined,
    models: inside("models.yaml"),
    weights: inside("weights"),
    quantizer: inside("quantize"),
    ...change,
  });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "perch-test-"));
    for (const name of ["export", "weights"]) mkdirSync(inside(name));
    for (const name of ["small-F16", "mmproj-small-F16", "mmproj-small-Q8_0", "mmproj-small-Q4_0"])
      writeFileSync(inside(`export/${name}.gguf`), name);
    for (const name of ["small-Q8_0", "mmproj-small-Q8_0"])
      writeFileSync(inside(`weights/${name}.gguf`), "old");
    writeFileSync(inside("weights/another.gguf"), "kept");
    writeFileSync(inside("models.yaml"), MODELS);
    writeFileSync(inside("quantize"), '#!/bin/sh\nprintf "%s of %s" "$3" "$(cat "$1")" > "$2"\n');
    chmodSync(inside("quantize"), 0o755);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("has every text level quantized, pairs projectors, and removes what the ladder named before", async () => {
    await makeLadder(options());
    await makeLadder(options({ levels: ["q8_0", "q2_k"] }));
    expect(readFileSync(inside("weights/small-Q2_K.gguf"), "utf8")).toBe("Q2_K of small-F16");
    expect(readdirSync(inside("weights")).sort()).toEqual([
      "another.gguf",
      "mmproj-small-Q4_0.gguf",
      "mmproj-small-Q8_0.gguf",
      "small-Q2_K.gguf",
      "small-Q8_0.gguf",
    ]);
    const [ladder] = parse(readFileSync(inside("models.yaml"), "utf8")).ladders;
    expect(ladder.default).toBe("q8_0");
    expect(ladder.levels.map((each: { mmproj: { file: string } }) => each.mmproj.file)).toEqual([
      "mmproj-small-Q8_0.gguf",
      "mmproj-small-Q4_0.gguf",
    ]);
  });

  it("changes nothing where files are too large or missing", async () => {
    writeFileSync(inside("export/mmproj-small-Q8_0.gguf"), Buffer.alloc(12_000_001));
    await expect(makeLadder(options())).rejects.toThrow(
      /the two files of q8_0 have 12,000,.* 12,000,000 may/,
    );
    rmSync(inside("export/mmproj-small-Q8_0.gguf"));
    await expect(makeLadder(options())).rejects.toThrow(/there is no .*mmproj-small-Q8_0.gguf/);
    writeFileSync(inside("export/mmproj-small-Q8_0.gguf"), "");
    writeFileSync(inside("export/mmproj-small-F16.gguf"), Buffer.alloc(40_000_000));
    await expect(makeLadder(options())).rejects.toThrow(/all files together have 40,000,/);
    await expect(makeLadder(options({ standard: "q6_k" }))).rejects.toThrow(/q6_k is none of/);
    expect(readFileSync(inside("models.yaml"), "utf8")).toBe(MODELS);
    expect(readFileSync(inside("weights/small-Q8_0.gguf"), "utf8")).toBe("old");
  });

  it("says what llama-quantize said where it fails", async () => {
    writeFileSync(inside("quantize"), "#!/bin/sh\necho no such type >&2\nexit 1\n");
    await expect(makeLadder(options())).rejects.toThrow(/made no small-Q8_0.gguf:\nno such type/);
  });
});
