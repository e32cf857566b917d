import Type from "typebox";
import { Value } from "typebox/value";
import { isObject } from "../kernel/config-schema.ts";
import { accountOf, bare } from "./chat-answer.ts";
import type { Reply } from "./engine.ts";
import { EventReader } from "./remote-events.ts";
import { RemoteFault, saidIn, statusFault } from "./remote-fault.ts";

type Json = Record<string, unknown>;

const Count = Type.Integer({ minimum: 0 });
const Usage = Type.Object({
  prompt_tokens: Count,
  completion_tokens: Count,
  prompt_tokens_details: Type.Optional(
    Type.Union([
      Type.Object({ cached_tokens: Type.Optional(Type.Union([Count, Type.Null()])) }),
      Type.Null(),
    ]),
  ),
});

/** Most characters of an answer that is kept here. */
const LONGEST_TEXT = 4e6;

/** Reads the stream of one answer: what it says, how it ends, and what it took. */
export class RemoteAnswer {
  private readonly events = new EventReader();
  private text = "";
  private usage: unknown;
  private timed: unknown;
  private finished = false;
  /** When the first event came, monotonic ms. */
  private first: number | undefined;
  complete = false;

  constructor(
    private readonly options: {
      /** When it was asked, monotonic ms. */
      readonly asked: number;
      /** Keeps the text, for who does not take the events. */
      readonly keep: boolean;
      /** Hands an event on that says only what the answer took. */
      readonly usage: boolean;
    },
  ) {}

  /** What of a piece of the stream is to be handed on, as whole events. Throws RemoteFault where the server ends it with an error. */
  push(piece: string, now: number): string {
    let whole = "";
    for (const data of this.events.push(piece)) {
      if (this.complete) break;
      this.first ??= now;
      if (data.trim() === "[DONE]") this.complete = true;
      else if (!this.read(data)) continue;
      // Between JSON's words a line end is as good as a space; within its strings there is none.
      whole += `data: ${data.replaceAll("\n", " ")}\n\n`;
    }
    return whole;
  }

  /** The account of it, once the stream is over. Throws RemoteFault where it ended before its end. */
  reply(now: number): Reply {
    if (!this.complete && !this.finished) throw new RemoteFault("broken", "its answer ended in the middle");
    const { asked, keep } = this.options;
    const first = this.first ?? now;
    return {
      text: keep ? bare(this.text) : "",
      ...this.account({ prompt: first - asked, decode: now - first }),
    };
  }

  /** Ms from the request to the first of the answer. */
  get waited(): number | undefined {
    return this.first === undefined ? undefined : this.first - this.options.asked;
  }

  /** Whether it is for whoever asked. */
  private read(data: string): boolean {
    const event = parsed(data);
    if (!isObject(event))
      throw new RemoteFault("broken", `it sent what is no event: ${saidIn(data.slice(0, 200))}`);
    if ("error" in event || event.object === "error") throw streamFault(event, data);
    if (isObject(event.timings)) this.timed = event;
    const { choices, usage } = event;
    if (usage !== undefined && usage !== null) this.usage = usage;
    const [choice] = Array.isArray(choices) ? (choices as unknown[]) : [];
    if (!isObject(choice)) return this.options.usage || !isObject(usage);
    if (typeof choice.finish_reason === "string") this.finished = true;
    if (this.options.keep && isObject(choice.delta) && typeof choice.delta.content === "string") {
      this.text += choice.delta.content;
      if (this.text.length > LONGEST_TEXT) throw new RemoteFault("broken", "its answer is too long");
    }
    return true;
  }

  /** By llama-server's own account, or by the usage that it states and the clock here. */
  private account(times: { prompt: number; decode: number }): Omit<Reply, "text"> {
    if (this.timed !== undefined) return accountOf(this.timed);
    const { usage } = this;
    if (!Value.Check(Usage, usage)) return { tokens: { prompt: 0, cached: 0, answer: 0 }, ...times };
    const cached = usage.prompt_tokens_details?.cached_tokens ?? 0;
    return {
      tokens: {
        prompt: usage.prompt_tokens,
        cached: Math.min(cached, usage.prompt_tokens),
        answer: usage.completion_tokens,
      },
      ...times,
    };
  }
}

/** The fault that a stream ends with; its status stands in the event. */
function streamFault(event: Json, data: string): RemoteFault {
  const inner = isObject(event.error) ? event.error : event;
  const status = [inner.code, inner.status].map(Number).find((code) => code >= 400 && code < 600) ?? 500;
  return statusFault(status, data, undefined, 0);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
