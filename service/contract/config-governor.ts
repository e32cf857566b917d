import Type, { type Static } from "typebox";
import { Duration, Size } from "./units.ts";

/** How the box's heat and memory decide which level runs, and at what pace. */
export const Governor = Type.Object(
  {
    enabled: Type.Boolean({
      default: true,
      description: "false: the level never changes and the model works without a pause.",
    }),
    sensors: Type.Enum(["auto", "real", "simulated"], {
      default: "auto",
      description:
        "simulated: temperatures of a simulated box, for a box without sensors. auto: that, where every feed is simulated and no temperature can be read.",
    }),
    margin: Type.Number({
      minimum: 1,
      maximum: 40,
      default: 3,
      description: "How far under its own trip point every temperature is held, degrees Celsius.",
    }),
    reserve: Size({
      default: "512MB",
      description: "Memory that stays free, in each pool that a model lies in. Under it the level falls.",
    }),
    pressure: Type.Number({
      minimum: 1,
      maximum: 100,
      default: 10,
      description:
        "Share of ten seconds in which every task may wait for memory, percent. Over it the level falls.",
    }),
    dwell: Duration({
      default: "2m",
      description: "How long a level runs at least, and how long the pace is low before it falls.",
    }),
    headroom: Duration({
      default: "5m",
      description: "How long a better level has to fit before it is taken.",
    }),
    swaps: Type.Integer({
      minimum: 2,
      maximum: 60,
      default: 6,
      description: "Most changes of level in an hour.",
    }),
    low: Type.Number({
      minimum: 0.1,
      maximum: 1,
      default: 0.9,
      description: "Share of the best level's answers under which a lower level that gives more is taken.",
    }),
    floor: Type.Number({
      minimum: 0,
      maximum: 1,
      default: 0.05,
      description: "Lowest pace, short of a pause.",
    }),
    safe: Type.Number({
      minimum: 0,
      maximum: 1,
      default: 0.3,
      description: "Highest pace while no temperature can be read.",
    }),
  },
  { additionalProperties: false, default: {} },
);
export type Governor = Static<typeof Governor>;
