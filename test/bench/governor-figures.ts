import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Day, dayOf } from "../../device/simulator/box/day.ts";
import { type BoxPreset, PRESETS } from "../../device/simulator/box/preset.ts";
import type { Figure } from "./figure.ts";
import { dutyAlone, onOff, ungoverned } from "./governor-baselines.ts";
import {
  type Course,
  DEFAULTS,
  type Governing,
  live,
  policy,
  restlessness,
  rungsOf,
} from "./governor-loop.ts";
import { oracle } from "./governor-oracle.ts";
import { type Panel, plot, type Section } from "./governor-plot.ts";

/** The governor was made on other days than these; each is warmer than the last, in kelvin. */
const DAYS = [
  { seed: 52001, warmer: 0 },
  { seed: 52002, warmer: 2 },
  { seed: 52003, warmer: 4 },
  { seed: 52004, warmer: 6 },
  { seed: 52005, warmer: 8 },
];
/** What an answer of the second, third and fourth rung is taken to be worth beside one of the best. Assumed. */
const WORTH = [1, 0.98, 0.94, 0.88];
const ENOUGH = 0.95;
const HOUR = 3600;
/** Of the plot, s. */
const STEP = 240;

interface Run {
  readonly course: Course;
  /** Beside the oracle: answers, and what they are worth. */
  readonly share: number;
  readonly worth: number;
}
interface Governed {
  readonly name: string;
  readonly runs: readonly Run[];
}

/** Boxes that live through days: the governor beside an oracle that knows them, and beside three simpler ways. */
export async function governorFigures(): Promise<Figure[]> {
  const figures: Figure[] = [];
  const sections: Section[] = [];
  for (const preset of PRESETS) {
    const days = DAYS.map(({ seed, warmer }) => ({ seed, day: dayOf(preset, seed, 24 * HOUR, { warmer }) }));
    const rungs = rungsOf(preset);
    const oracles = days.map(({ day }) => mostOf(preset, day));
    const governed = (name: string, make: () => Governing): Governed => ({
      name,
      runs: days.map(({ seed, day }, i) => judged(preset, live(preset, day, make(), { seed }), oracles[i])),
    });
    const all = [
      governed("governor", () => policy(rungs)),
      governed("no governor", () => ungoverned(rungs)),
      governed("on/off at the limit", () => onOff(rungs)),
      governed("duty cycle alone", () => dutyAlone(rungs)),
    ];
    process.stdout.write(table(preset, all));
    figures.push(...all.flatMap((one, i) => figuresOf(preset.id, one, i === 0)));
    const last = days.at(-1);
    if (last) sections.push(sectionOf(preset, last.day, last.seed));
    await new Promise(setImmediate);
  }
  const folder = join(import.meta.dirname, "results");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "governor.svg"), plot(sections));
  return figures;
}

interface Most {
  readonly answers: number;
  readonly worth: number;
}

const total = (answers: ReadonlyMap<string, number>) => [...answers.values()].reduce((a, b) => a + b, 0);

function worthOf({ ladder }: BoxPreset, answers: ReadonlyMap<string, number>): number {
  return ladder.reduce((sum, { level }, i) => sum + (answers.get(level) ?? 0) * (WORTH[i] ?? 0), 0);
}

/** The oracle that prefers the best rung, or the one that only counts answers, whichever has more. */
function mostOf(preset: BoxPreset, day: Day): Most {
  const both = [false, true].map((thriftiest) => oracle(preset, day, DEFAULTS.reserve, thriftiest));
  return {
    answers: Math.max(...both.map(total)),
    worth: Math.max(...both.map((answers) => worthOf(preset, answers))),
  };
}

function judged(preset: BoxPreset, course: Course, most: Most | undefined): Run {
  return {
    course,
    share: total(course.answers) / (most?.answers ?? 1),
    worth: worthOf(preset, course.answers) / (most?.worth ?? 1),
  };
}

/** The worst of the days of one way to govern. */
function worst({ runs }: Governed) {
  const rest = runs.map(({ course }) => restlessness(course.swaps, DEFAULTS.dwell));
  return {
    above: Math.max(...runs.map(({ course }) => course.above)),
    over: Math.max(...runs.map(({ course }) => course.over)),
    throttled: Math.max(...runs.map(({ course }) => course.throttled)),
    share: Math.min(...runs.map(({ share }) => share)),
    mean: runs.reduce((sum, { share }) => sum + share, 0) / runs.length,
    worth: Math.min(...runs.map(({ worth }) => worth)),
    swaps: Math.max(...rest.map(({ mostAnHour }) => mostAnHour)),
    oscillations: Math.max(...rest.map(({ oscillations }) => oscillations)),
    failures: Math.max(...runs.map(({ course }) => course.failures)),
  };
}

function figuresOf(preset: string, governed: Governed, judge: boolean): Figure[] {
  const { above, throttled, share, worth, mean, swaps, oscillations, failures } = worst(governed);
  const figure = (name: string, value: number, unit: string, goal: number | null, ok: boolean): Figure => ({
    name: `${preset}, ${governed.name}: ${name}`,
    value,
    unit,
    goal: judge ? goal : null,
    ok: !judge || ok,
  });
  const figures = [
    figure("over a trip point", above, "s/day", 0, above === 0),
    figure("throttled by the hardware", throttled, "s/day", null, true),
    figure("answers, of the oracle's", share, "", ENOUGH, share >= ENOUGH),
    figure("answers, mean of the days", mean, "", null, true),
    figure("by worth, of the oracle's", worth, "", null, true),
    figure("models dead of memory", failures, "/day", 0, failures === 0),
  ];
  if (!judge) return figures;
  return [
    ...figures,
    figure("swaps in an hour", swaps, "", DEFAULTS.swaps, swaps <= DEFAULTS.swaps),
    figure("oscillations", oscillations, "", 0, oscillations === 0),
  ];
}

function table({ title }: BoxPreset, all: readonly Governed[]): string {
  const rows = all.map((governed) => {
    const { above, over, throttled, share, worth, swaps, failures } = worst(governed);
    const cells = [
      `${Math.round(above)} s`,
      over > 0 ? `+${over.toFixed(1)} K` : "-",
      `${Math.round(throttled)} s`,
      `${(100 * share).toFixed(1)}%`,
      `${(100 * worth).toFixed(1)}%`,
      String(swaps),
      String(failures),
    ];
    return `    ${governed.name.padEnd(20)}${cells.map((cell) => cell.padStart(10)).join("")}`;
  });
  const head = ["over trip", "most", "throttled", "answers", "by worth", "swaps/h", "dead"].map((cell) =>
    cell.padStart(10),
  );
  return `  ${title}; the worst of ${DAYS.length} days\n    ${"".padEnd(20)}${head.join("")}\n${rows.join("\n")}\n`;
}

/** The hottest of the days, as the governor and as nobody governs it. */
function sectionOf(preset: BoxPreset, day: Day, seed: number): Section {
  const rungs = rungsOf(preset);
  const ours = traced(preset, day, policy(rungs), seed);
  const none = traced(preset, day, ungoverned(rungs), seed);
  const limit = preset.zones[0]?.limit ?? 100;
  const every = (value: number) => ours.celsius.map(() => value);
  const [low, high] = [Math.floor((preset.air.coolest - 3) / 10) * 10, limit + 5];
  const heat: Panel = {
    title: "hottest zone, °C",
    low,
    high,
    height: 150,
    ticks: [low + 10, low + 30, low + 50, limit].map((at) => ({ at, text: `${at}` })),
    traces: [
      { name: "without a governor", colour: "#d9a08b", values: none.celsius, width: 0.8 },
      { name: "with the governor", colour: "#b3261e", values: ours.celsius },
      { name: "air", colour: "#3b7ea1", values: ours.air },
      { name: "trip point", colour: "#222", values: every(limit), dashed: true },
      { name: "less the margin", colour: "#999", values: every(limit - DEFAULTS.margin), dashed: true },
    ],
  };
  const pace: Panel = {
    title: "pace, and questions asked",
    low: 0,
    high: 1.05,
    height: 80,
    ticks: [0, 0.5, 1].map((at) => ({ at, text: `${at * 100}%` })),
    traces: [
      { name: "asked, of the best level's", colour: "#bbb", values: ours.asked, stepped: true },
      { name: "pace", colour: "#2e7d4f", values: ours.pace },
    ],
  };
  const level: Panel = {
    title: "level",
    low: -0.5,
    high: preset.ladder.length + 0.5,
    height: 80,
    ticks: [
      { at: 0, text: "none" },
      ...preset.ladder.map(({ level: text }, i) => ({ at: preset.ladder.length - i, text })),
    ],
    traces: [{ name: "level", colour: "#5b3f98", values: ours.level, stepped: true, width: 1.6 }],
  };
  return { title: preset.title, panels: [heat, pace, level] };
}

function traced(preset: BoxPreset, day: Day, governing: Governing, seed: number) {
  const celsius: number[] = [];
  const air: number[] = [];
  const pace: number[] = [];
  const asked: number[] = [];
  const level: number[] = [];
  let hottest = 0;
  let paces = 0;
  live(preset, day, governing, {
    seed,
    watch: (moment) => {
      hottest = Math.max(hottest, moment.box.zone(preset.zones[0]?.of ?? "hottest"));
      paces += moment.pace;
      if (moment.second % STEP !== STEP - 1) return;
      celsius.push(hottest);
      air.push(moment.around.air);
      pace.push(paces / STEP);
      asked.push(day.demand(moment.second));
      const rank = preset.ladder.findIndex((rung) => rung.level === moment.level);
      level.push(rank < 0 ? 0 : preset.ladder.length - rank);
      hottest = 0;
      paces = 0;
    },
  });
  return { celsius, air, pace, asked, level };
}
