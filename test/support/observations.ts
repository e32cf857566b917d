import type { AnswerSchema } from "../../service/contract/answer.ts";
import type { Rule, Watch } from "../../service/contract/config-watches.ts";
import type { Observation } from "../../service/contract/observation.ts";

export const AT = 1_760_000_000_000;

export const ANSWER: AnswerSchema = {
  person: { type: "boolean" },
  count: { type: "integer", minimum: 0, maximum: 99 },
};

/** An observation `ms` after AT. */
export function observation(ms: number, answer: Observation["answer"]): Observation {
  return {
    id: `observation-${ms}`,
    node: "cell",
    watch: "scene",
    feeds: ["camera"],
    captured: new Date(AT + ms).toISOString(),
    answered: new Date(AT + ms + 500).toISOString(),
    answer,
    provenance: {
      ladder: "l",
      level: "v",
      model: "0123456789abcdef",
      hottest: null,
      queue: 1,
      prompt: 1,
      decode: 1,
      tokens: { prompt: 1, cached: 0, answer: 1 },
    },
  };
}

export const rule = (changes: Partial<Rule> = {}): Rule => ({
  id: "present",
  when: "person",
  for: 0,
  release: 0,
  cooldown: 0,
  severity: "warning",
  ...changes,
});

export const watchOf = (changes: Partial<Watch> = {}): Watch => ({
  id: "scene",
  question: "What is there?",
  feeds: ["camera"],
  frames: 1,
  spacing: 500,
  answer: ANSWER,
  rules: [rule()],
  lane: "watch",
  deadline: 10_000,
  enabled: true,
  ...changes,
});
