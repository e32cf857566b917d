import type { FastifyReply } from "fastify";
import type { TranscriptionBody } from "../../contract/openai-transcription.ts";
import type { EngineStamp } from "../../inference/engine.ts";
import type { OpenAiFault } from "./fault.ts";
import { engineWording } from "./form.ts";
import { provenance, StreamedAnswer, sendFault } from "./sinks.ts";
import { type Segment, transcriptOf, wholeText } from "./transcript.ts";

/** Where a transcript goes. */
export interface TranscriptReply {
  /** A clip goes to the engine, after so many ms in the queue. */
  begin(stamp: EngineStamp, queued: number): void;
  /** What was heard in it. Resolves when more may come. */
  segment(one: Segment): Promise<void> | undefined;
  /** All of so many seconds was heard. */
  end(seconds: number): void;
  fail(fault: OpenAiFault): void;
}

/** Tells each clip as soon as it was heard. */
export class StreamedTranscript implements TranscriptReply {
  private readonly answer: StreamedAnswer;
  private readonly segments: Segment[] = [];

  constructor(reply: FastifyReply, giveUp: () => void) {
    this.answer = new StreamedAnswer(reply, engineWording("chat"), giveUp);
  }

  begin(stamp: EngineStamp, queued: number): void {
    this.answer.begin(stamp, queued);
  }

  segment(one: Segment): Promise<void> | undefined {
    const delta = this.segments.length === 0 ? one.text : ` ${one.text}`;
    this.segments.push(one);
    return this.answer.take(event({ type: "transcript.text.delta", delta }));
  }

  end(seconds: number): void {
    const usage = { type: "duration", seconds: Math.ceil(seconds) };
    this.answer.take(event({ type: "transcript.text.done", text: wholeText(this.segments), usage }));
    this.answer.end();
  }

  fail(fault: OpenAiFault): void {
    this.answer.fail(fault);
  }
}

const event = (of: object): string => `data: ${JSON.stringify(of)}\n\n`;

/** Tells all at the end. */
export class WholeTranscript implements TranscriptReply {
  private readonly segments: Segment[] = [];
  private readonly levels = new Set<string>();
  private stamp: EngineStamp | undefined;
  private queued = 0;

  constructor(
    private readonly reply: FastifyReply,
    private readonly asked: TranscriptionBody,
  ) {}

  begin(stamp: EngineStamp, queued: number): void {
    this.stamp = stamp;
    this.levels.add(stamp.level);
    this.queued += queued;
  }

  segment(one: Segment): undefined {
    this.segments.push(one);
  }

  end(seconds: number): void {
    const { stamp, queued } = this;
    const { type, content } = transcriptOf(this.segments, seconds, this.asked);
    // Of a long one each clip may have been heard by another.
    const by = stamp ? provenance({ ...stamp, level: [...this.levels].join(", ") }, queued) : {};
    void this.reply.headers(by).type(type).send(content);
  }

  fail(fault: OpenAiFault): void {
    sendFault(this.reply, fault);
  }
}
