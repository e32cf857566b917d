import { loadConfig } from "../config/config.ts";
import { AnswerSchema } from "../contract/answer.ts";
import { chatRequest } from "../inference/prompt.ts";
import { answerFormat, answerRoom } from "../inference/response-format.ts";
import { readConfigFile } from "../kernel/config-file.ts";
import { printable } from "../terminal.ts";
import { parseAnswer } from "../watch/parse-answer.ts";
import { type FeedMedia, feedMedia } from "./feed-media.ts";
import { readMedia } from "./media-file.ts";
import { withModel } from "./model.ts";
import { UsageError } from "./usage.ts";

interface Options {
  readonly config: string;
  readonly question: string;
  /** Files, in the order in which they were taken. */
  readonly image?: readonly string[];
  readonly audio?: string;
  /** Feeds of the running service: what they show and hear now. */
  readonly feed?: readonly string[];
  readonly schema?: string;
}

/** Ms that the model may take to load and answer. */
const PATIENCE = 600_000;

/** `perch ask`: asks the model once, as a watch does, and prints the answer. Resolves to the exit code. */
export async function ask(options: Options): Promise<number> {
  const config = loadConfig(options.config, () => undefined);
  const schema =
    options.schema === undefined ? undefined : readConfigFile<AnswerSchema>(AnswerSchema, options.schema);
  const files = (options.image ?? []).map(readMedia);
  const file = options.audio === undefined ? [] : [readMedia(options.audio)];
  const interrupted = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => interrupted.abort());
  const signal = AbortSignal.any([AbortSignal.timeout(PATIENCE), interrupted.signal]);
  const seen = await Promise.all((options.feed ?? []).map((id) => feedMedia(config, id, signal)));
  const of = (kind: FeedMedia["kind"]) => seen.filter((one) => one.kind === kind).map(({ bytes }) => bytes);
  const [audio, ...more] = [...file, ...of("microphone")];
  if (more.length > 0) throw new UsageError("one sound is asked about at a time");
  const prompt = {
    question: options.question,
    ...(schema && { schema }),
    images: [...files, ...of("camera")],
    ...(audio && { audio }),
  };
  return withModel(config, signal, async (model) => {
    const { messages, temperature, max_tokens } = chatRequest(prompt, model.order);
    const response = await model.chat(
      {
        ...{ model: "perch", messages, temperature, max_tokens },
        ...(schema && { response_format: answerFormat(schema), max_tokens: answerRoom(schema) }),
      },
      signal,
    );
    const { choices } = (await response.json()) as { choices: [{ message: { content: string | null } }] };
    const text = choices[0].message.content ?? "";
    process.stdout.write(`${schema ? JSON.stringify(parseAnswer(text, schema)) : printable(text)}\n`);
    return 0;
  });
}
