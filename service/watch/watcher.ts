import { isDeepStrictEqual } from "node:util";
import type { Answer } from "../contract/answer.ts";
import type { Watch } from "../contract/config-watches.ts";
import type { Clip, Frame, Truth } from "../contract/media.ts";
import type { Event, Observation } from "../contract/observation.ts";
import { compileCondition } from "./condition.ts";
import { parseAnswer } from "./parse-answer.ts";
import { RecentFrames } from "./recent-frames.ts";
import { RuleMachine } from "./rule-machine.ts";

/** What a watch asks at one moment. */
export interface Question {
  readonly watch: Watch;
  readonly feeds: readonly string[];
  /** When the newest of its media was captured, epoch ms. */
  readonly captured: number;
  /** Of its camera, oldest first; none where it is of sound only. */
  readonly frames: readonly Frame[];
  readonly clip?: Clip;
  /** What the answer should be; only of simulated feeds. */
  readonly truth?: Truth;
}

/** Why there is no question where one was due: it is of several frames, and the earlier ones are not there. */
export type NotAsked = "no_earlier_frame";

interface Options {
  readonly watch: Watch;
  /** The feeds that it asks about. */
  readonly feeds: { readonly camera?: string; readonly microphone?: string };
  readonly node: string;
  readonly openEvents: readonly Event[];
  /** The same watch before it was changed, with the same answer: rules that are as they were go on as they are. */
  readonly before?: Watcher;
  /** What was true of a feed between two moments: see FeedSource.truth. */
  readonly truthOf: (feed: string, from: number, to: number) => Truth | undefined;
}

/** A frame older than this does not show what the clip beside it says. Ms. */
const JOINT_FRAME_AGE = 5_000;

/**
 * One watch: turns what the gates let through into questions, and answers into events. A watch of one
 * camera and one microphone asks when the microphone's gate passes a clip, and shows the newest frame
 * beside it: sound has a moment, a picture is always there. Beside the newest frame go earlier ones where
 * the watch is of several.
 */
export class Watcher {
  private readonly machines: readonly RuleMachine[];
  private readonly recent: RecentFrames;
  readonly watch: Watch;

  constructor(private readonly options: Options) {
    const { watch, node, openEvents, before } = options;
    this.watch = watch;
    this.recent = new RecentFrames(watch);
    this.machines = watch.rules.map((rule) => {
      const unchanged = before?.machines.find((machine) => isDeepStrictEqual(machine.rule, rule));
      if (unchanged) return unchanged;
      const open = openEvents.find((event) => event.watch === watch.id && event.rule === rule.id);
      const condition = compileCondition(rule.when, watch.answer);
      return new RuleMachine({ node, watch: watch.id, rule, condition, ...(open && { open }) });
    });
  }

  /** Events of its rules that have not ended. */
  get openEvents(): Event[] {
    return this.machines.flatMap(({ openEvent }) => openEvent ?? []);
  }

  /** A frame came, gate or no gate. */
  saw(frame: Frame): void {
    const { camera, microphone } = this.options.feeds;
    if (frame.feed !== camera) return;
    // A frame that its gate passes is handed over then.
    if (this.watch.frames > 1 || microphone !== undefined) this.recent.add(frame);
  }

  /** The gate passed a frame: what to ask, if anything. */
  framePassed(frame: Frame): Question | NotAsked | undefined {
    const { camera, microphone } = this.options.feeds;
    if (frame.feed !== camera || microphone !== undefined) return undefined;
    const frames = this.recent.endingWith(frame);
    if (!frames) return "no_earlier_frame";
    const truth = this.truthOfFrames(frames);
    return { watch: this.watch, feeds: [camera], captured: frame.at, frames, ...(truth && { truth }) };
  }

  /** The gate passed a clip: what to ask, if anything. */
  clipPassed(clip: Clip): Question | NotAsked | undefined {
    const { camera, microphone } = this.options.feeds;
    if (clip.feed !== microphone) return undefined;
    const { watch } = this;
    const heard = clip.at + clip.length;
    if (camera === undefined) {
      const truth = clip.truth && { truth: clip.truth };
      return { watch, feeds: [microphone], captured: heard, frames: [], clip, ...truth };
    }
    const { newest } = this.recent;
    if (!newest || Math.abs(heard - newest.at) > JOINT_FRAME_AGE) return undefined;
    const frames = this.recent.endingWith(newest);
    if (!frames) return "no_earlier_frame";
    const seen = this.truthOfFrames(frames);
    const truth = seen && clip.truth && joined(seen, clip.truth);
    return {
      watch,
      feeds: [camera, microphone],
      captured: Math.max(newest.at, heard),
      frames,
      clip,
      ...(truth && { truth }),
    };
  }

  private truthOfFrames(frames: readonly Frame[]): Truth | undefined {
    const [oldest, newest] = [frames[0], frames.at(-1)];
    if (!oldest || !newest || oldest === newest) return newest?.truth;
    return this.options.truthOf(newest.feed, oldest.at, newest.at);
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

/** What is right of pictures and sound together; a field that both have, each of its own, nobody can judge. */
function joined(seen: Truth, heard: Truth): Truth {
  const own = (truth: Truth, other: Truth) => Object.entries(truth).filter(([field]) => !(field in other));
  return Object.fromEntries([...own(seen, heard), ...own(heard, seen)]);
}
