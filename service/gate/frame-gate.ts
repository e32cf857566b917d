import type { CameraGate } from "../contract/config-feeds.ts";
import type { Frame } from "../contract/media.ts";
import { Motion } from "./motion.ts";

export interface FrameDecision {
  readonly pass: boolean;
  /** Why it passed; where it did not, what it waits for. */
  readonly reason: "first" | "motion" | "interval" | "heartbeat";
}

/** Decides frame by frame whether a camera's picture is worth the model. Frames come in the order of their time. */
export class FrameGate {
  private readonly motion: Motion | undefined;
  private passedAt: number | undefined;
  private moved = false;

  constructor(private readonly config: CameraGate) {
    this.motion = config.kind === "motion" ? new Motion(config) : undefined;
  }

  decide({ luma, at }: Frame): FrameDecision {
    const { kind, interval, heartbeat } = this.config;
    // Motion within the interval after a pass is not forgotten: it passes when the interval is over.
    if (this.motion?.moved(luma)) this.moved = true;
    if (this.passedAt === undefined) return this.pass("first", at);
    const since = at - this.passedAt;
    // A clock that was set back must not silence the gate for as long.
    if (since >= 0 && since < interval) return { pass: false, reason: kind };
    if (kind === "interval") return this.pass("interval", at);
    if (this.moved) return this.pass("motion", at);
    if (heartbeat > 0 && (since < 0 || since >= heartbeat)) return this.pass("heartbeat", at);
    return { pass: false, reason: "motion" };
  }

  private pass(reason: FrameDecision["reason"], at: number): FrameDecision {
    this.passedAt = at;
    this.moved = false;
    return { pass: true, reason };
  }
}
