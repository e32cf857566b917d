import type { AnswerSchema } from "../../../../service/contract/answer.ts";
import type { Item } from "./samples.ts";
import { schemaOf, type Task, truthName } from "./tasks.ts";

/** One question about one sample. */
export interface Trial {
  /** The same at every level. */
  readonly id: string;
  /** What it is counted under. */
  readonly group: string;
  /** Its place in its group: a level that is asked less is asked the first ones. */
  readonly rank: number;
  readonly item: Item;
  readonly question: string;
  readonly schema: AnswerSchema;
  /** The fields of the answer that are counted, each with its name in the sample's truth. */
  readonly counted: Readonly<Record<string, string>>;
}

interface Asking {
  readonly group: string;
  readonly task: Task;
  /** A text for all samples, or a choice for each. */
  readonly question: string | ((index: number) => string);
  /** A watch's own fields instead of the task's. */
  readonly schema?: AnswerSchema;
}

/** A trial for each sample. What a sample's truth does not say is asked, but not counted. */
export function trialsOf(items: readonly Item[], { group, task, question, schema }: Asking): Trial[] {
  const fields = schema ?? schemaOf(task);
  return items.map((item, rank) => {
    const names = Object.entries(fields).map(
      ([name, field]) => [name, truthName(name, field, task)] as const,
    );
    return {
      id: `${group} ${task.id} ${rank}`,
      group,
      rank,
      item,
      question: typeof question === "string" ? question : question(rank),
      schema: fields,
      counted: Object.fromEntries(names.filter(([, truth]) => item.truth[truth] !== undefined)),
    };
  });
}

/** Turns through a task's questions. */
export const turns =
  (questions: readonly string[]) =>
  (index: number): string =>
    questions[index % questions.length] ?? "";
