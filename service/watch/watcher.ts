import type { Answer } from "../contract/answer.ts";
import type { Watch } from "../contract/config-watches.ts";
import type { Clip, Frame, Truth } from "../contract/media.ts";
import type { Event, Observation } from "../contract/observation.ts";
import { compileCondition } from "./condition.ts";
import { parseAnswer } from "./parse-answer.ts";
import { RuleMachine } from "./rule-machine.ts";

/** What a watch asks at one moment. */
export interface Question {
  readonly watch: Watch;
  readonly feeds: readonly string[];
  /** When the newest of its media was captured, epoch ms. */
  readonly captured: number;
  readonly frame?: Frame;
  readonly clip?: Clip;
  /** What the answer should be; only of simulated feeds. */
  readonly truth?: Truth;
}

/** A frame older than this does not show what the clip beside it says. Ms. */
const JOINT_FRAME_AGE = 5_000;

/**
 * One watch: turns what the gates let through into questions, and answers into events. A watch of one
 * camera and one microphone asks when the microphone's gate passes a clip, and shows the newest frame
 * beside it: sound has a moment, a picture is always there.
 */
export class Watcher {
  private readonly machines: readonly RuleMachine[];
  private newest: Frame | undefined;

  constructor(
    readonly watch: Watch,
    private readonly kinds: { readonly camera?: string; readonly microphone?: string },
    node: string,
    openEvents: readonly Event[],
  ) {
    this.machines = watch.rules.map((rule) => {
      const open = openEvents.find((event) => event.watch === watch.id && event.rule === rule.id);
      const condition = compileCondition(rule.when, watch.answer);
      return new RuleMachine({ node, watch: watch.id, rule, condition, ...(open && { open }) });
    });
  }

  /** A frame came, gate or no gate. */
  saw(frame: Frame): void {
    if (frame.feed === this.kinds.camera && this.kinds.microphone !== undefined) this.newest = frame;
  }

  /** The gate passed a frame: what to ask, if anything. */
  framePassed(frame: Frame): Question | undefined {
    if (frame.feed !== this.kinds.camera || this.kinds.microphone !== undefined) return undefined;
    return {
      watch: this.watch,
      feeds: [frame.feed],
      captured: frame.at,
      frame,
      ...(frame.truth && { truth: frame.truth }),
    };
  }

  /** The gate passed a clip: what to ask, if anything. */
  clipPassed(clip: Clip): Question | undefined {
    if (clip.feed !== this.kinds.microphone) return undefined;
    const heard = clip.at + clip.length;
    if (this.kinds.camera === undefined) {
      return {
        watch: this.watch,
        feeds: [clip.feed],
        captured: heard,
        clip,
        ...(clip.truth && { truth: clip.truth }),
      };
    }
    const frame = this.newest;
    if (!frame || Math.abs(heard - frame.at) > JOINT_FRAME_AGE) return undefined;
    const truth = frame.truth && clip.truth && { ...frame.truth, ...clip.truth };
    return {
      watch: this.watch,
      feeds: [frame.feed, clip.feed],
      captured: Math.max(frame.at, heard),
      frame,
      clip,
      ...(truth && { truth }),
    };
  }

  /** The answer in what the model wrote; throws ANSWER_INVALID. */
  parse(text: string): Answer {
    return parseAnswer(text, this.watch.answer);
  }

  /** The event messages that an observation of this watch brings about. */
  observe(observation: Observation): Event[] {
    return this.machines.flatMap((machine) => machine.observe(observation));
  }
}
