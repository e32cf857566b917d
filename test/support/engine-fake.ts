import type { Engine, EngineStamp, Prompt, Reply } from "../../service/inference/engine.ts";
import { PerchError } from "../../service/kernel/errors.ts";
import type { Health } from "../../service/kernel/part.ts";
import { SQUARE } from "./image-shapes.ts";

interface Asked {
  readonly prompt: Prompt;
  readonly signal: AbortSignal;
  answer(): void;
  fail(error: PerchError): void;
}

/** An engine whose every answer the test gives itself. */
export class ScriptedEngine implements Engine {
  readonly name = "engine";
  readonly stamp: EngineStamp = { ladder: "scripted", level: "one", model: "0".repeat(16) };
  readonly image = SQUARE;
  readonly order = "media-first" as const;
  /** Requests that it has now, oldest first. */
  readonly asked: Asked[] = [];
  /** Questions in the order in which they came, those that are over included. */
  readonly history: string[] = [];
  private up = true;
  private waiting: (() => void)[] = [];

  constructor(readonly slots: number) {}

  async start(): Promise<void> {
    this.setUp(true);
  }

  async stop(): Promise<void> {
    this.up = false;
  }

  health(): Health {
    return { state: this.up ? "ok" : "degraded" };
  }

  /** Goes down, failing all that is under way, or comes back. */
  setUp(up: boolean): void {
    this.up = up;
    if (up) for (const wake of this.waiting.splice(0)) wake();
    else for (const one of this.asked.slice()) one.fail(new PerchError("ENGINE_FAILED", "it died"));
  }

  ready(signal: AbortSignal): Promise<void> {
    if (this.up) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.waiting.push(resolve);
      signal.addEventListener("abort", () => reject(new PerchError("ENGINE_UNAVAILABLE", "down")));
    });
  }

  ask(prompt: Prompt, signal: AbortSignal): Promise<Reply> {
    if (!this.up) return Promise.reject(new PerchError("ENGINE_UNAVAILABLE", "down"));
    this.history.push(prompt.question);
    return new Promise((resolve, reject) => {
      const over = () => this.asked.splice(this.asked.indexOf(one), 1);
      const one: Asked = {
        prompt,
        signal,
        answer: () => {
          over();
          const tokens = { prompt: 1, cached: 0, answer: 1 };
          resolve({ text: prompt.question, tokens, prompt: 1, decode: 1 });
        },
        fail: (error) => {
          over();
          reject(error);
        },
      };
      signal.addEventListener("abort", () => one.fail(new PerchError("CANCELLED", "given up")));
      this.asked.push(one);
    });
  }
}
