import { setTimeout as wait } from "node:timers/promises";
import type { Engine, Prompt, Reply } from "../../service/inference/engine.ts";
import type { LocalEngine } from "../../service/inference/local-engine.ts";
import type { Health } from "../../service/kernel/part.ts";

/**
 * A real engine that gets kill -9 while it has a request whose question names it, as often as `deaths`
 * says. It is held with SIGSTOP before, so that the request is certainly under way.
 */
export class KillingEngine implements Engine {
  readonly name = "engine";
  /** Questions under way together at each kill. */
  readonly together: string[][] = [];
  private readonly underWay = new Set<string>();

  constructor(
    private readonly engine: LocalEngine,
    private readonly killer: string,
    private deaths: number,
  ) {}

  get stamp() {
    return this.engine.stamp;
  }
  get image() {
    return this.engine.image;
  }
  get order() {
    return this.engine.order;
  }
  get slots() {
    return this.engine.slots;
  }

  start(signal: AbortSignal): Promise<void> {
    return this.engine.start(signal);
  }
  stop(): Promise<void> {
    return this.engine.stop();
  }
  health(): Health {
    return this.engine.health();
  }
  ready(signal: AbortSignal): Promise<void> {
    return this.engine.ready(signal);
  }

  async ask(prompt: Prompt, signal: AbortSignal): Promise<Reply> {
    this.underWay.add(prompt.question);
    try {
      if (!prompt.question.includes(this.killer) || this.deaths === 0)
        return await this.engine.ask(prompt, signal);
      this.deaths -= 1;
      const pid = this.engine.pid ?? 0;
      process.kill(pid, "SIGSTOP");
      const reply = this.engine.ask(prompt, signal);
      await wait(100);
      this.together.push([...this.underWay]);
      process.kill(pid, "SIGKILL");
      return await reply;
    } finally {
      this.underWay.delete(prompt.question);
    }
  }
}
