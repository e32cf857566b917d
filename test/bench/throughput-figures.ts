import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CellCamera, encodeJpeg, lumaOf } from "../../device/simulator/camera/camera.ts";
import { Timeline } from "../../device/simulator/course/timeline.ts";
import { DEFAULT_SIZE } from "../../device/simulator/sim-source.ts";
import type { AnswerSchema } from "../../service/contract/answer.ts";
import { Config } from "../../service/contract/config.ts";
import { LUMA_HEIGHT, LUMA_WIDTH } from "../../service/contract/media.ts";
import { Inference } from "../../service/inference/inference.ts";
import type { LocalEngine } from "../../service/inference/local-engine.ts";
import { chatRequest } from "../../service/inference/prompt.ts";
import { systemClock } from "../../service/kernel/clock.ts";
import { readConfigFile } from "../../service/kernel/config-file.ts";
import { silentLogger } from "../../service/kernel/logger.ts";
import { Metrics } from "../../service/kernel/metrics.ts";
import { MainPath } from "../../service/main-path.ts";
import { engineOf } from "../../service/model/engines.ts";
import { Record as PerchRecord } from "../../service/record/record.ts";
import { TruthTally } from "../../service/report.ts";
import { configText } from "./configuration.ts";
import { type Figure, median } from "./figure.ts";

const CAMERAS = 16;
const PER_ROUND = 480;
const ROUNDS = 5;
const GOAL = 0.9;
const QUESTION = "Describe the image.";

interface Shot {
  readonly jpeg: Buffer;
  readonly luma: Uint8Array;
}

/**
 * Observations a second with the queue kept full, against a bare load generator on the same llama-server:
 * both send pictures of the same cell, none twice (the prompt cache would answer it), in turn.
 */
export async function throughputFigures(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), "perch-bench-main-"));
  const config = configuration(folder);
  const metrics = new Metrics();
  const shared = { clock: systemClock, logger: silentLogger, metrics };
  const record = new PerchRecord({ ...shared, folder, config: config.record });
  const engine = engineOf(config, shared);
  const inference = new Inference({ ...shared, engine, capacity: config.engine.queue, data: folder });
  const mainPath = new MainPath({
    ...shared,
    config,
    base: "perch/bench",
    inference,
    record,
    truthOf: () => undefined,
    interval: () => 0,
    hottest: () => ({ celsius: null, simulated: false }),
    tally: new TruthTally(),
    onStatus: () => undefined,
    onEvent: () => undefined,
  });
  const parts = [record, mainPath, engine, inference];
  const signal = new AbortController().signal;
  try {
    for (const part of parts) await part.start(signal);
    await engine.ready(signal);
    const rates = { perch: [] as number[], bare: [] as number[] };
    for (let round = 0; round < ROUNDS; round += 1) {
      rates.bare.push(await bareRate(engine, shots(2 * round)));
      rates.perch.push(await perchRate(mainPath, shots(2 * round + 1)));
    }
    const recorded = await metrics.total(metrics.observations);
    if (recorded !== ROUNDS * PER_ROUND)
      throw new Error(`only ${recorded} of ${ROUNDS * PER_ROUND} were recorded`);
    const share = median(rates.perch.map((rate, round) => rate / (rates.bare[round] ?? Number.NaN)));
    const tokens = await metrics.totalsBy(metrics.promptTokens, "cached");
    const all = Object.values(tokens).reduce((sum, value) => sum + value, 0);
    return [
      {
        name: "observations with a full queue",
        value: median(rates.perch),
        unit: "1/s",
        goal: null,
        ok: true,
      },
      {
        name: "bare load generator, same engine",
        value: median(rates.bare),
        unit: "1/s",
        goal: null,
        ok: true,
      },
      {
        name: "share of the bare rate",
        value: share,
        unit: "ratio, at least",
        goal: GOAL,
        ok: share >= GOAL,
      },
      {
        name: "prompt tokens from the prefix cache",
        value: (tokens.yes ?? 0) / all,
        unit: "share",
        goal: null,
        ok: true,
      },
    ];
  } finally {
    for (const part of parts.reverse()) await part.stop();
    await rm(folder, { recursive: true });
  }
}

function configuration(folder: string): Config {
  const ids = Array.from({ length: CAMERAS }, (_, index) => `camera-${index}`);
  return readConfigFile<Config>(
    Config,
    configText(folder, {
      node: "bench",
      data: folder,
      feeds: ids.map((id) => ({
        id,
        kind: "camera",
        source: "sim:cell",
        gate: { kind: "interval", interval: "0ms" },
      })),
      watches: ids.map((id) => ({
        id,
        question: QUESTION,
        feeds: [id],
        answer: ANSWER,
        rules: [{ id: "person", when: "person" }],
      })),
    }),
  );
}

const ANSWER: AnswerSchema = {
  person: { type: "boolean" },
  light: { type: "enum", values: ["off", "green", "amber", "red"] },
  display: { type: "integer", minimum: 0, maximum: 99 },
};

/** Pictures of one round; another number gives others. */
function shots(number: number): Shot[] {
  const camera = new CellCamera(new Timeline(number + 100), DEFAULT_SIZE);
  return Array.from({ length: PER_ROUND }, (_, index) => {
    const picture = camera.picture(index * 3000);
    return { jpeg: encodeJpeg(picture), luma: lumaOf(picture) };
  });
}

/** Keeps every camera with one question under way: when one is answered, the next frame comes. */
async function perchRate(mainPath: MainPath, pictures: readonly Shot[]): Promise<number> {
  const begun = performance.now();
  for (const [index, { jpeg, luma }] of pictures.entries()) {
    while (mainPath.underWay >= CAMERAS) await moment();
    mainPath.frame({
      feed: `camera-${index % CAMERAS}`,
      at: Date.now(),
      jpeg,
      luma: { width: LUMA_WIDTH, height: LUMA_HEIGHT, data: luma },
    });
  }
  while (mainPath.underWay > 0) await moment();
  return pictures.length / ((performance.now() - begun) / 1000);
}

/** Lets the path work; a busy wait would take a core from the engine. */
const moment = () => new Promise((resolve) => setTimeout(resolve, 1));

/** The same requests by as many senders as the engine has slots, with nothing done about the answers. */
async function bareRate(engine: LocalEngine, pictures: readonly Shot[]): Promise<number> {
  const { socketPath, apiKey } = whereabouts(engine.pid ?? 0);
  const bodies = pictures.map(({ jpeg }) =>
    JSON.stringify(chatRequest({ question: QUESTION, schema: ANSWER, images: [jpeg] }, engine.order)),
  );
  const begun = performance.now();
  const send = async () => {
    for (let body = bodies.pop(); body !== undefined; body = bodies.pop())
      await post(socketPath, apiKey, body);
  };
  // As many under way as with Perch's queue: the engine never waits for its next request.
  await Promise.all(Array.from({ length: engine.slots }, send));
  return pictures.length / ((performance.now() - begun) / 1000);
}

function post(socketPath: string, apiKey: string, body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", authorization: `Bearer ${apiKey}` };
    const sent = request(
      { socketPath, method: "POST", path: "/v1/chat/completions", headers },
      (response) => {
        response.resume();
        response.once("end", () =>
          response.statusCode === 200 ? resolve() : reject(new Error(`HTTP ${response.statusCode}`)),
        );
      },
    );
    sent.once("error", reject);
    sent.end(body);
  });
}

/** Where the engine's child listens and the key it wants, as the process itself was given them. */
function whereabouts(pid: number): { socketPath: string; apiKey: string } {
  const read = (file: string) => readFileSync(`/proc/${pid}/${file}`, "utf8").split("\0");
  const socketPath = read("cmdline").find((word) => word.endsWith(".sock"));
  const apiKey = read("environ")
    .find((line) => line.startsWith("LLAMA_API_KEY="))
    ?.slice("LLAMA_API_KEY=".length);
  if (socketPath === undefined || apiKey === undefined)
    throw new Error(`cannot see where process ${pid} listens`);
  return { socketPath, apiKey };
}
