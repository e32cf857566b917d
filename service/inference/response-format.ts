import type { AnswerField, AnswerSchema } from "../contract/answer.ts";
import { mostTokens } from "./grammar.ts";

/** Most characters of white space that llama-server allows in one place, and places that a field brings. */
const GAP = { characters: 23, places: 4 };

/** Most tokens that an answer may take where white space is its writer's choice. */
export const answerRoom = (schema: AnswerSchema): number =>
  2 * mostTokens(schema) + GAP.characters * GAP.places * (Object.keys(schema).length + 1);

/** The answer's schema as response_format has it. */
export function answerFormat(schema: AnswerSchema): object {
  const fields = Object.entries(schema);
  return {
    type: "json_schema",
    json_schema: {
      name: "answer",
      strict: true,
      schema: {
        type: "object",
        properties: Object.fromEntries(fields.map(([name, field]) => [name, fieldSchema(field)])),
        required: fields.map(([name]) => name),
        additionalProperties: false,
      },
    },
  };
}

function fieldSchema(field: AnswerField): object {
  switch (field.type) {
    case "boolean":
      return { type: "boolean" };
    case "enum":
      return { type: "string", enum: field.values };
    case "string":
      return { type: "string", maxLength: field.maxLength };
    case "integer":
    case "number": {
      const { type, minimum, maximum } = field;
      return {
        type,
        ...(minimum !== undefined && { minimum }),
        ...(maximum !== undefined && { maximum }),
      };
    }
  }
}
