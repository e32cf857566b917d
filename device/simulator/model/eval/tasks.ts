/** What the small model is asked: tasks.json, typed. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { AnswerField, AnswerSchema } from "../../../../service/contract/answer.ts";
import { packageRoot } from "../../../../service/kernel/paths.ts";
import type { Media } from "../train/sample.ts";

export interface Task {
  readonly id: string;
  readonly media: Media;
  /** In the order of an answer. */
  readonly fields: readonly string[];
  /** Questions that it was trained with, and others that mean the same. */
  readonly seen: readonly string[];
  readonly unseen: readonly string[];
}

interface TaskFile {
  readonly fields: AnswerSchema;
  readonly tasks: readonly Task[];
}

const file: TaskFile = JSON.parse(
  readFileSync(join(packageRoot, "device/simulator/model/tasks.json"), "utf8"),
);

export const FIELDS: AnswerSchema = file.fields;
export const TASKS: readonly Task[] = file.tasks;

export function taskOf(id: string): Task {
  const task = TASKS.find((each) => each.id === id);
  if (!task) throw new Error(`tasks.json has no task ${id}`);
  return task;
}

export function schemaOf({ fields }: Task): AnswerSchema {
  return Object.fromEntries(
    fields.map((name) => {
      const field = FIELDS[name];
      if (!field) throw new Error(`tasks.json has no field ${name}`);
      return [name, field];
    }),
  );
}

/**
 * The name under which a sample's truth has the answer to a field: a watch may call `state` what a task
 * calls `belt`, and is understood by the values that it may take.
 */
export function truthName(name: string, field: AnswerField, task: Task): string {
  if (alike(FIELDS[name], field)) return name;
  return task.fields.find((other) => alike(FIELDS[other], field)) ?? name;
}

function alike(one: AnswerField | undefined, other: AnswerField): boolean {
  if (one?.type !== other.type) return false;
  if (one.type !== "enum" || other.type !== "enum") return true;
  return (
    one.values.length === other.values.length && one.values.every((value) => other.values.includes(value))
  );
}
