import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ModelFile } from "../../service/contract/models.ts";
import { engineArguments, engineShape, imageTokens } from "../../service/inference/engine-args.ts";
import { ModelStore } from "../../service/inference/model-store.ts";
import { ConfigError } from "../../service/kernel/config-file.ts";
import { readGgufFacts } from "../../service/kernel/gguf.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { packageRoot } from "../../service/kernel/paths.ts";
import { SQUARE_AND_WIDE } from "../support/image-shapes.ts";
import { modelsYaml } from "../support/models-yaml.ts";

const WEIGHTS = join(packageRoot, "device/simulator/model/weights");
const SHIPPED = join(packageRoot, "config/models.yaml");
let folder: string;
const data = () => join(folder, "data");
const store = (models = SHIPPED) => new ModelStore({ models, data: data(), logger: silentLogger });
const text = (): ModelFile => store().level(store().ladder("perch-small")).text;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "perch-test-"));
  mkdirSync(data());
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("the model store", () => {
  it("finds ladders, levels and folders, and says what there is where one is missing", () => {
    const ladder = store().ladder("perch-small");
    expect(store().folder(ladder)).toBe(WEIGHTS);
    expect(store().folder(store().ladder("gemma-4-12b"))).toBe(join(data(), "models"));
    expect(store().level(ladder, "q8_0").id).toBe("q8_0");
    expect(() => store().ladder("gemma")).toThrow(
      /has no ladder "gemma"; there are: perch-small, gemma-4-12b/,
    );
    expect(() => store().level(ladder, "q2")).toThrow(
      /ladder perch-small has no level "q2"; there are: f16, q8_0, q6_k, q4_k_m, q3_k_m, q2_k/,
    );
  });

  it("takes the ladder's default level where none is named, and the first where it has no default", () => {
    const models = join(folder, "models.yaml");
    const ladder = store().ladder("perch-small");
    const level = store().level(ladder);
    const two = [
      { ...level, id: "best" },
      { ...level, id: "usual" },
    ];
    writeFileSync(models, modelsYaml({ ...ladder, default: "usual", levels: two }));
    expect(store(models).level(store(models).ladder("perch-small")).id).toBe("usual");
    const { default: _, ...without } = ladder;
    writeFileSync(models, modelsYaml({ ...without, levels: two }));
    expect(store(models).level(store(models).ladder("perch-small")).id).toBe("best");
    writeFileSync(models, modelsYaml({ ...ladder, default: "none", levels: two }));
    expect(() => store(models)).toThrow(/ladders\[0\].default.*is no level of this ladder/);
  });

  it("refuses a models.yaml with all its errors, each with its line", () => {
    const models = join(folder, "models.yaml");
    const ladder = store().ladder("perch-small");
    writeFileSync(models, modelsYaml(ladder, ladder));
    expect(() => store(models)).toThrow(ConfigError);
    expect(() => store(models)).toThrow(/ladders\[1\].id: is there twice/);
    writeFileSync(
      models,
      "ladders: [{ levels: [{ image: { kind: grid, grids: [5x5, 7by4, 5x0, 5x65] } }] }]",
    );
    expect(() => store(models)).toThrow(
      /models.yaml:1: ladders\[0\].levels\[0\].image.grids\[1\] = "7by4": must be columns and rows like "5x5"/,
    );
    expect(() => store(models)).toThrow(/grids\[2\] = "5x0"(.|\n)*grids\[3\] = "5x65"/);
    writeFileSync(models, "ladders:\n  - id: x\n    order: sideways\n");
    expect(() => store(models)).toThrow(
      /models.yaml:3: ladders\[0\].order = "sideways": must be one of question-first, media-first/,
    );
  });

  it("verifies a file once, and again when it changes", async () => {
    const path = join(folder, text().file);
    copyFileSync(join(WEIGHTS, text().file), path);
    const one = store();
    expect(await one.verifyFile(text(), folder, "text")).toBe(path);
    const remembered = readFileSync(join(data(), "verified-models.json"), "utf8");
    expect(JSON.parse(remembered)[path]).toContain(text().sha256);
    expect(await store().verifyFile(text(), folder, "text")).toBe(path);
    // The same bytes at another time are checked, and right; other bytes are not.
    utimesSync(path, 1, 1);
    expect(await store().verifyFile(text(), folder, "text")).toBe(path);
    const bytes = readFileSync(path);
    bytes[3_000_000] = (bytes[3_000_000] ?? 0) ^ 255;
    writeFileSync(path, bytes);
    await expect(one.verifyFile(text(), folder, "text")).rejects.toMatchObject({ code: "MODEL_CORRUPT" });
  });

  it("does not trust what it remembers of one role in the other", async () => {
    await store().verifyFile(text(), WEIGHTS, "text");
    await expect(store().verifyFile(text(), WEIGHTS, "mmproj")).rejects.toThrow(
      /is a text model and stands in models.yaml as mmproj/,
    );
  });

  it("says where to get what is missing, also with a damaged memory", async () => {
    writeFileSync(join(data(), "verified-models.json"), "{ not JSON");
    const { text: large } = store().level(store().ladder("gemma-4-12b"));
    await expect(store().verifyFile(large, join(data(), "models"), "text")).rejects.toMatchObject({
      code: "MODEL_MISSING",
      message: expect.stringMatching(
        /there is no model file .*q4_0.gguf \(6975879296 bytes\); download https:\/\/.* and copy it to .*models\//,
      ),
    });
    await store().verifyFile(text(), WEIGHTS, "text");
  });

  it("gives up a check when it is told to", async () => {
    await expect(store().verifyFile(text(), WEIGHTS, "text", AbortSignal.abort())).rejects.toMatchObject({
      code: "CANCELLED",
    });
  });
});

describe("a GGUF header", () => {
  it("says what the file is and what each tensor takes", async () => {
    const { values, vocabulary, tensors } = await readGgufFacts(join(WEIGHTS, text().file));
    expect(values.get("general.architecture")).toBe("gemma4");
    expect(vocabulary).toBe(1024);
    expect(tensors).toHaveLength(72);
    const bytes = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
    expect(bytes).toBeLessThan(text().bytes);
    expect(bytes).toBeGreaterThan(0.9 * text().bytes);
    const projector = await readGgufFacts(join(WEIGHTS, "mmproj-small-Q8_0.gguf"));
    expect(projector.values.get("general.architecture")).toBe("clip");
  });

  it("whose tensors reach beyond the file is an error", async () => {
    const path = join(folder, "cut.gguf");
    copyFileSync(join(WEIGHTS, text().file), path);
    truncateSync(path, 1_000_000);
    await expect(readGgufFacts(path)).rejects.toThrow(
      /its tensors reach to byte \d+ or beyond, but it ends at 1000000/,
    );
  });

  it.each([0, 3, 20, 1000, 5000])("that ends after %i bytes is an error, not a crash", async (bytes) => {
    const path = join(folder, "cut.gguf");
    copyFileSync(join(WEIGHTS, text().file), path);
    truncateSync(path, bytes);
    await expect(readGgufFacts(path)).rejects.toThrow(/it ends within its header/);
  });

  it("with noise in it is an error, not a crash or a flood of memory", async () => {
    const path = join(folder, "noise.gguf");
    const bytes = readFileSync(join(WEIGHTS, text().file)).subarray(0, 20_000);
    for (let seed = 1; seed < 60; seed += 1) {
      const copy = Buffer.from(bytes);
      for (let hit = 0; hit < 8; hit += 1)
        copy[8 + ((seed * 7919 + hit * 104_729) % 19_000)] = (seed * 31 + hit) % 256;
      writeFileSync(path, copy);
      const outcome = await readGgufFacts(path).then(
        () => "read",
        (error: unknown) => error,
      );
      if (outcome !== "read") expect(outcome).toBeInstanceOf(Error);
    }
    writeFileSync(path, "not a model at all");
    await expect(readGgufFacts(path)).rejects.toThrow(/does not begin with GGUF/);
  });
});

describe("the engine's arguments", () => {
  const large = shipped().level(shipped().ladder("gemma-4-12b"));
  const paths = { text: "t.gguf", mmproj: "m.gguf", socket: "/run/e.sock" };
  const value = (args: string[], name: string) => args[args.indexOf(name) + 1];

  it("hold a whole image in the physical batch, and the context of every slot", () => {
    const level = { ...large, image: { kind: "budget", tokens: 1120 } as const };
    const args = engineArguments(level, "question-first", paths);
    expect(imageTokens(level)).toEqual({ least: 70, most: 1120 });
    expect(Number(value(args, "--ubatch-size"))).toBeGreaterThanOrEqual(1120);
    expect(Number(value(args, "--batch-size"))).toBeGreaterThanOrEqual(1120);
    expect(value(args, "--ctx-size")).toBe(String(large.context * large.slots));
    expect(value(args, "--gpu-layers")).toBe("all");
    expect(Number(value(args, "--cache-ram"))).toBeGreaterThan(256);
    expect(value(args, "--load-mode")).toBe("none");
    expect(engineShape(level, "question-first").batch).toBe(Number(value(args, "--ubatch-size")));
    expect(engineShape(level, "media-first").promptCache).toBe(0);
  });

  it("let a picture of any of the level's grids be as it is", () => {
    const args = engineArguments({ ...large, image: SQUARE_AND_WIDE }, "media-first", paths);
    expect([value(args, "--image-min-tokens"), value(args, "--image-max-tokens")]).toEqual(["25", "28"]);
  });

  it("pin the grids that a model was trained on, and keep no prompts that never come again", () => {
    const small = shipped().level(shipped().ladder("perch-small"));
    const args = engineArguments(small, "media-first", paths);
    expect([value(args, "--image-min-tokens"), value(args, "--image-max-tokens")]).toEqual(["25", "28"]);
    expect(value(args, "--cache-ram")).toBe("0");
  });
});

function shipped(): ModelStore {
  return new ModelStore({ models: SHIPPED, data: tmpdir(), logger: silentLogger });
}
