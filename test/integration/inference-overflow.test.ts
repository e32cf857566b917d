import { afterEach, describe, expect, it } from "vitest";
import type { EngineStamp } from "../../service/inference/engine.ts";
import { Inference } from "../../service/inference/inference.ts";
import type { LocalEngine } from "../../service/inference/local-engine.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import { isPerchError } from "../../service/kernel/errors.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { EngineBench } from "../support/engine-bench.ts";
import { picture } from "../support/engine-media.ts";
import { RemoteBench } from "../support/remote-bench.ts";
import { until } from "../support/until.ts";

let here: EngineBench;
let elsewhere: RemoteBench;
let local: LocalEngine;
let inference: Inference;

/** The small model with one slot here, and one server with two elsewhere. */
async function begin(before?: Parameters<typeof RemoteBench.start>[1]): Promise<void> {
  here = new EngineBench();
  local = await here.started({ level: { slots: 1 } });
  elsewhere = await RemoteBench.start(["gpu"], { slots: 2, ...before });
  inference = new Inference({
    engine: local,
    overflow: elsewhere.engine,
    capacity: 64,
    data: here.data,
    clock: systemClock,
    logger: silentLogger,
    metrics: here.metrics,
  });
  await inference.start();
  // The first answer of each: now it is known that they are up.
  await until(async () => (await where()) === "here");
  await until(async () => new Set(await Promise.all([where(), where(), where()])).size === 2);
}
afterEach(async () => {
  await inference.stop();
  await elsewhere.dispose();
  await here.dispose();
});

const from = ({ server }: EngineStamp) => (server === undefined ? "here" : server);

/** Asks, and says where it was answered, or the code of the fault. */
function where(images: Buffer[] = []): Promise<string> {
  return inference
    .submit({
      prompt: { question: "Describe the image.", images, maxTokens: 40 },
      lane: "watch",
      deadline: systemClock.monotonic() + 30_000,
    })
    .then(
      ({ stamp }) => from(stamp),
      (error: unknown) => (isPerchError(error) ? `${error.code} ${error.message}` : String(error)),
    );
}

const counted = (answers: readonly string[]) => answers.toSorted().join(" ");

describe("servers elsewhere as overflow", () => {
  it("get what finds no slot here, and nothing else", async () => {
    await begin();
    const gpu = elsewhere.server("gpu");
    const before = gpu.asked.length;
    expect([await where(), await where(), await where()]).toEqual(["here", "here", "here"]);
    expect(gpu.asked).toHaveLength(before);
    gpu.conduct = "hold";
    process.kill(local.pid ?? 0, "SIGSTOP");
    const answers = [where(), where(), where(), where()];
    await until(() => gpu.underWay === 2);
    expect(inference.health().detail).toMatchObject({ underWay: 3, waiting: 1 });
    process.kill(local.pid ?? 0, "SIGCONT");
    expect(await answers[0]).toBe("here");
    gpu.release();
    expect(counted(await Promise.all(answers))).toMatch(/^gpu gpu here (here|gpu)$|^gpu gpu gpu here$/);
  });

  it("get all while the model here rests or is gone, and pace counts only what is done here", async () => {
    await begin();
    const meter = inference.workMeter();
    inference.setPace(0);
    meter();
    expect(counted(await Promise.all([where(), where(), where()]))).toBe("gpu gpu gpu");
    expect(meter()).toBe(0);
    inference.setPace(1);
    expect(await where()).toBe("here");
    expect(meter()).toBeGreaterThan(0);
    await local.stop();
    expect(counted(await Promise.all([where(), where(), where()]))).toBe("gpu gpu gpu");
  });

  it("never get what they cannot do: it waits for a slot here", async () => {
    await begin({ before: ([gpu]) => void gpu?.lacks.add("image") });
    const images = [picture()];
    expect(counted(await Promise.all([where(images), where(images), where(images)]))).toBe("here here here");
  });

  it("that all fail leave everything to the model here, and no request is lost", async () => {
    await begin();
    const gpu = elsewhere.server("gpu");
    gpu.conduct = "stall";
    const answers = Array.from({ length: 6 }, () => where());
    await until(() => gpu.underWay > 0);
    await gpu.close();
    expect(counted(await Promise.all(answers))).toBe("here here here here here here");
  });
});
