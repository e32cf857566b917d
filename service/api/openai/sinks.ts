import type { FastifyReply } from "fastify";
import type { EngineStamp, Sink } from "../../inference/engine.ts";
import type { OpenAiFault } from "./fault.ts";
import { Gathered } from "./gathered.ts";

/** What takes an answer, and tells the client how it ended. */
export interface Answer extends Sink {
  /** It is complete. */
  end(): void;
  /** It is not, and will not be. */
  fail(fault: OpenAiFault): void;
}

/** Ms that a client may leave its stream unread: its slot is another's too. */
const STALL = 30_000;

const provenance = (
  { ladder, level, model, server }: EngineStamp,
  queued: number,
): Record<string, string> => ({
  "x-perch-ladder": ladder,
  "x-perch-level": level,
  "x-perch-model": model,
  ...(server !== undefined && { "x-perch-server": server }),
  "x-perch-queue-ms": String(Math.round(queued)),
});

/** Hands the events on as they come. */
export class StreamedAnswer implements Answer {
  begun = false;
  private headers: Record<string, string> = {};

  constructor(
    private readonly reply: FastifyReply,
    /** Gives the request up. */
    private readonly giveUp: () => void,
    private readonly stall = STALL,
  ) {}

  begin(stamp: EngineStamp, queued: number): void {
    this.headers = provenance(stamp, queued);
  }

  take(events: string): Promise<void> | undefined {
    const { raw } = this.reply;
    if (!this.begun) this.open();
    if (raw.destroyed || raw.write(events)) return undefined;
    return this.drained();
  }

  end(): void {
    this.reply.raw.end();
  }

  fail(fault: OpenAiFault): void {
    if (this.begun) this.reply.raw.end(`data: ${JSON.stringify(fault.body)}\n\n`);
    else sendFault(this.reply, fault);
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
  private gathered: Gathered;
  private headers: Record<string, string> = {};

  constructor(
    private readonly reply: FastifyReply,
    private readonly kind: "chat" | "completion",
  ) {
    this.gathered = new Gathered(kind);
  }

  begin(stamp: EngineStamp, queued: number): void {
    this.headers = provenance(stamp, queued);
    this.gathered = new Gathered(this.kind);
  }

  take(events: string): undefined {
    this.gathered.take(events);
  }

  end(): void {
    void this.reply.headers(this.headers).send(this.gathered.whole());
  }

  fail(fault: OpenAiFault): void {
    sendFault(this.reply, fault);
  }
}

export function sendFault(reply: FastifyReply, fault: OpenAiFault): void {
  void reply.code(fault.status).headers(fault.headers).send(fault.body);
}
