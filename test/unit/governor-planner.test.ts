import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GgufInsights, readGgufFileInfo } from "node-llama-cpp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LoadTaken } from "../../service/contract/decision.ts";
import type { Ladder, Level } from "../../service/contract/models.ts";
import type { Memory } from "../../service/contract/readings.ts";
import { bandwidthOf } from "../../service/governor/plan-bandwidth.ts";
import { cells } from "../../service/governor/plan-memory.ts";
import { shapeOf } from "../../service/governor/plan-shape.ts";
import { gpuOf, type PlanOptions, planLadder } from "../../service/governor/planner.ts";
import { engineShape } from "../../service/inference/engine-args.ts";
import { ModelStore } from "../../service/inference/model-store.ts";
import { readGgufFacts } from "../../service/kernel/gguf.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { packageRoot } from "../../service/kernel/paths.ts";
import { type HollowModel, writeHollowModel } from "../bench/hollow.ts";

const WEIGHTS = join(packageRoot, "device/simulator/model/weights");
const GB = 1e9;
const MB = 1e6;

const pool = (id: string, total: number, free = total): Memory => ({ id, total, free, own: 0 });
const NANO = { memories: [pool("ram", 7.99 * GB, 6 * GB)], shared: true };
const AGX = { memories: [pool("ram", 64 * GB, 58 * GB)], shared: true };
const LAPTOP = {
  memories: [pool("ram", 32 * GB, 27 * GB), pool("nvidia0", 8.59 * GB, 8.2 * GB)],
  shared: false,
};
const CONTAINER = { memories: [pool("ram", 4 * GB, 3.5 * GB)], shared: false };

let folder: string;
let hollow: HollowModel;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "perch-plan-"));
  hollow = await writeHollowModel(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

const shipped = new ModelStore({
  models: join(packageRoot, "config/models.yaml"),
  data: tmpdir(),
  logger: silentLogger,
});
const small = shipped.ladder("perch-small");

/** A level of Gemma 4 12B's real shape. */
const large = (changes: Partial<Level> = {}, quantization: "q4_0" | "q8_0" = "q4_0"): Level => ({
  id: "large",
  text: { ...hollow[quantization], sha256: "a".repeat(64) },
  mmproj: { ...hollow.mmproj, sha256: "b".repeat(64) },
  image: { kind: "budget", tokens: 280 },
  context: 4096,
  slots: 1,
  threads: 0,
  gpuLayers: -1,
  kv: "f16",
  ...changes,
});
const ladderOf = (...levels: Level[]): Ladder => ({
  id: "large",
  title: "",
  folder: ".",
  order: "media-first",
  levels,
});

function planned(
  levels: Level[],
  box: { memories: Memory[]; shared: boolean },
  more: Partial<PlanOptions> = {},
) {
  return planLadder({
    ladder: ladderOf(...levels),
    folder,
    memories: box.memories,
    gpu: gpuOf(box.memories, box.shared),
    reserve: 512 * MB,
    engine: engineShape,
    room: "now",
    ...more,
  });
}

const total = ({ needs }: { needs: readonly { bytes: number }[] }) =>
  needs.reduce((sum, { bytes }) => sum + bytes, 0);

describe("a file's header", () => {
  it("says the same as node-llama-cpp's reader", async () => {
    const path = join(WEIGHTS, "small-Q8_0.gguf");
    const facts = await readGgufFacts(path);
    const info = await readGgufFileInfo(path, { logWarnings: false });
    expect(facts.tensors.map(({ name }) => name).sort()).toEqual(
      (info.fullTensorInfo ?? []).map(({ name }) => name).sort(),
    );
    expect(facts.vocabulary).toBe(info.metadata.tokenizer.ggml.tokens.length);
    expect(facts.values.get("gemma4.block_count")).toBe(info.architectureMetadata.block_count);
    expect(facts.values.get("gemma4.attention.head_count_kv")).toEqual(
      info.architectureMetadata.attention?.head_count_kv,
    );
  });

  it("gives the weights and the cache that node-llama-cpp estimates", async () => {
    const path = join(folder, hollow.q4_0.file);
    const shape = shapeOf(await readGgufFacts(path));
    const insights = await GgufInsights.from(await readGgufFileInfo(path, { logWarnings: false }));
    const weights = shape.layers.reduce((sum, { bytes }) => sum + bytes, shape.embedding + shape.rest);
    expect(weights / insights.modelSize).toBeCloseTo(1, 4);
    // Of a whole estimate the cache is what grows with the context.
    const estimate = (contextSize: number) =>
      insights.estimateContextResourceRequirements({
        contextSize,
        modelGpuLayers: 0,
        batchSize: 512,
        sequences: 1,
        flashAttention: true,
        swaFullCache: true,
        includeGraphOverhead: false,
      }).cpuRam;
    const cache = shape.layers.reduce((sum, layer) => sum + layer.cache, 0) * 2;
    const grown = cells({ context: 8192, slots: 1 }) - cells({ context: 4096, slots: 1 });
    expect(estimate(8192) - estimate(4096)).toBeCloseTo(cache * grown, -6);
  });
});

describe("a plan", () => {
  it("puts all of the small ladder into any box, worst rung cheapest", async () => {
    for (const box of [NANO, AGX, LAPTOP, CONTAINER]) {
      const rungs = await planLadder({
        ladder: small,
        folder: WEIGHTS,
        memories: box.memories,
        gpu: gpuOf(box.memories, box.shared),
        reserve: 512 * MB,
        engine: engineShape,
      });
      expect(rungs.map(({ fits, reason }) => [fits, reason])).toEqual(small.levels.map(() => [true, null]));
      expect(rungs.map(({ rank }) => rank)).toEqual([0, 1, 2, 3, 4, 5]);
      expect(rungs[0]).toMatchObject({ speed: 1, energy: 1, source: "file" });
      expect(total(rungs[5] ?? { needs: [] })).toBeLessThan(total(rungs[0] ?? { needs: [] }));
    }
  });

  it("says of Gemma 4 12B what each box can do with it", async () => {
    const levels = [large({ id: "q8" }, "q8_0"), large({ id: "q4" })];
    const onAgx = await planned(levels, AGX);
    expect(onAgx.map(({ fits }) => fits)).toEqual([true, true]);
    expect(onAgx[0]?.needs.map(({ memory }) => memory)).toEqual(["ram"]);
    const onNano = await planned(levels, NANO);
    expect(onNano.map(({ fits }) => fits)).toEqual([false, false]);
    expect(onNano[1]?.reason).toMatch(
      /^it needs \d+\.\d GB of ram, and there are 6\.0 GB, of which 512\.0 MB stay/,
    );
    const inContainer = await planned(levels, CONTAINER);
    expect(inContainer.every(({ gpuLayers }) => gpuLayers === 0)).toBe(true);
    expect(inContainer[1]?.reason).toMatch(/of ram, and there are 3\.5 GB/);
  });

  it("says how many layers a GPU that is too small could have, and that so many fit", async () => {
    const [all] = await planned([large()], LAPTOP);
    expect(all?.fits).toBe(false);
    const layers = Number(/(\d+) of its 49 layers would fit/.exec(all?.reason ?? "")?.[1]);
    expect(layers).toBeGreaterThan(10);
    const [some, more] = await planned(
      [large({ gpuLayers: layers }), large({ gpuLayers: layers + 1 })],
      LAPTOP,
    );
    expect(some).toMatchObject({ fits: true, gpuLayers: layers });
    expect(more?.fits).toBe(false);
    expect(some?.needs.map(({ memory }) => memory)).toEqual(["ram", "nvidia0"]);
  });

  it("shares layers out among GPUs by what they have free", async () => {
    const box = {
      memories: [pool("ram", 64 * GB), pool("nvidia0", 24 * GB), pool("nvidia1", 12 * GB)],
      shared: false,
    };
    const [rung] = await planned([large()], box);
    const on = (id: string) => rung?.needs.find(({ memory }) => memory === id)?.bytes ?? 0;
    expect(rung?.fits).toBe(true);
    expect(on("nvidia0")).toBeGreaterThan(on("nvidia1"));
    expect(on("nvidia1")).toBeGreaterThan(2 * GB);
  });

  it("needs more with context, slots and wider cache, of every part what it should", async () => {
    const one = async (changes: Partial<Level>) => (await planned([large(changes)], AGX))[0];
    let before = 0;
    for (const context of [2048, 4096, 8192, 16_384, 32_768])
      for (const slots of [1, 2, 4]) {
        const rung = await one({ context, slots });
        if (slots === 1) expect(total(rung ?? { needs: [] })).toBeGreaterThan(before);
        if (slots === 1) before = total(rung ?? { needs: [] });
        // 40 sliding layers of 8 heads of 256 and 8 full ones of one of 512, keys and values, 2 bytes each.
        expect(rung?.parts.kv).toBe(context * slots * (40 * 8 * 256 + 8 * 512) * 2 * 2);
      }
    const [wide, narrow] = [await one({ kv: "f16" }), await one({ kv: "q8_0" })];
    expect((narrow?.parts.kv ?? 0) / (wide?.parts.kv ?? 1)).toBeCloseTo(17 / 32, 6);
    const [budget, larger] = [await one({}), await one({ image: { kind: "budget", tokens: 1120 } })];
    expect(larger?.parts.compute).toBeGreaterThan(budget?.parts.compute ?? 0);
  });

  it("adds up: what is needed of all memories is the sum of the parts", async () => {
    for (const box of [NANO, AGX, LAPTOP, CONTAINER])
      for (const rung of await planned([large(), large({ gpuLayers: 20, slots: 3 }, "q8_0")], box)) {
        const sum = Object.values(rung.parts).reduce((all, bytes) => all + bytes, 0);
        expect(Math.abs(sum - total(rung))).toBeLessThan(100);
      }
  });

  it("counts what is free now, or all that the box ever has", async () => {
    const box = { memories: [pool("ram", 16 * GB, 2 * GB)], shared: false };
    const [now] = await planned([large()], box);
    const [ever] = await planned([large()], box, { room: "ever" });
    expect([now?.fits, ever?.fits]).toEqual([false, true]);
    const held = { memories: [{ ...pool("ram", 16 * GB, 2 * GB), own: 10 * GB }], shared: false };
    expect((await planned([large()], held))[0]?.fits).toBe(true);
  });
});

describe("files that are not as they should be", () => {
  it("put their rung out with the reason, and leave the others", async () => {
    const short = join(folder, "short.gguf");
    await copyFile(join(WEIGHTS, "small-Q8_0.gguf"), short);
    truncateSync(short, 3_000_000);
    writeFileSync(join(folder, "words.gguf"), "no model");
    const named = (id: string, file: string, bytes: number) =>
      large({ id, text: { file, bytes, sha256: "c".repeat(64) } });
    const rungs = await planned(
      [
        named("missing", "gemma-4-12b-it-qat-q4_0.gguf", 6_975_879_296),
        named("copied", "short.gguf", 4_466_848),
        named("cut", "short.gguf", 3_000_000),
        named("words", "words.gguf", 8),
        large({ id: "right" }),
        named("tiny", "tiny.gguf", 1),
      ],
      AGX,
      { bandwidth: 50 * GB },
    );
    expect(rungs.map(({ fits }) => fits)).toEqual([false, false, false, false, true, false]);
    expect(rungs[0]?.reason).toMatch(/^there is no file .*gemma-4-12b-it-qat-q4_0\.gguf$/);
    expect(rungs[1]?.reason).toMatch(/has 3000000 bytes, not 4466848: it was cut off/);
    expect(rungs[2]?.reason).toMatch(/its tensors reach to byte \d+ or beyond, but it ends at 3000000/);
    expect(rungs[3]?.reason).toMatch(/does not begin with GGUF/);
    // The one that is missing is the same model: its size alone says nearly as much.
    expect(rungs[0]).toMatchObject({ source: "size", room: true });
    expect(total(rungs[0] ?? { needs: [] }) / total(rungs[4] ?? { needs: [] })).toBeCloseTo(1, 1);
    for (const { speed, energy, tokensPerSecond } of rungs) {
      expect(tokensPerSecond.estimated).toBeLessThan(1e12);
      expect(Number.isFinite(speed) && speed > 0).toBe(true);
      expect(Number.isFinite(energy) && energy > 0).toBe(true);
    }
  });

  it("say of a projector what is wrong with it", async () => {
    const level = large({ mmproj: { file: "nowhere.gguf", bytes: 5, sha256: "d".repeat(64) } });
    expect((await planned([level], AGX))[0]?.reason).toMatch(/there is no file .*nowhere\.gguf/);
  });
});

describe("what was measured", () => {
  const load = (changes: Partial<LoadTaken> = {}): LoadTaken => ({
    ladder: "large",
    level: "large",
    model: "a".repeat(64),
    context: 4096,
    slots: 1,
    kv: "f16",
    gpuLayers: -1,
    needs: [{ memory: "ram", bytes: 12 * GB }],
    ms: 1,
    at: 1,
    ...changes,
  });

  it("counts for the same level, the newest, and by its ratio for others of the model", async () => {
    const [before] = await planned([large({ context: 8192 })], AGX);
    const needs = [{ memory: "ram", bytes: 11 * GB }];
    const taken = [load(), load({ needs, at: 2 }), load({ model: "e".repeat(64), at: 3 })];
    const [same, other] = await planned([large(), large({ id: "other", context: 8192 })], AGX, { taken });
    expect(same).toMatchObject({ source: "measured", needs });
    expect(other?.source).toBe("file");
    const ratio = total(other ?? { needs: [] }) / total(before ?? { needs: [] });
    expect(ratio).toBeCloseTo((11 * GB) / (same?.estimated[0]?.bytes ?? 1), 5);
  });

  it("does not count where nothing was seen of a pool", async () => {
    const taken = [load({ needs: [{ memory: "ram", bytes: 1.3 * GB }] })];
    const box = { ...LAPTOP, memories: [pool("ram", 32 * GB), pool("nvidia0", 16 * GB)] };
    const [rung] = await planned([large()], box, { taken });
    const on = (list: readonly { memory: string; bytes: number }[] = []) =>
      list.find(({ memory }) => memory === "nvidia0")?.bytes;
    expect(on(rung?.needs)).toBe(on(rung?.estimated));
  });

  it("is not believed beyond reason", async () => {
    const taken = [load({ needs: [{ memory: "ram", bytes: 60 * GB }] })];
    const [before] = await planned([large({ context: 8192 })], AGX);
    const [rung] = await planned([large({ id: "other", context: 8192 })], AGX, { taken });
    expect(total(rung ?? { needs: [] }) / total(before ?? { needs: [] })).toBeCloseTo(1.5, 5);
  });

  it("gives tokens a second, and those of levels that never ran", async () => {
    const levels = [large({ id: "q8" }, "q8_0"), large({ id: "q4" })];
    const unknown = await planned(levels, AGX);
    expect(unknown.map(({ tokensPerSecond }) => tokensPerSecond.estimated)).toEqual([null, null]);
    const [q8, q4] = await planned(levels, AGX, { measured: [{ level: "q4", tokensPerSecond: 10 }] });
    expect(q4?.tokensPerSecond.measured).toBe(10);
    expect(q8?.tokensPerSecond.estimated).toBeGreaterThan(5);
    expect(q8?.tokensPerSecond.estimated).toBeLessThan(6.5);
    const [known] = await planned(levels, AGX, { bandwidth: 204.8 * GB });
    expect(known?.tokensPerSecond.estimated).toBeCloseTo((0.75 * 204.8) / 12.42, 1);
    expect([bandwidthOf(["NVIDIA GeForce RTX 4090"]), bandwidthOf(["?"]), bandwidthOf([])]).toEqual([
      1008e9,
      null,
      null,
    ]);
  });
});

describe("speed and energy", () => {
  it("are better with fewer weights and smaller pictures, by what is left of an answer", async () => {
    const [best, thrifty, thriftiest] = await planned(
      [
        large({ id: "q8" }, "q8_0"),
        large({ id: "q4" }),
        large({ id: "q4-70", image: { kind: "budget", tokens: 70 } }),
      ],
      AGX,
    );
    expect(best).toMatchObject({ speed: 1, energy: 1 });
    expect(thrifty?.energy).toBeLessThan(0.95);
    expect(thriftiest?.energy).toBeLessThan(thrifty?.energy ?? 0);
    expect(thriftiest?.energy).toBeGreaterThan(0.2);
    expect((thrifty?.speed ?? 0) * (thrifty?.energy ?? 0)).toBeCloseTo(1, 6);
  });
});
