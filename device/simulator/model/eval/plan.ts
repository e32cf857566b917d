import { type Grid, gridText } from "../../../../service/contract/grid.ts";
import { CAMERA_STATES } from "../../world.ts";
import type { Media } from "../train/sample.ts";
import { foreignMedia, foreignSchemas } from "./foreign.ts";
import type { Item, Kind, Samples } from "./samples.ts";
import { TASKS, type Task, taskOf } from "./tasks.ts";
import { type Trial, trialsOf, turns } from "./trial.ts";
import type { Watch } from "./watches.ts";

/** What is asked of each level: `count` samples of the main groups, shares of it of the others. */
export interface Plan {
  readonly count: number;
  readonly grids: readonly [Grid, ...Grid[]];
  readonly samples: Samples;
  /** Questions of the shipped configurations. */
  readonly watches: readonly Watch[];
}

/** How much of `count` each group is asked. */
const SHARE = {
  image: 1,
  /** Of the tasks beside `image` that ask about one picture. */
  details: 0.25,
  camera: 0.5,
  frames: 0.5,
  sound: 1,
  both: 1,
  description: 0.2,
  /** A wording of a task. */
  wording: 0.06,
  watch: 0.1,
  foreign: 0.2,
} as const;

/** All trials, a group after the other. Rendering their samples takes half a minute for a count of 1000. */
export async function trialsOfPlan(plan: Plan): Promise<Trial[]> {
  const trials: Trial[] = [];
  for await (const trial of groups(plan)) trials.push(trial);
  return trials;
}

async function* groups(plan: Plan): AsyncGenerator<Trial> {
  for (const grid of plan.grids) yield* pictureTrials(plan, grid);
  yield* cameraTrials(plan);
  yield* taskTrials(plan, "frames");
  yield* soundTrials(plan, "known");
  yield* soundTrials(plan, "new");
  yield* taskTrials(plan, "both");
  yield* descriptionTrials(plan);
  yield* wordingTrials(plan);
  yield* watchTrials(plan);
  const foreign = sizeOf(plan, "foreign");
  yield* foreignSchemas(await plan.samples.take(imageKind(plan.grids[0]), foreign));
  yield* foreignMedia(foreign, plan.grids[0]);
}

/** The trials that a level is asked which is asked `count` where the plan has more. */
export const firstOf = (trials: readonly Trial[], { count }: Pick<Plan, "count">, fewer: number): Trial[] => {
  const most = new Map<string, number>();
  for (const { group, rank } of trials) most.set(group, Math.max(most.get(group) ?? 0, rank + 1));
  return trials.filter(({ group, rank }) => rank < Math.ceil(((most.get(group) ?? 0) * fewer) / count));
};

const sizeOf = ({ count }: Plan, share: keyof typeof SHARE): number => Math.ceil(count * SHARE[share]);

const imageKind = (grid: Grid): Kind => ({ media: "image", grid, voices: "known" });

async function* pictureTrials(plan: Plan, grid: Grid): AsyncGenerator<Trial> {
  const { samples } = plan;
  const kind = imageKind(grid);
  const group = `image ${gridText(grid)}`;
  const image = taskOf("image");
  const all = await samples.take(kind, sizeOf(plan, "image"));
  yield* trialsOf(all, { group, task: image, question: turns(image.seen) });
  for (const task of ["people", "belt", "desk"].map(taskOf)) {
    // Only what a task alone asks: person and people are counted where the whole picture is asked.
    const own = task.fields.find((field) => !image.fields.includes(field)) ?? "";
    const items = await samples.where(kind, sizeOf(plan, "details"), (truth) => truth[own] !== undefined);
    const trials = trialsOf(items, { group: `${group} details`, task, question: turns(task.seen) });
    for (const trial of trials) yield { ...trial, counted: { [own]: own } };
  }
}

/** As many samples of each state of the camera, state by state in turn, so that the first ones hold all of them. */
async function* cameraTrials(plan: Plan): AsyncGenerator<Trial> {
  const task = taskOf("camera");
  const each = Math.ceil(sizeOf(plan, "camera") / CAMERA_STATES.length / plan.grids.length);
  const lists: (readonly Item[])[] = [];
  for (const grid of plan.grids)
    for (const state of CAMERA_STATES)
      lists.push(await plan.samples.where(imageKind(grid), each, ({ camera }) => camera === state));
  yield* trialsOf(inTurn(lists), { group: "camera", task, question: turns(task.seen) });
}

/** A task that is measured as a whole, on all grids in turn. */
async function* taskTrials(plan: Plan, id: "frames" | "both"): AsyncGenerator<Trial> {
  const task = taskOf(id);
  const items = await onAllGrids(plan, task.media, sizeOf(plan, id));
  yield* trialsOf(items, { group: id, task, question: turns(task.seen) });
}

async function* soundTrials(plan: Plan, voices: "known" | "new"): AsyncGenerator<Trial> {
  const task = taskOf("sound");
  const items = await plan.samples.take(
    { media: "sound", grid: plan.grids[0], voices },
    sizeOf(plan, "sound"),
  );
  yield* trialsOf(items, { group: `sound ${voices}`, task, question: turns(task.seen) });
}

/** The tasks whose answer is one text that describes all. */
async function* descriptionTrials(plan: Plan): AsyncGenerator<Trial> {
  for (const task of TASKS.filter(({ fields }) => fields.includes("description"))) {
    const items = await onAllGrids(plan, task.media, sizeOf(plan, "description"));
    yield* trialsOf(items, { group: `description ${task.media}`, task, question: turns(task.seen) });
  }
}

/** The same samples with wordings that the model was trained with and with each that it was not. */
async function* wordingTrials(plan: Plan): AsyncGenerator<Trial> {
  for (const task of TASKS) {
    const items = await answerable(plan, task, sizeOf(plan, "wording"));
    yield* trialsOf(items, { group: `seen ${task.id}`, task, question: turns(task.seen) });
    for (const question of task.unseen)
      yield* trialsOf(items, { group: `unseen ${task.id}: ${question}`, task, question });
  }
}

async function* watchTrials(plan: Plan): AsyncGenerator<Trial> {
  for (const { name, task, question, schema } of plan.watches) {
    const items = await answerable(plan, task, sizeOf(plan, "watch"));
    yield* trialsOf(items, { group: `watch ${name}`, task, question, schema });
  }
}

/** Samples in which there is what a task asks: a belt, a desk; of a broken camera only its state can be asked. */
function answerable(plan: Plan, { media, fields }: Task, count: number): Promise<readonly Item[]> {
  const kind = { media, grid: plan.grids[0], voices: "known" } as const;
  const wanted = fields.length > 1 ? fields.filter((field) => field !== "person") : fields;
  return plan.samples.where(kind, count, (truth) => wanted.every((field) => truth[field] !== undefined));
}

async function onAllGrids(plan: Plan, media: Media, count: number): Promise<Item[]> {
  const each = Math.ceil(count / plan.grids.length);
  const lists: (readonly Item[])[] = [];
  for (const grid of plan.grids) lists.push(await plan.samples.take({ media, grid, voices: "known" }, each));
  return inTurn(lists).slice(0, count);
}

/** One of each list, then the next of each; the lists are equally long. */
const inTurn = <T>(lists: readonly (readonly T[])[]): T[] =>
  (lists[0] ?? []).flatMap((_, i) => lists.flatMap((list) => list.slice(i, i + 1)));
