/** The questions of the shipped configurations, as far as the small model can know the answers. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import Type from "typebox";
import Value from "typebox/value";
import { parse } from "yaml";
import { AnswerSchema } from "../../../../service/contract/answer.ts";
import { packageRoot } from "../../../../service/kernel/paths.ts";
import { TASKS, type Task } from "./tasks.ts";

export interface Watch {
  /** Its file and its id there. */
  readonly name: string;
  readonly task: Task;
  readonly question: string;
  readonly schema: AnswerSchema;
}

const Watches = Type.Object({
  watches: Type.Array(Type.Object({ id: Type.String(), question: Type.String(), answer: AnswerSchema })),
});

/** Of config/perch.yaml and config/examples; without those that ask what no task asks. */
export function shippedWatches(): Watch[] {
  const config = join(packageRoot, "config");
  const examples = readdirSync(join(config, "examples")).filter((file) => file.endsWith(".yaml"));
  return ["perch.yaml", ...examples.sort().map((file) => join("examples", file))].flatMap((file) => {
    const found: unknown = parse(readFileSync(join(config, file), "utf8"));
    if (!Value.Check(Watches, found)) return [];
    return found.watches.flatMap(({ id, question, answer }) => {
      const task = TASKS.find(({ seen }) => seen.includes(question));
      return task ? [{ name: `${file}: ${id}`, task, question, schema: answer as AnswerSchema }] : [];
    });
  });
}
