import type { Readable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Lane } from "../../contract/config-watches.ts";
import { TranscriptionBody, UPLOAD } from "../../contract/openai-transcription.ts";
import { bare } from "../../inference/chat-answer.ts";
import { ClipCutter, type SoundClip } from "../../inference/clip-cutter.ts";
import type { EngineStamp, Sink } from "../../inference/engine.ts";
import { wavOf } from "../../inference/media-check.ts";
import { soundOf } from "../../inference/sound-file.ts";
import type { Clock } from "../../kernel/clock.ts";
import { isPerchError } from "../../kernel/errors.ts";
import { bodyReader, type Refused } from "./body.ts";
import { OpenAiFault, wrong } from "./fault.ts";
import type { Gateway, Terms } from "./gateway.ts";
import { piecesOf } from "./pieces.ts";
import type { Spool } from "./spool.ts";
import { clean } from "./text.ts";
import { StreamedTranscript, type TranscriptReply, WholeTranscript } from "./transcript-reply.ts";

/** Tokens that a clip's answer may take: 15 s of the fastest speech have a third of it. */
const MOST_TOKENS = 512;
/** Ms before a full queue is tried again. */
const BREATH = 500;

const REFUSED: Refused = {
  include: { when: (value) => !Array.isArray(value) || value.length > 0, why: "probabilities are not given" },
};
const transcriptionBody = bodyReader<TranscriptionBody>(TranscriptionBody, {
  refused: REFUSED,
  normal: (body) => body,
});

interface Options {
  readonly gateway: Gateway;
  readonly spool: Spool;
  readonly clock: Clock;
}

/** POST /v1/audio/transcriptions: sound of any length up to two hours, heard clip by clip, each in its turn. */
export class Transcription {
  constructor(private readonly options: Options) {}

  /** Throws OpenAiFault or PerchError while nothing was answered. */
  async answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { gateway, spool } = this.options;
    const upload = await spool.receive(request, request.body as Readable);
    try {
      const body = bodyOf(upload.fields);
      const terms = gateway.terms(body.model, request, reply);
      const out = body.stream
        ? new StreamedTranscript(reply, () => terms.gone.abort())
        : new WholeTranscript(reply, body);
      const heard = await this.hear(upload.path, body, terms, out).catch((error: unknown) =>
        gateway.faultOf(error),
      );
      // Whoever has the answer may count on the file being gone.
      await upload.dispose();
      if (typeof heard === "number") out.end(heard);
      else out.fail(heard);
      return reply;
    } finally {
      await upload.dispose();
    }
  }

  /** Resolves to the seconds of all that was heard. */
  private async hear(
    path: string,
    body: TranscriptionBody,
    terms: Terms,
    out: TranscriptReply,
  ): Promise<number> {
    const question = questionOf(body);
    const cutter = new ClipCutter();
    let { lane } = terms;
    const one = async (clip: SoundClip) => {
      const answer = new ClipAnswer((stamp, queued) => out.begin(stamp, queued));
      await this.ask(requestOf(clip, question, body), answer, { ...terms, lane });
      lane = laneAfter(lane);
      const text = answer.words;
      if (text !== "") await out.segment({ from: clip.from, to: clip.to, text });
    };
    for await (const piece of soundOf(path, { longest: UPLOAD.seconds, signal: terms.gone.signal }))
      for (const clip of cutter.push(piece)) await one(clip);
    for (const clip of cutter.end()) await one(clip);
    return cutter.seconds;
  }

  /** A queue that is full for a moment does not undo what was heard so far. */
  private async ask(body: string, sink: Sink, terms: Terms): Promise<void> {
    const { gateway, clock } = this.options;
    const deadline = clock.monotonic() + terms.patience;
    for (;;) {
      try {
        await gateway.ask({ path: "/v1/chat/completions", body, sink }, terms, deadline);
        return;
      } catch (error) {
        if (!isPerchError(error, "QUEUE_FULL") || clock.monotonic() + BREATH > deadline) throw error;
        await wait(BREATH);
      }
    }
  }
}

/**
 * The lane of all clips but the first. Nobody waits before a kiosk for two hours of sound: that would have a turn
 * before every alarm and every other visitor, hundreds of times.
 */
const laneAfter = (lane: Lane): Lane => (lane === "kiosk" ? "api" : lane);

/** A form's fields are texts, and lists have the same name with brackets several times. */
function bodyOf(fields: readonly (readonly [string, string])[]): TranscriptionBody {
  const body: Record<string, unknown> = {};
  for (const [name, value] of fields) {
    const list = /^(.*)\[\d*\]$/.exec(name)?.[1];
    if (list !== undefined) {
      const before = body[list];
      body[list] = [...(Array.isArray(before) ? before : []), value];
    } else if (value !== "") body[name] = fieldValue(name, value);
  }
  const read = transcriptionBody(body);
  if (read.stream && !["json", "text"].includes(read.response_format ?? "json"))
    throw wrong("response_format", "a stream is of json or text: the others come whole");
  return read;
}

function fieldValue(name: string, value: string): unknown {
  if (name === "stream" && (value === "true" || value === "false")) return value === "true";
  if (name === "temperature" && Number.isFinite(Number(value))) return Number(value);
  return value;
}

/** Gemma's own words for it, but for the form of the answer: nothing else can come with the words. */
function questionOf({ language, prompt }: TranscriptionBody): string {
  const name = language === undefined ? undefined : languageName(language);
  const which = name === undefined ? "in its original language" : `in ${name} into ${name} text`;
  const hint = prompt === undefined ? "" : ` These words and spellings may occur: ${clean(prompt)}`;
  return `Transcribe the following speech segment ${which}. Write down what is said, as JSON {"words": ...}, with no newlines; where nothing is said, words is empty.${hint}`;
}

function languageName(code: string): string {
  const name = new Intl.DisplayNames(["en"], { type: "language", fallback: "none" }).of(code);
  if (name === undefined) throw wrong("language", "this is no language's code: en, de, fr ...");
  return name;
}

const FORMAT = {
  type: "json_schema",
  json_schema: {
    name: "words",
    schema: {
      type: "object",
      properties: { words: { type: "string" } },
      required: ["words"],
      additionalProperties: false,
    },
  },
};

/** The sound first: the model hears badly far into a prompt. */
function requestOf({ samples }: SoundClip, question: string, { temperature = 0 }: TranscriptionBody): string {
  const data = wavOf(samples).toString("base64");
  return JSON.stringify({
    messages: [
      {
        role: "user",
        content: [
          { type: "input_audio", input_audio: { data, format: "wav" } },
          { type: "text", text: question },
        ],
      },
    ],
    temperature,
    max_tokens: MOST_TOKENS,
    response_format: FORMAT,
    cache_prompt: true,
    stream: true,
    stream_options: { include_usage: true },
    chat_template_kwargs: { enable_thinking: false },
  });
}

/** What the model heard in a clip. */
class ClipAnswer implements Sink {
  /** The client has nothing of it before it is whole. */
  readonly begun = false;
  private text = "";

  constructor(private readonly onBegin: (stamp: EngineStamp, queued: number) => void) {}

  begin(stamp: EngineStamp, queued: number): void {
    this.text = "";
    this.onBegin(stamp, queued);
  }

  take(events: string): undefined {
    for (const piece of piecesOf(events)) if (piece.kind === "text") this.text += piece.text;
  }

  /** What was said; of an answer that was cut off as much as there is. */
  get words(): string {
    const found = /"words"\s*:\s*"((?:[^"\\]|\\.)*)/s.exec(bare(this.text))?.[1];
    if (found === undefined)
      throw new OpenAiFault(422, "the model did not write down what it heard", { code: "answer_invalid" });
    return String(JSON.parse(`"${found}"`))
      .replace(/\s+/g, " ")
      .trim();
  }
}
