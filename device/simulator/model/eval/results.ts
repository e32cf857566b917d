import { cpus, totalmem } from "node:os";
import { type CardContent, type LevelResult, SPEED_GOALS, threadsText } from "./card.ts";
import { sectionsOf, UNSEEN_GOAL, unseenRatio } from "./rows.ts";
import { shareOf, wilson } from "./statistics.ts";

/** As those of test/bench, with the interval of a share and how many samples it is of. */
interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly goal: number | null;
  readonly ok: boolean;
  readonly samples?: number;
  readonly interval?: readonly [number, number];
}

/** Everything that was measured, for results.json. */
export function resultsOf({ at, machine, seed, voices, facts, levels }: CardContent) {
  return {
    name: "model",
    at: at.toISOString(),
    machine,
    seed,
    voices,
    parameters: facts.parameters,
    training: facts.training,
    files: levels.map(({ id, files }) => ({ level: id, files })),
    figures: levels.flatMap((level, index) => [
      ...accuracyFigures(level),
      ...speedFigures(level, index === 0),
    ]),
  };
}

/** What fell short of its bar at the default level. */
export const shortOf = (content: CardContent): string[] =>
  resultsOf(content)
    .figures.filter(({ name, ok }) => !ok && name.startsWith(`${content.levels[0].id} `))
    .map(({ name, value, goal }) => `${name}: ${value.toFixed(4)}, not ${goal}`);

function accuracyFigures({ id, tally }: LevelResult): Figure[] {
  const figures = sectionsOf(tally).flatMap(({ rows }) =>
    rows.map(({ section, label, count, goal }): Figure => {
      const value = shareOf(count);
      const ok = goal === null || value >= goal;
      const name = `${id} · ${section} · ${label}`;
      return { name, value, unit: "share", goal, ok, samples: count.of, interval: wilson(count) };
    }),
  );
  const value = unseenRatio(tally);
  if (Number.isNaN(value)) return figures;
  const name = `${id} · Unseen wordings · right, of seen ones`;
  return [...figures, { name, value, unit: "ratio, at least", goal: UNSEEN_GOAL, ok: value >= UNSEEN_GOAL }];
}

function speedFigures({ id, speeds, resident }: LevelResult, judged: boolean): Figure[] {
  const times = speeds.flatMap(({ threads, image, clip, load }, index) =>
    (["p50", "p95"] as const)
      .flatMap((part) => [
        time(
          `${id} · one picture, ${threadsText(threads)}, ${part}`,
          image[part],
          judged && index === 0 && part === "p50" ? SPEED_GOALS.image : null,
        ),
        time(
          `${id} · 2 s of sound, ${threadsText(threads)}, ${part}`,
          clip[part],
          judged && index === 0 && part === "p50" ? SPEED_GOALS.clip : null,
        ),
      ])
      .concat(time(`${id} · load, ${threadsText(threads)}`, load, null)),
  );
  return [...times, { name: `${id} · resident`, value: resident / 1e6, unit: "MB", goal: null, ok: true }];
}

const time = (name: string, value: number, goal: number | null): Figure => ({
  name,
  value,
  unit: "ms, at most",
  goal,
  ok: goal === null || value <= goal,
});

export function machineText(): string {
  const [cpu] = cpus();
  return `${cpu?.model ?? "unknown processor"}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}`;
}
