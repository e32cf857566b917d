import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { AnswerSchema } from "../../service/contract/answer.ts";
import type { Engine } from "../../service/inference/engine.ts";
import { Inference } from "../../service/inference/inference.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { packageRoot } from "../../service/kernel/paths.ts";
import { alive, anySignal, EngineBench, eventually, shippedLevel } from "../support/engine-bench.ts";
import { KillingEngine } from "../support/engine-killing.ts";
import { picture, tone } from "../support/engine-media.ts";

const schema: AnswerSchema = {
  person: { type: "boolean" },
  display: { type: "integer", minimum: 0, maximum: 99 },
};

describe("when the engine dies under requests", () => {
  let bench: EngineBench;
  let inference: Inference;
  afterEach(async () => {
    await inference.stop();
    await bench.dispose();
  });

  async function begin(deaths: number): Promise<KillingEngine> {
    bench = new EngineBench();
    const local = bench.engine({ restarts: 50 });
    const engine = new KillingEngine(local, "KILLER", deaths);
    await engine.start(anySignal());
    await open(engine);
    return engine;
  }

  async function open(engine: Engine): Promise<void> {
    inference = new Inference({
      engine,
      capacity: 64,
      data: bench.data,
      clock: systemClock,
      logger: silentLogger,
      metrics: bench.metrics,
    });
    await inference.start();
  }

  const ask = (question: string, seed: number, wait = 60_000) =>
    inference.submit({
      prompt: { question, schema, images: [picture(seed)], audio: tone(440, 0.5) },
      lane: "watch",
      deadline: systemClock.monotonic() + wait,
    });

  it("asks them once more, also past their deadline, and answers", async () => {
    const engine = await begin(1);
    // Warm: the first waits for nothing.
    await ask("Describe the image.", 0);
    const answers = await Promise.all([ask("KILLER", 1, 90), ask("Describe the image.", 2, 90)]);
    expect(engine.together).toEqual([["KILLER", "Describe the image."]]);
    for (const { reply } of answers) expect(Object.keys(JSON.parse(reply.text))).toEqual(Object.keys(schema));
    expect(answers[0].stamp.model).toBe(shippedLevel().text.sha256.slice(0, 16));
    expect(await bench.metrics.total(bench.metrics.restarts)).toBe(1);
  });

  it("keeps what kills it twice, blames no neighbour, and goes on", async () => {
    const engine = await begin(2);
    const [killer, ...neighbours] = await Promise.allSettled([
      ask("KILLER", 1),
      ...[2, 3, 4, 5].map((seed) => ask("Describe the image.", seed)),
    ]);
    expect(neighbours.map(({ status }) => status)).toEqual(Array(4).fill("fulfilled"));
    expect(engine.together[1]).toEqual(["KILLER"]);
    expect(killer).toMatchObject({
      reason: { code: "ENGINE_POISON", message: expect.stringMatching(/twice.*kept in .*\/poison\//) },
    });
    const [kept] = readdirSync(join(bench.data, "poison"));
    const place = join(bench.data, "poison", kept ?? "");
    expect(JSON.parse(readFileSync(join(place, "prompt.json"), "utf8"))).toMatchObject({
      question: "KILLER",
      schema,
      images: ["image-1.jpg"],
      audio: "sound.wav",
      level: "q8_0",
    });
    expect(readFileSync(join(place, "image-1.jpg"))).toEqual(picture(1));
    expect(readFileSync(join(place, "sound.wav"))).toEqual(tone(440, 0.5));
    expect(readFileSync(join(place, "reason.txt"), "utf8")).toMatch(/Try 1: .*SIGKILL.*\nTry 2: .*SIGKILL/);
    expect(statSync(place).mode & 0o777).toBe(0o700);
  });

  it("replaces one that hangs under a request, and answers", async () => {
    bench = new EngineBench();
    const local = await bench.started({ timings: { request: 500 } });
    await open(local);
    await ask("Describe the image.", 0);
    const { pid } = local;
    process.kill(pid ?? 0, "SIGSTOP");
    const { reply } = await ask("Describe the image.", 1);
    expect(Object.keys(JSON.parse(reply.text))).toEqual(Object.keys(schema));
    expect(local.pid).not.toBe(pid);
  });

  it("lets requests wait for an engine that is not there, until their deadline", async () => {
    bench = new EngineBench();
    const local = await bench.started({ binary: join(bench.folder, "nothing") });
    await open(local);
    const begun = performance.now();
    await expect(ask("Describe the image.", 0, 300)).rejects.toMatchObject({ code: "DEADLINE_PASSED" });
    expect(performance.now() - begun).toBeGreaterThan(250);
  });

  it("answers what is under way at a stop, and cancels what waits", async () => {
    await begin(0);
    await ask("Describe the image.", 0);
    const asked = Array.from({ length: 6 }, (_, seed) => ask("Describe the image.", seed));
    const outcomes = Promise.allSettled(asked);
    await eventually(() => inference.health().detail?.underWay === 2, "two are under way");
    await inference.stop();
    const states = (await outcomes).map((outcome) =>
      outcome.status === "fulfilled" ? "answered" : outcome.reason.code,
    );
    expect(states.filter((state) => state === "answered")).toHaveLength(2);
    expect(states.filter((state) => state === "CANCELLED")).toHaveLength(4);
  });
});

describe("when the service is killed", () => {
  it("its engine dies with it, and the next one removes what it left", async () => {
    const holder = spawn(
      join(packageRoot, "node_modules/.bin/tsx"),
      [join(packageRoot, "test/support/engine-holder.ts")],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const { service, engine, folder } = await new Promise<{
      service: number;
      engine: number;
      folder: string;
    }>((resolve) => {
      holder.stdout.once("data", (line: Buffer) => resolve(JSON.parse(line.toString())));
    });
    expect(alive(engine)).toBe(true);
    const left = dirname(/[^\0]+\.sock/.exec(readFileSync(`/proc/${engine}/cmdline`, "utf8"))?.[0] ?? "");
    process.kill(service, "SIGKILL");
    await eventually(() => !alive(engine), "the engine is gone", 5_000);
    // Any engine that starts on this machine removes it, this one at the latest.
    const bench = new EngineBench();
    await bench.started();
    expect(existsSync(left)).toBe(false);
    await bench.dispose();
    rmSync(folder, { recursive: true });
  });
});
