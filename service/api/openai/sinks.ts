import type { FastifyReply } from "fastify";
import type { EngineStamp, Sink } from "../../inference/engine.ts";
import type { OpenAiFault } from "./fault.ts";
import type { StreamForm, WholeForm, Wording } from "./form.ts";

/** What takes an answer, and tells the client how it ended. */
export interface Answer extends Sink {
  /** It is complete. */
  end(): void;
  /** It is not, and will not be. */
  fail(fault: OpenAiFault): void;
}

/** Ms that a client may leave its stream unread: its slot is another's too. */
const STALL = 30_000;

export const provenance = (
  { ladder, level, model, server }: EngineStamp,
  queued: number,
): Record<string, string> => ({
  "x-perch-ladder": ladder,
  "x-perch-level": level,
  "x-perch-model": model,
  ...(server !== undefined && { "x-perch-server": server }),
  "x-perch-queue-ms": String(Math.round(queued)),
});

/** Hands the events on as they come, in the client's words. */
export class StreamedAnswer implements Answer {
  begun = false;
  private headers: Record<string, string> = {};
  private form: StreamForm;

  constructor(
    private readonly reply: FastifyReply,
    private readonly wording: Wording,
    /** Gives the request up. */
    private readonly giveUp: () => void,
    private readonly stall = STALL,
  ) {
    this.form = wording.stream();
  }

  begin(stamp: EngineStamp, queued: number): void {
    this.headers = provenance(stamp, queued);
    this.form = this.wording.stream();
  }

  take(events: string): Promise<void> | undefined {
    const { raw } = this.reply;
    if (!this.begun) this.open();
    const said = this.form.take(events);
    if (said === "" || raw.destroyed || raw.write(said)) return undefined;
    return this.drained();
  }

  end(): void {
    this.reply.raw.end(this.form.end());
  }

  fail(fault: OpenAiFault): void {
    if (this.begun) this.reply.raw.end(this.form.fail(fault));
    else sendFault(this.reply, fault, this.wording);
  }

  /** The status goes out with the first event: until then a fault has one of its own. */
  private open(): void {
    this.begun = true;
    this.reply.hijack();
    this.reply.raw.writeHead(200, {
      ...(this.reply.getHeaders() as Record<string, string>),
      ...this.headers,
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache",
      "x-accel-buffering": "no",
    });
  }

  /** Resolves when the client has read on, has gone, or has stalled for too long. */
  private drained(): Promise<void> {
    const { raw } = this.reply;
    return new Promise((resolve) => {
      const over = () => {
        clearTimeout(timer);
        raw.off("drain", over);
        raw.off("close", over);
        resolve();
      };
      const timer = setTimeout(() => {
        this.giveUp();
        raw.destroy();
      }, this.stall);
      raw.once("drain", over);
      raw.once("close", over);
    });
  }
}

/** Keeps the events until the answer is whole. */
export class WholeAnswer implements Answer {
  /** The client has nothing before the end, so it can be asked again. */
  readonly begun = false;
  private form: WholeForm;
  private headers: Record<string, string> = {};

  constructor(
    private readonly reply: FastifyReply,
    private readonly wording: Wording,
  ) {
    this.form = wording.whole();
  }

  begin(stamp: EngineStamp, queued: number): void {
    this.headers = provenance(stamp, queued);
    this.form = this.wording.whole();
  }

  take(events: string): undefined {
    this.form.take(events);
  }

  end(): void {
    void this.reply.headers(this.headers).send(this.form.whole());
  }

  fail(fault: OpenAiFault): void {
    sendFault(this.reply, fault, this.wording);
  }
}

/** Answers with an error; in OpenAI's words where no others are named. */
export function sendFault(reply: FastifyReply, fault: OpenAiFault, wording?: Pick<Wording, "error">): void {
  const body = wording ? wording.error(fault) : fault.body;
  void reply.code(fault.status).headers(fault.headers).send(body);
}
