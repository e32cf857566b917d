import type { AnswerSchema } from "../contract/answer.ts";
import type { ImageShape, Ladder } from "../contract/models.ts";
import type { Part } from "../kernel/part.ts";

/** What one request puts to the model. Media are checked and encoded already. */
export interface Prompt {
  readonly question: string;
  /** The answer's schema; free text without one. */
  readonly schema?: AnswerSchema;
  /** JPEG each, in the order in which they were taken. */
  readonly images?: readonly Buffer[];
  /** WAV: 16 kHz, mono, 16 bit, at least 0.1 s. */
  readonly audio?: Buffer;
  /** Most tokens that a free text may have. Default 512. */
  readonly maxTokens?: number;
}

/** Counts the tokens of a chat; llama-server alone has it. Its answer is no stream, and comes as one event. */
export const COUNT_PATH = "/v1/chat/completions/input_tokens";

/**
 * A request in the server's own words, cleaned at Perch's edge: its answer passes on as it comes.
 */
export interface RawRequest {
  readonly path: "/v1/chat/completions" | "/v1/completions" | typeof COUNT_PATH;
  /** JSON, with `stream: true`, or `stream: false` where it is `whole`. */
  readonly body: string;
  /** Nobody reads the answer before it is complete: where an engine gives it at once, that is one event. */
  readonly whole?: boolean;
  /** Level that must answer it; SUPERSEDED where another one runs when its turn comes. */
  readonly level?: string;
  readonly sink: Sink;
}

/** Where the answer to a raw request goes. */
export interface Sink {
  /** Whether somebody has a part of the answer already: then the request cannot be asked again. */
  readonly begun: boolean;
  /** It goes to the engine, for the first time or again, after so many ms in the queue. */
  begin(stamp: EngineStamp, queued: number): void;
  /** What has come of the stream: whole events, one or several. Resolves when more may come; never rejects. */
  take(events: string): Promise<void> | undefined;
}

export const isRaw = (work: Prompt | RawRequest): work is RawRequest => "sink" in work;

export interface Reply {
  /** What the model wrote; empty where a sink took it. */
  readonly text: string;
  readonly tokens: { readonly prompt: number; readonly cached: number; readonly answer: number };
  /** Time on the prompt, ms. */
  readonly prompt: number;
  /** Time on the answer, ms. */
  readonly decode: number;
}

/** What stamps an answer: which file at which level produced it. */
export interface EngineStamp {
  readonly ladder: string;
  readonly level: string;
  /** First 16 hex digits of the text model's sha256; of a server elsewhere what it calls its model. */
  readonly model: string;
  /** Id of the server elsewhere that answered; none where this box did. */
  readonly server?: string;
}

/** Whether an engine can begin a piece of work now or later; `never`: why it cannot at all. */
export type Fit = "now" | "later" | { readonly never: string };

/** A model that answers: the supervised local one, or a server elsewhere. */
export interface Engine extends Part {
  readonly stamp: EngineStamp;
  readonly image: ImageShape;
  readonly order: Ladder["order"];
  /** Requests that it answers side by side. */
  readonly slots: number;
  /** Resolves when it answers, rejects with ENGINE_UNAVAILABLE when the signal aborts first. */
  ready(signal: AbortSignal): Promise<void>;
  /**
   * Asks once; the answer to a raw request goes to its sink. Rejects with a PerchError: ENGINE_REFUSED (the request's own fault), ENGINE_FAILED (it
   * died or hung under this request), ENGINE_UNAVAILABLE (it was not up), CANCELLED. An engine that is several tells
   * `goesTo` which one gets it, each time.
   */
  ask(work: Prompt | RawRequest, signal: AbortSignal, goesTo?: (stamp: EngineStamp) => void): Promise<Reply>;
  /** Of an engine that cannot do everything: asked before work is handed to it. */
  fits?(work: Prompt | RawRequest): Fit;
  /** Set by whoever asks: told when it may take more than before; `otherThings`: what it can do may have changed. */
  onRoom?: ((otherThings: boolean) => void) | undefined;
}
