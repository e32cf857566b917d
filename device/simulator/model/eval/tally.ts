import type { Answer } from "../../../../service/contract/answer.ts";
import type { Count } from "./statistics.ts";
import type { Trial } from "./trial.ts";

/** One wrong answer of a field, and how often it was given. */
export interface Confusion {
  readonly field: string;
  readonly truth: string;
  readonly answer: string;
  readonly times: number;
  /** How often that truth was asked. */
  readonly of: number;
}

/** Fields that mean something only where somebody speaks; elsewhere they are counted apart. */
const SPOKEN = new Set(["words", "loudness"]);
export const UNSPOKEN = " where nobody speaks";

/** Counts what was right, by group and field. */
export class Tally {
  private readonly counts = new Map<string, { right: number; of: number }>();
  private readonly wrong = new Map<string, number>();
  /** By trial: whether all its counted fields were right. */
  readonly outcomes = new Map<string, boolean>();

  /** `answer` is undefined where the model's text was no answer to the schema. */
  add(trial: Trial, answer: Answer | undefined): void {
    const { group, item, counted } = trial;
    this.count(group, "valid", answer !== undefined);
    let all = true;
    for (const [field, name] of Object.entries(counted)) {
      const truth = item.truth[name];
      const right = answer?.[field] === truth;
      all &&= right;
      const silent = SPOKEN.has(name) && item.truth.sound !== undefined && item.truth.sound !== "speech";
      this.count(group, silent ? `${name}${UNSPOKEN}` : name, right);
      this.count(group, `${name} = ${truth}`, right);
      this.count("", `${name} = ${truth}`, right);
      if (!right) this.confuse(name, String(truth), String(answer?.[field] ?? "no answer"));
    }
    if (Object.keys(counted).length === 0) return;
    this.count(group, "all", all);
    this.outcomes.set(trial.id, all);
  }

  /**
   * Right answers of a group's field; of `all` fields together, of answers that are `valid`, or of a
   * field where it should have had one value (`light = red`). 0 of 0 where none was asked.
   */
  of(group: string, field: string): Count {
    return this.counts.get(`${group}\n${field}`) ?? { right: 0, of: 0 };
  }

  /** Sum over the groups whose name begins so. */
  sum(prefix: string, field: string): Count {
    let [right, of] = [0, 0];
    for (const group of this.groups(prefix)) {
      right += this.of(group, field).right;
      of += this.of(group, field).of;
    }
    return { right, of };
  }

  groups(prefix = ""): string[] {
    const names = [...this.counts.keys()].map((key) => key.slice(0, key.indexOf("\n")));
    return [...new Set(names)].filter((name) => name !== "" && name.startsWith(prefix));
  }

  /** The most frequent wrong answers of each field, `most` of a field. */
  confusions(most: number): Confusion[] {
    const all = [...this.wrong].map(([key, times]): Confusion => {
      const [field = "", truth = "", answer = ""] = key.split("\n");
      return { field, truth, answer, times, of: this.of("", `${field} = ${truth}`).of };
    });
    const fields = [...new Set(all.map(({ field }) => field))];
    return fields.flatMap((field) =>
      all
        .filter((each) => each.field === field)
        .sort((a, b) => b.times - a.times)
        .slice(0, most),
    );
  }

  private count(group: string, field: string, right: boolean): void {
    const key = `${group}\n${field}`;
    const { right: before, of } = this.counts.get(key) ?? { right: 0, of: 0 };
    this.counts.set(key, { right: before + (right ? 1 : 0), of: of + 1 });
  }

  private confuse(field: string, truth: string, answer: string): void {
    const key = `${field}\n${truth}\n${answer}`;
    this.wrong.set(key, (this.wrong.get(key) ?? 0) + 1);
  }
}

/** How the outcomes of trials that both were asked differ: only `one` right, only `other` right. */
export function discordant(
  one: Tally,
  other: Tally,
): { readonly asked: number; readonly gained: number; readonly lost: number } {
  let [asked, gained, lost] = [0, 0, 0];
  for (const [id, right] of one.outcomes) {
    const before = other.outcomes.get(id);
    if (before === undefined) continue;
    asked += 1;
    if (right && !before) gained += 1;
    if (!right && before) lost += 1;
  }
  return { asked, gained, lost };
}
