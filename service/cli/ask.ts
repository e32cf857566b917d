import { readFileSync } from "node:fs";
import { loadConfig } from "../config.ts";
import { AnswerSchema } from "../contract/answer.ts";
import { prepareAudio, prepareImage } from "../inference/media-check.ts";
import { systemClock } from "../kernel/clock.ts";
import { readConfigFile } from "../kernel/config-file.ts";
import { messageOf } from "../kernel/errors.ts";
import { createLogger } from "../kernel/logger.ts";
import { Metrics } from "../kernel/metrics.ts";
import { answeringEngine } from "../remote.ts";
import { parseAnswer } from "../watch/parse-answer.ts";
import { UsageError } from "./usage.ts";

interface Options {
  readonly config: string;
  readonly question: string;
  /** Files, in the order in which they were taken. */
  readonly image?: readonly string[];
  readonly audio?: string;
  readonly schema?: string;
}

/** Ms that the model may take to load and answer. */
const PATIENCE = 600_000;

/** `perch ask`: starts an engine of its own, or uses the servers elsewhere that answer instead, asks once, prints the answer. Resolves to the exit code. */
export async function ask(options: Options): Promise<number> {
  const config = loadConfig(options.config);
  const schema =
    options.schema === undefined ? undefined : readConfigFile<AnswerSchema>(AnswerSchema, options.schema);
  const logger = createLogger("warn");
  const engine = answeringEngine(config, { clock: systemClock, logger, metrics: new Metrics() });
  const images: Buffer[] = [];
  for (const file of options.image ?? []) images.push(await prepareImage(readMedia(file), engine.image));
  const audio = options.audio === undefined ? undefined : await prepareAudio(readMedia(options.audio));
  const interrupted = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => interrupted.abort());
  const signal = AbortSignal.any([AbortSignal.timeout(PATIENCE), interrupted.signal]);
  try {
    await engine.start(signal);
    // A model that cannot load is no matter of waiting for somebody at a terminal.
    const { state, reason } = engine.health();
    if (state === "degraded" && reason !== undefined) throw new UsageError(reason);
    await engine.ready(signal);
    const { text } = await engine.ask(
      {
        question: options.question,
        ...(schema && { schema }),
        images,
        ...(audio && { audio }),
      },
      signal,
    );
    process.stdout.write(`${schema ? JSON.stringify(parseAnswer(text, schema)) : text}\n`);
    return 0;
  } finally {
    await engine.stop();
  }
}

function readMedia(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${messageOf(error)}`);
  }
}
