import Type, { type Static } from "typebox";

const describe = {
  description: Type.Optional(Type.String({ description: "What the field means; the model reads it." })),
};
const closed = { additionalProperties: false };

export const BooleanField = Type.Object({ type: Type.Literal("boolean"), ...describe }, closed);
export const IntegerField = Type.Object(
  {
    type: Type.Literal("integer"),
    minimum: Type.Optional(Type.Integer()),
    maximum: Type.Optional(Type.Integer()),
    ...describe,
  },
  closed,
);
export const NumberField = Type.Object(
  {
    type: Type.Literal("number"),
    minimum: Type.Optional(Type.Number()),
    maximum: Type.Optional(Type.Number()),
    ...describe,
  },
  closed,
);
export const EnumField = Type.Object(
  {
    type: Type.Literal("enum"),
    values: Type.Array(Type.String({ minLength: 1, maxLength: 64 }), {
      minItems: 1,
      maxItems: 64,
      uniqueItems: true,
    }),
    ...describe,
  },
  closed,
);
export const StringField = Type.Object(
  {
    type: Type.Literal("string"),
    maxLength: Type.Integer({ minimum: 1, maximum: 400, default: 80 }),
    ...describe,
  },
  closed,
);

/** One field of a watch's answer. Answers are flat: a weak model fills them fast and never gets lost. */
export const AnswerField = Type.Union([BooleanField, IntegerField, NumberField, EnumField, StringField], {
  discriminator: { propertyName: "type" },
});
export type AnswerField = Static<typeof AnswerField>;

/** The fields of an answer, in the order in which the model writes them. */
export const AnswerSchema = Type.Record(Type.String({ pattern: "^[a-z][a-zA-Z0-9_]{0,39}$" }), AnswerField, {
  minProperties: 1,
  maxProperties: 24,
  additionalProperties: false,
  description: "The answer's fields, in the order in which the model writes them.",
});
export type AnswerSchema = Record<string, AnswerField>;

export type AnswerValue = boolean | number | string;
/** A parsed answer: every field of its watch's schema, in that order. */
export type Answer = Record<string, AnswerValue>;
