import { Environment } from "@marcbachmann/cel-js";
import type { Answer, AnswerField, AnswerSchema } from "../contract/answer.ts";
import { messageOf, PerchError } from "../kernel/errors.ts";

const CEL_TYPE: Record<AnswerField["type"], string> = {
  boolean: "bool",
  integer: "int",
  number: "double",
  enum: "string",
  string: "string",
};

/** A rule's `when`: whether it holds for an answer. */
export type Condition = (answer: Answer) => boolean;

/**
 * Compiles a CEL expression over an answer's fields, types checked. Throws CONFIG_INVALID with CEL's
 * own words.
 */
export function compileCondition(expression: string, schema: AnswerSchema): Condition {
  const environment = new Environment({ limits: { maxAstNodes: 500, maxDepth: 50 } });
  const integers: string[] = [];
  for (const [name, field] of Object.entries(schema)) {
    environment.registerVariable(name, CEL_TYPE[field.type]);
    if (field.type === "integer") integers.push(name);
  }
  const checked = environment.check(expression);
  if (!checked.valid) throw new PerchError("CONFIG_INVALID", celMessage(checked.error));
  if (checked.type !== "bool") {
    throw new PerchError("CONFIG_INVALID", `must be true or false, but is of type ${checked.type}`);
  }
  const evaluate = environment.parse(expression);
  return (answer) => {
    const variables: Record<string, unknown> = { ...answer };
    // CEL's int is a 64 bit integer.
    for (const name of integers) variables[name] = BigInt(answer[name] as number);
    return evaluate(variables) === true;
  };
}

const celMessage = (error: unknown) => messageOf(error).split("\n")[0] ?? "is not a CEL expression";
