/**
 * Examines the small model at every level and writes its card. `npm run model:eval -- --help` tells the
 * options.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Grid, parseGrid } from "../../../service/contract/grid.ts";
import { messageOf } from "../../../service/kernel/errors.ts";
import { packageRoot } from "../../../service/kernel/paths.ts";
import { shippedVoices, TRAINING_VOICES, VoiceBank } from "../sound/voices.ts";
import { type Candidate, candidates, gridsOf } from "./eval/candidates.ts";
import { type CardContent, type LevelResult, renderCard, tablesText } from "./eval/card.ts";
import { Examinee } from "./eval/examinee.ts";
import { factsOf } from "./eval/facts.ts";
import { firstOf, type Plan, trialsOfPlan } from "./eval/plan.ts";
import { Progress } from "./eval/progress.ts";
import { machineText, resultsOf, shortOf } from "./eval/results.ts";
import { Samples } from "./eval/samples.ts";
import { speedOf } from "./eval/speed.ts";
import { Tally } from "./eval/tally.ts";
import type { Trial } from "./eval/trial.ts";
import { shippedWatches } from "./eval/watches.ts";

const USAGE = `Usage: npm run model:eval -- [options]
  --samples N           samples of a main group at the default level (default 1000)
  --others N            … at the other levels (default a quarter)
  --quick               100 and 40 samples: for a first look, the card stays as it is
  --level LEVEL[,…]     only these levels; the first is asked as the default one
  --weights FOLDER      exported files instead of the shipped ladder (small-Q8_0.gguf, …)
  --small-mmproj TYPE   … with these projectors below q6_k: Q8_0 (default) or Q4_0
  --grids 5x5,7x4       grids other than those of config/models.yaml
  --seed N              of the samples (default 77)
  --out FOLDER          for CARD.md and results.json (default: beside this file where the whole shipped
                        ladder was examined, build/eval otherwise)`;

const FOLDER = join(packageRoot, "device/simulator/model");

async function main(): Promise<number> {
  const options = readOptions();
  if (!options) return 0;
  const found = candidates(options);
  const trained = existsSync(join(TRAINING_VOICES, "voices.json"));
  const bank = trained ? VoiceBank.read(TRAINING_VOICES) : shippedVoices();
  if (!trained) say("build/voices is missing: few voices are heard (sounds/make-voices.mjs --training)");
  const samples = new Samples(options.seed, bank);
  const grids = gridsOf(found[0].level);
  const plan: Plan = { count: options.samples, grids, samples, watches: shippedWatches() };
  const rendering = performance.now();
  const trials = await trialsOfPlan(plan);
  say(`${trials.length} questions, rendered in ${((performance.now() - rendering) / 1000).toFixed(0)} s`);

  const [first, ...others] = found;
  const shared = others.length > 0 ? firstOf(trials, plan, options.others) : trials;
  const timing = { samples, grid: grids[0], count: options.timed };
  const levels: [LevelResult, ...LevelResult[]] = [await examine(first, { trials, shared, timing })];
  for (const candidate of others) levels.push(await examine(candidate, { trials: shared, shared, timing }));
  const content: CardContent = {
    at: new Date(),
    machine: `${machineText()}${busyText()}`,
    command: ["npm run model:eval", ...process.argv.slice(2)].join(" "),
    seed: options.seed,
    voices: { known: bank.names("known").length, new: bank.names("new").length },
    facts: await factsOf(first),
    levels,
  };
  process.stdout.write(`${tablesText(content)}\n\n`);
  write(options.out, content);
  const short = shortOf(content);
  for (const line of short) say(`short of its bar: ${line}`);
  return short.length > 0 ? 1 : 0;
}

interface Examination {
  readonly trials: readonly Trial[];
  /** Those of them that every level is asked. */
  readonly shared: readonly Trial[];
  readonly timing: { readonly samples: Samples; readonly grid: Grid; readonly count: number };
}

async function examine(candidate: Candidate, { trials, shared, timing }: Examination): Promise<LevelResult> {
  const { level } = candidate;
  const [tally, sharedTally] = [new Tally(), new Tally()];
  const isShared = new Set(shared);
  const examinee = new Examinee(candidate);
  const progress = new Progress(level.id, trials.length);
  let resident: number;
  try {
    await examinee.start();
    await examinee.sit(trials, (trial, answer) => {
      tally.add(trial, answer);
      if (isShared.has(trial)) sharedTally.add(trial, answer);
      progress.step();
    });
    resident = examinee.resident();
  } finally {
    await examinee.stop();
  }
  progress.end();
  const speeds = [await speedOf(candidate, level.threads, timing), await speedOf(candidate, 2, timing)];
  const files = [level.text, level.mmproj].map(({ file, bytes }) => ({ file, bytes }));
  return { id: level.id, files, tally, shared: sharedTally, speeds, resident };
}

function write(out: string, content: CardContent): void {
  mkdirSync(out, { recursive: true });
  const template = readFileSync(join(FOLDER, "CARD.template.md"), "utf8");
  writeFileSync(join(out, "CARD.md"), renderCard(template, content));
  writeFileSync(join(out, "results.json"), `${JSON.stringify(resultsOf(content), null, 2)}\n`);
  say(`${join(out, "CARD.md")} and results.json written`);
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      samples: { type: "string" },
      others: { type: "string" },
      quick: { type: "boolean", default: false },
      level: { type: "string" },
      weights: { type: "string" },
      "small-mmproj": { type: "string", default: "Q8_0" },
      grids: { type: "string" },
      seed: { type: "string", default: "77" },
      out: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return undefined;
  }
  const samples = whole("samples", values.samples ?? (values.quick ? "100" : "1000"));
  const others = values.quick ? 40 : Math.ceil(samples / 4);
  const { level, weights, quick } = values;
  const partly = quick || level !== undefined || weights !== undefined;
  return {
    samples,
    others: Math.min(samples, values.others === undefined ? others : whole("others", values.others)),
    timed: quick ? 40 : 150,
    seed: whole("seed", values.seed),
    smallMmproj: values["small-mmproj"],
    out: resolve(values.out ?? (partly ? join(packageRoot, "build/eval") : FOLDER)),
    ...(level !== undefined && { levels: level.split(",") }),
    ...(weights !== undefined && { weights }),
    ...(values.grids !== undefined && { grids: values.grids.split(",").map(gridOf) }),
  };
}

function whole(name: string, text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new Error(`--${name} takes a whole number above 0, not ${text}`);
  return Number(text);
}

function gridOf(text: string): Grid {
  const grid = parseGrid(text);
  if (!grid) throw new Error(`--grids takes columns x rows as 5x5, not ${text}`);
  return grid;
}

/** Times are not worth much where the machine did other things too. */
function busyText(): string {
  const [, , load = 0] = loadavg();
  return load > 2.5 ? `, busy with other work besides (load average ${load.toFixed(1)})` : "";
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

try {
  process.exitCode = await main();
} catch (error) {
  say(messageOf(error));
  process.exitCode = 1;
}
