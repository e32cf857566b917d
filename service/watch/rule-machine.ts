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
 * Makes events of one rule's answers: starts one when the condition has held for `for`, says so again
 * when the answer changes under it, ends it when the condition has been false for `release`, and then
 * keeps quiet for `cooldown`. Time is the capture time of the observations: the machine has no clock,
 * so that the same observations give the same events.
 */
export class RuleMachine {
  private open: Event | undefined;
  private holdsSince: number | undefined;
  private failsSince: number | undefined;
  private quietUntil = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: Options) {
    this.open = options.open;
  }

  /** The event messages that an observation brings about: none, or one. */
  observe(observation: Observation): Event[] {
    const at = Date.parse(observation.captured);
    const holds = this.options.condition(observation.answer);
    return holds ? this.whileHolding(observation, at) : this.whileFailing(observation, at);
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
    return this.next(open, observation, at, "end", iso(ended));
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
  return {
    ...event,
    sequence: event.sequence + 1,
    phase: "end",
    at: iso(at),
    ended: iso(at),
    reason,
    observation: "",
  };
}

const sameAnswer = (a: Event["answer"], b: Event["answer"]) =>
  Object.keys(b).every((key) => a[key] === b[key]);
