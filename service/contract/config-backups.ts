import Type, { type Static } from "typebox";
import { Duration } from "./units.ts";

/** Copies of the record's database that are made by themselves. */
export const BackupConfig = Type.Object(
  {
    every: Duration({
      default: "24h",
      description: "How often the record is backed up into the data folder, at most hourly. 0s: never.",
    }),
    keep: Type.Integer({
      minimum: 1,
      maximum: 100,
      default: 7,
      description:
        "How many of these backups are kept; fewer where the disk would have less than a tenth of it left.",
    }),
  },
  { additionalProperties: false, default: {} },
);
export type BackupConfig = Static<typeof BackupConfig>;
