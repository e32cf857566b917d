import { Environment, EvaluationError } from "@marcbachmann/cel-js";
import type { Answer, AnswerField, AnswerSchema } from "../contract/answer.ts";
import { isPerchError, messageOf, PerchError } from "../kernel/errors.ts";

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
 * own words. A condition that an answer makes undecidable (10 / people > 3, and nobody is there) does
 * not hold.
 */
export function compileCondition(expression: string, schema: AnswerSchema): Condition {
  const environment = new Environment({ limits: { maxAstNodes: 500, maxDepth: 50 } });
  const integers: string[] = [];
  for (const [name, field] of Object.entries(schema)) {
    registerVariable(environment, name, CEL_TYPE[field.type]);
    if (field.type === "integer") integers.push(name);
  }
  const checked = environment.check(expression);
  if (!checked.valid) throw new PerchError("CONFIG_INVALID", celMessage(checked.error));
  if (checked.type !== "bool") {
    throw new PerchError("CONFIG_INVALID", `must be true or false, but is of type ${checked.type}`);
  }
  const evaluate = environment.parse(expression);
  const decide = (answer: Answer, onFault?: (fault: EvaluationError) => void) => {
    const variables: Record<string, unknown> = { ...answer };
    // CEL's int is a 64 bit integer.
    for (const name of integers) variables[name] = BigInt(answer[name] as number);
    try {
      return evaluate(variables) === true;
    } catch (error) {
      if (!(error instanceof EvaluationError)) throw error;
      onFault?.(error);
      return false;
    }
  };
  decide(sampleOf(schema), (fault) => {
    // Of all that fails on a sample only this fails on every answer.
    if (fault.code === "invalid_regular_expression")
      throw new PerchError("CONFIG_INVALID", celMessage(fault), fault);
  });
  return (answer) => decide(answer);
}

const sampleOf = (schema: AnswerSchema): Answer =>
  Object.fromEntries(
    Object.entries(schema).map(([name, { type }]) => [
      name,
      type === "boolean" ? true : type === "integer" || type === "number" ? 1 : "",
    ]),
  );

/** Whether a field of an answer may be called so: CEL has words of its own. */
export function isFieldName(name: string): boolean {
  try {
    const condition = compileCondition(name, { [name]: { type: "boolean" } });
    return condition({ [name]: true }) && !condition({ [name]: false });
  } catch (error) {
    if (isPerchError(error, "CONFIG_INVALID")) return false;
    throw error;
  }
}

function registerVariable(environment: Environment, name: string, type: string): void {
  try {
    environment.registerVariable(name, type);
  } catch (error) {
    throw new PerchError("CONFIG_INVALID", celMessage(error), error);
  }
}

function celMessage(error: unknown): string {
  const [text = "is not a CEL expression"] = messageOf(error).split("\n");
  const mixed = text.startsWith("no such overload") && text.includes("double") && text.includes("int");
  return mixed ? `${text}; beside a field of type number write 30.0, beside an integer 30` : text;
}
