import type { Facts } from "./facts.ts";
import { type Section, sectionsOf, summaryOf, UNSEEN_GOAL, unseenRatio, wordingsOf } from "./rows.ts";
import type { Speed } from "./speed.ts";
import { type Count, differs, shareOf, wilson } from "./statistics.ts";
import { discordant, type Tally } from "./tally.ts";

/** What was found out about one level. */
export interface LevelResult {
  readonly id: string;
  /** Its two files. */
  readonly files: readonly { readonly file: string; readonly bytes: number }[];
  readonly tally: Tally;
  /** Of the questions that every level was asked. */
  readonly shared: Tally;
  readonly speeds: readonly Speed[];
  /** Of llama-server after all questions, bytes. */
  readonly resident: number;
}

export interface CardContent {
  readonly at: Date;
  readonly machine: string;
  readonly command: string;
  readonly seed: number;
  readonly voices: { readonly known: number; readonly new: number };
  readonly facts: Facts;
  /** The default level first. */
  readonly levels: readonly [LevelResult, ...LevelResult[]];
}

/** Most time that one request may take at the default level's threads, p50 in ms. */
export const SPEED_GOALS = { image: 120, clip: 60 } as const;

/**
 * The card: the template with each {{piece}} replaced. Throws an Error where the template asks for a
 * piece that there is not, or leaves one out.
 */
export function renderCard(template: string, content: CardContent): string {
  const pieces: Record<string, string> = {
    size: sizeText(content.facts),
    architecture: factsTable(content.facts),
    training: trainingText(content.facts),
    about: aboutText(content),
    accuracy: accuracyTable(content.levels[0]),
    wordings: wordingsTable(content.levels[0].tally),
    levels: levelsTable(content.levels),
    differences: differencesText(content.levels),
    speed: speedTable(content.levels),
    confusions: confusionsTable(content.levels[0].tally),
    command: content.command,
  };
  const used = new Set<string>();
  const card = template.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const piece = pieces[name];
    if (piece === undefined) throw new Error(`the card's template asks for {{${name}}}, which there is not`);
    used.add(name);
    return piece;
  });
  const left = Object.keys(pieces).filter((name) => !used.has(name));
  if (left.length > 0) throw new Error(`the card's template leaves out {{${left.join("}}, {{")}}}`);
  return card;
}

const GEMMA = 12e9;

/** "1/2,200" of Gemma's parameters. */
const sizeText = ({ parameters }: Facts): string =>
  `1/${(Math.round(GEMMA / parameters / 100) * 100).toLocaleString("en")}`;

/** The tables that somebody wants to see at a terminal. */
export const tablesText = ({ levels }: CardContent): string =>
  [
    accuracyTable(levels[0]),
    wordingsTable(levels[0].tally),
    levelsTable(levels),
    differencesText(levels),
    speedTable(levels),
    confusionsTable(levels[0].tally),
  ].join("\n\n");

function factsTable({ parameters, architecture }: Facts): string {
  return table(
    ["", ""],
    [["parameters", parameters.toLocaleString("en")], ...architecture.map(([a, b]) => [a, b])],
  );
}

function trainingText({ training }: Facts): string {
  const { steps, samples, minutes, seed, machine } = training;
  const parts = [
    ...(minutes === undefined ? [] : [`${minutes.toFixed(0)} minutes${machine ? ` on ${machine}` : ""}`]),
    ...(steps === undefined ? [] : [`${steps.toLocaleString("en")} steps`]),
    ...(samples === undefined ? [] : [`${samples.toLocaleString("en")} samples, each seen once`]),
    ...(seed === undefined ? [] : [`seed ${seed}`]),
  ];
  return parts.length === 0 ? "Trained from scratch." : `Trained from scratch: ${parts.join(", ")}.`;
}

function aboutText({ at, machine, seed, voices, levels }: CardContent): string {
  const [{ id }] = levels;
  return `Level ${id}, ${at.toISOString().slice(0, 10)}, ${machine}. Samples of seed ${seed} from the split that no training sees: other places, half of them with kinds of walls that it never saw, and ${voices.new} voices that it never heard beside ${voices.known} that it knows.`;
}

function accuracyTable({ tally }: LevelResult): string {
  const rows = sectionsOf(tally).flatMap(({ title, rows: inside }: Section) => [
    [`**${title}**`, "", "", "", ""],
    ...inside.map(({ label, count, goal }) => [
      label,
      count.of.toLocaleString("en"),
      percent(shareOf(count)),
      intervalText(count),
      goal === null ? "" : `${percent(goal)} ${verdict(shareOf(count) >= goal)}`,
    ]),
  ]);
  return table(["what", "samples", "right", "95 % interval", "bar"], rows);
}

function wordingsTable(tally: Tally): string {
  const wordings = wordingsOf(tally);
  if (wordings.length === 0) return "Not measured.";
  const ratio = unseenRatio(tally);
  const all = `All tasks: ${countText(tally.sum("seen ", "all"))} with wordings of the training, ${countText(tally.sum("unseen ", "all"))} with others: ${percent(ratio)} of it (bar ${percent(UNSEEN_GOAL)}: ${verdict(ratio >= UNSEEN_GOAL)}).`;
  const rows = wordings.map(({ task, seen, unseen, worst }) => [
    task,
    percent(shareOf(seen)),
    percent(shareOf(unseen)),
    `${worst.question} (${percent(shareOf(worst.count))})`,
  ]);
  return `${all}\n\n${table(["task", "seen wording", "others", "the worst of them"], rows)}`;
}

function levelsTable(levels: CardContent["levels"]): string {
  const asked = Object.entries(summaryOf(levels[0].shared)).map(
    ([name, { of }]) => `${name} (${of.toLocaleString("en")})`,
  );
  const rows = levels.map(({ id, shared }) => [
    id,
    ...Object.values(summaryOf(shared)).map((count) => percent(shareOf(count))),
  ]);
  return table(["level", ...asked], rows);
}

/** Whether the levels differ, of questions that both were asked. */
export function differencesText([first, ...others]: CardContent["levels"]): string {
  if (others.length === 0) return "Only this level was examined.";
  const compared = others.map(({ id, shared }) => ({ id, ...discordant(shared, first.shared) }));
  const lines = compared.map(
    ({ id, asked, gained, lost }) =>
      `${id} had ${lost} of ${asked.toLocaleString("en")} wrong that ${first.id} had right, and ${gained} right that it had wrong`,
  );
  const apart = compared.filter(({ gained, lost }) => differs(gained, lost));
  const same = compared.filter(({ gained, lost }) => !differs(gained, lost));
  const worse = apart.filter(({ gained, lost }) => lost > gained).map(({ id }) => id);
  const better = apart.filter(({ gained, lost }) => gained > lost).map(({ id }) => id);
  const verdicts = [
    ...(worse.length > 0
      ? [`${and(worse)} ${worse.length === 1 ? "answers" : "answer"} worse than ${first.id}.`]
      : []),
    ...(better.length > 0
      ? [`${and(better)} ${better.length === 1 ? "answers" : "answer"} better than ${first.id}.`]
      : []),
    ...(same.length > 0
      ? [
          `Between ${first.id} and ${and(same.map(({ id }) => id))} no difference beyond chance was found (95 %, McNemar).`,
        ]
      : []),
  ];
  return `${verdicts.join(" ")} Asked the same: ${lines.join("; ")}.`;
}

function speedTable(levels: CardContent["levels"]): string {
  const [{ speeds: first }] = levels;
  const timed = (speed: Speed | undefined, what: "image" | "clip", goal?: number) => {
    if (!speed) return "";
    const { p50, p95 } = speed[what];
    return `${p50.toFixed(0)} / ${p95.toFixed(0)}${goal === undefined ? "" : ` (bar ${goal}: ${verdict(p50 <= goal)})`}`;
  };
  const rows = levels.map(({ id, files, speeds, resident }, index) => [
    id,
    files.map(({ file }) => file).join(", "),
    files.reduce((sum, { bytes }) => sum + bytes, 0).toLocaleString("en"),
    ...first.flatMap(({ threads }, which) => {
      const speed = speeds.find((each) => each.threads === threads);
      const judged = index === 0 && which === 0;
      return [
        timed(speed, "image", judged ? SPEED_GOALS.image : undefined),
        timed(speed, "clip", judged ? SPEED_GOALS.clip : undefined),
      ];
    }),
    speeds.length === 0 ? "" : `${Math.min(...speeds.map(({ load }) => load)).toFixed(0)}`,
    (resident / 1e6).toFixed(0),
  ]);
  const threads = first.flatMap(({ threads: count }) =>
    ["picture", "2 s of sound"].map((what) => `${what}, ${threadsText(count)}`),
  );
  return table(["level", "files", "bytes", ...threads, "load, ms", "resident, MB"], rows);
}

export const threadsText = (count: number): string => `${count} ${count === 1 ? "thread" : "threads"}`;

const MOST_CONFUSIONS = 4;

function confusionsTable(tally: Tally): string {
  const rows = tally
    .confusions(MOST_CONFUSIONS)
    .map(({ field, truth, answer, times, of }) => [
      field,
      shown(truth),
      shown(answer),
      `${times} of ${of.toLocaleString("en")}`,
    ]);
  return rows.length === 0 ? "No answer was wrong." : table(["field", "it was", "answered", "times"], rows);
}

const shown = (value: string): string => (value === "" ? "(nothing)" : value);
const verdict = (ok: boolean): string => (ok ? "ok" : "**short**");
const and = (names: readonly string[]): string =>
  names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;

/** "98.5 %"; "100.0 %" is never said of what was not always right. */
export function percent(share: number): string {
  if (Number.isNaN(share)) return "";
  return `${(share < 1 ? Math.min(share * 100, 99.9) : share * 100).toFixed(1)} %`;
}

function intervalText(count: Count): string {
  const [low, high] = wilson(count);
  return `${(low * 100).toFixed(1)} – ${(high * 100).toFixed(1)}`;
}

const countText = (count: Count): string =>
  `${percent(shareOf(count))} of ${count.of.toLocaleString("en")} (${intervalText(count)})`;

/** A Markdown table whose columns stand below each other. */
export function table(head: readonly string[], cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]?.length ?? 0), 3));
  const line = (row: readonly string[]) =>
    `| ${widths.map((width, i) => (row[i] ?? "").padEnd(width)).join(" | ")} |`;
  return [line(head), `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...rows.map(line)].join(
    "\n",
  );
}
