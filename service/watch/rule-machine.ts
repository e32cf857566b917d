import type { Rule } from "../contract/config-watches.ts";
import type { Event, Observation } from "../contract/observation.ts";
import { iso } from "../kernel/clock.ts";
import type { Condition } from "./condition.ts";
import { uuidv7 } from "./uuid.ts";

interface Options {
  readonly node: string;
  readonly watch: string;
  readonly rule: Rule;
  readonly condition: Condition;
  /** An event of this rule that was open when the service last ran. */
  readonly open?: Event;
}

/**
 * An observation so much older than the newest one was answered late and is past; one that is older still
 * says that the clock was set back. Ms.
 */
const LATEST = 60_000;

/**
 * Makes events of one rule's answers: starts one when the condition has held for `for`, says so again
 * when the answer changes under it, ends it when the condition has been false for `release`, and then
 * keeps quiet for `cooldown`. Time is the capture time of the observations: the machine has no clock,
 * so that the same observations give the same events. An engine that answers several questions at once
 * may answer an older one last: it brings nothing about.
 */
export class RuleMachine {
  private open: Event | undefined;
  private holdsSince: number | undefined;
  private failsSince: number | undefined;
  private quietUntil = Number.NEGATIVE_INFINITY;
  private newest = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: Options) {
    this.open = options.open;
  }

  get rule(): Rule {
    return this.options.rule;
  }

  get openEvent(): Event | undefined {
    return this.open;
  }

  /** The event messages that an observation brings about: none, or one. */
  observe(observation: Observation): Event[] {
    const at = Date.parse(observation.captured);
    if (at < this.newest) {
      if (this.newest - at <= LATEST) return [];
      this.clockWasSetBack(at);
    }
    this.newest = at;
    const holds = this.options.condition(observation.answer);
    return holds ? this.whileHolding(observation, at) : this.whileFailing(observation, at);
  }

  /** Waits that have begun begin anew, and none is longer than it was. */
  private clockWasSetBack(at: number): void {
    if (this.holdsSince !== undefined) this.holdsSince = at;
    if (this.failsSince !== undefined) this.failsSince = at;
    this.quietUntil = Math.min(this.quietUntil, at + this.options.rule.cooldown);
  }

  private whileHolding(observation: Observation, at: number): Event[] {
    this.failsSince = undefined;
    this.holdsSince ??= at;
    if (this.open) return this.update(this.open, observation, at);
    const { rule } = this.options;
    if (at - this.holdsSince < rule.for || at < this.quietUntil) return [];
    return [this.start(observation, this.holdsSince, at)];
  }

  private whileFailing(observation: Observation, at: number): Event[] {
    this.holdsSince = undefined;
    if (!this.open) return [];
    this.failsSince ??= at;
    if (at - this.failsSince < this.options.rule.release) return [];
    return [this.end(this.open, observation, this.failsSince, at)];
  }

  private start(observation: Observation, started: number, at: number): Event {
    const { node, watch, rule } = this.options;
    this.open = {
      id: uuidv7(at),
      sequence: 0,
      node,
      watch,
      rule: rule.id,
      title: rule.title ?? rule.id,
      severity: rule.severity,
      phase: "start",
      started: iso(started),
      at: iso(at),
      ended: null,
      observation: observation.id,
      answer: observation.answer,
    };
    return this.open;
  }

  private update(open: Event, observation: Observation, at: number): Event[] {
    if (sameAnswer(open.answer, observation.answer)) return [];
    this.open = this.next(open, observation, at, "update", null);
    return [this.open];
  }

  private end(open: Event, observation: Observation, ended: number, at: number): Event {
    this.open = undefined;
    this.failsSince = undefined;
    this.quietUntil = ended + this.options.rule.cooldown;
    // After the clock was set back it would have ended before it began.
    const notBefore = Math.max(ended, Date.parse(open.started));
    return this.next(open, observation, at, "end", iso(notBefore));
  }

  private next(
    open: Event,
    { id, answer }: Observation,
    at: number,
    phase: Event["phase"],
    ended: string | null,
  ): Event {
    return { ...open, sequence: open.sequence + 1, phase, at: iso(at), ended, observation: id, answer };
  }
}

/** The last message of an event that ends for another reason than an answer. `at`: epoch ms. */
export function closed(event: Event, at: number, reason: string): Event {
  const ended = Math.max(at, Date.parse(event.started));
  return {
    ...event,
    sequence: event.sequence + 1,
    phase: "end",
    at: iso(at),
    ended: iso(ended),
    reason,
    observation: "",
  };
}

const sameAnswer = (a: Event["answer"], b: Event["answer"]) =>
  Object.keys(b).every((key) => a[key] === b[key]);
