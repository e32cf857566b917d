import Type, { type Static } from "typebox";

const closed = { additionalProperties: false };
const Name = Type.String({ pattern: "^[a-z0-9][a-z0-9_-]{0,62}$" });

/** data/changes.yaml: what was changed by HTTP, by id. Watches are checked one by one, against the configuration of the moment. */
export const Changes = Type.Object(
  {
    feeds: Type.Optional(
      Type.Record(Name, Type.Object({ enabled: Type.Boolean() }, closed), {
        ...closed,
        description: "Feeds that were switched on or off.",
      }),
    ),
    watches: Type.Optional(
      Type.Record(Name, Type.Unknown(), {
        ...closed,
        description: "Watches that were changed or added; null: removed.",
      }),
    ),
  },
  closed,
);
export type Changes = Static<typeof Changes>;
