/** The rows of the card's table, and what each has to reach. */
import { CAMERA_STATES, LOUDNESS, SOUNDS } from "../../world.ts";
import { type Count, shareOf } from "./statistics.ts";
import { type Tally, UNSPOKEN } from "./tally.ts";

export interface Row {
  readonly section: string;
  readonly label: string;
  readonly count: Count;
  /** Share that it has to reach; null where it is only shown. */
  readonly goal: number | null;
}

export interface Section {
  readonly title: string;
  readonly rows: readonly Row[];
}

type Wanted = readonly [field: string, goal?: number | null, label?: string];

const PICTURE: readonly Wanted[] = [
  ["person", 0.99],
  ["people", 0.99],
  ["light", 0.99],
  ["display", 0.98],
  ["camera", 0.98],
];
const DETAILS: readonly Wanted[] = [["lying"], ["belt"], ["things"]];
const FRAMES: readonly Wanted[] = [
  ["people"],
  ["light"],
  ["blinking"],
  ["display"],
  ["all", null, "all four"],
];
const CAMERA: readonly Wanted[] = [
  ["camera", 0.98],
  ...CAMERA_STATES.map((state): Wanted => [`camera = ${state}`, null, `… where it is ${state}`]),
];
const soundWanted = (words: number): readonly Wanted[] => [
  ["sound", 0.99],
  ...SOUNDS.map((sound): Wanted => [`sound = ${sound}`, null, `… where it is ${sound}`]),
  ["words", words, "words, of speech"],
  [`words${UNSPOKEN}`, null, "words, none where nobody speaks"],
  ["loudness", null, "loudness, of speech"],
  ...LOUDNESS.map((loudness): Wanted => [`loudness = ${loudness}`, null, `… where it is ${loudness}`]),
];
const BOTH: readonly Wanted[] = [
  ...["person", "people", "light", "display", "sound"].map((field): Wanted => [field]),
  ["words", null, "words, of speech"],
  ["all", 0.95, "all fields"],
];

/** Least share of right answers to wordings that it never saw, of those to wordings that it did. */
export const UNSEEN_GOAL = 0.95;

/** Everything of a level's tally but its wordings, in the order of the card; sections without a sample are left out. */
export function sectionsOf(tally: Tally): Section[] {
  const grids = tally.groups("image ").filter((group) => !group.endsWith("details"));
  const sections = [
    ...grids.map((group) =>
      section(tally, `One picture, ${group.slice("image ".length)} patches`, group, PICTURE),
    ),
    ...grids.map((group) =>
      section(
        tally,
        `The same places, ${group.slice("image ".length)} patches, asked for one thing`,
        `${group} details`,
        DETAILS,
      ),
    ),
    section(tally, "The camera's state, every state as often", "camera", CAMERA),
    section(tally, "Two pictures half a second apart", "frames", FRAMES),
    section(tally, "Sound, voices that it was trained with", "sound known", soundWanted(0.97)),
    section(tally, "Sound, voices that it never heard", "sound new", soundWanted(0.93)),
    section(tally, "Picture and sound together", "both", BOTH),
    grouped(tally, "A description, word for word", "description ", "all"),
    grouped(tally, "Questions of the shipped configurations, all fields", "watch ", "all"),
    grouped(tally, "Valid answers to what it was never meant for", "foreign ", "valid"),
  ];
  return sections.filter(({ rows }) => rows.length > 0);
}

function section(tally: Tally, title: string, group: string, wanted: readonly Wanted[]): Section {
  const rows = wanted.map(([field, goal = null, label = field]) => ({
    section: title,
    label,
    count: tally.of(group, field),
    goal,
  }));
  return { title, rows: rows.filter(({ count }) => count.of > 0) };
}

/** A row for each group whose name begins so. */
function grouped(tally: Tally, title: string, prefix: string, field: string): Section {
  const rows = tally.groups(prefix).map((group) => ({
    section: title,
    label: group.slice(prefix.length),
    count: tally.of(group, field),
    goal: null,
  }));
  return { title, rows };
}

export interface Wordings {
  readonly task: string;
  readonly seen: Count;
  readonly unseen: Count;
  /** The unseen wording that did worst. */
  readonly worst: { readonly question: string; readonly count: Count };
}

/** All fields right, by task, with wordings that it was trained with and with others. */
export function wordingsOf(tally: Tally): Wordings[] {
  return tally.groups("seen ").flatMap((group) => {
    const task = group.slice("seen ".length);
    const prefix = `unseen ${task}: `;
    const questions = tally
      .groups(prefix)
      .map((name) => ({ question: name.slice(prefix.length), count: tally.of(name, "all") }))
      .sort((one, other) => shareOf(one.count) - shareOf(other.count));
    const [worst] = questions;
    return worst ? [{ task, seen: tally.of(group, "all"), unseen: tally.sum(prefix, "all"), worst }] : [];
  });
}

/** How much of the right answers is left with unseen wordings; NaN where none was asked. */
export const unseenRatio = (tally: Tally): number =>
  shareOf(tally.sum("unseen ", "all")) / shareOf(tally.sum("seen ", "all"));

/** What is compared between levels, of each its share. */
export function summaryOf(tally: Tally): Record<string, Count> {
  const grids = tally.groups("image ").filter((group) => !group.endsWith("details"));
  const pictures = grids.map((group) => tally.of(group, "all"));
  const sum = (counts: readonly Count[]): Count => ({
    right: counts.reduce((total, { right }) => total + right, 0),
    of: counts.reduce((total, { of }) => total + of, 0),
  });
  return {
    "one picture, all fields": sum(pictures),
    "two pictures": tally.of("frames", "all"),
    sound: sum([tally.of("sound known", "sound"), tally.of("sound new", "sound")]),
    "words, known voices": tally.of("sound known", "words"),
    "words, new voices": tally.of("sound new", "words"),
    "both, all fields": tally.of("both", "all"),
    "everything asked": tally.sum("", "all"),
  };
}
