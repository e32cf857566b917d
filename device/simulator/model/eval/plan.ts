import { type Grid, gridText } from "../../../../service/contract/grid.ts";
import { CAMERA_STATES } from "../../world.ts";
import { foreignMedia, foreignSchemas } from "./foreign.ts";
import type { Kind, Samples } from "./samples.ts";
import { TASKS, taskOf } from "./tasks.ts";
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

/** All trials, a group after the other. */
export function trialsOfPlan(plan: Plan): Trial[] {
  return [
    ...plan.grids.flatMap((grid) => pictureTrials(plan, grid)),
    ...cameraTrials(plan),
    ...frameTrials(plan),
    ...soundTrials(plan, "known"),
    ...soundTrials(plan, "new"),
    ...bothTrials(plan),
    ...descriptionTrials(plan),
    ...wordingTrials(plan),
    ...watchTrials(plan),
    ...foreignSchemas(plan.samples.take(imageKind(plan.grids[0]), sizeOf(plan, "foreign"))),
    ...foreignMedia(sizeOf(plan, "foreign"), plan.grids[0]),
  ];
}

/** The trials that a level is asked which is asked `count` where the plan has more. */
export const firstOf = (trials: readonly Trial[], { count }: Pick<Plan, "count">, fewer: number): Trial[] => {
  const most = new Map<string, number>();
  for (const { group, rank } of trials) most.set(group, Math.max(most.get(group) ?? 0, rank + 1));
  return trials.filter(({ group, rank }) => rank < Math.ceil(((most.get(group) ?? 0) * fewer) / count));
};

const sizeOf = ({ count }: Plan, share: keyof typeof SHARE): number => Math.ceil(count * SHARE[share]);

const imageKind = (grid: Grid): Kind => ({ media: "image", grid, voices: "known" });

function pictureTrials(plan: Plan, grid: Grid): Trial[] {
  const { samples } = plan;
  const kind = imageKind(grid);
  const group = `image ${gridText(grid)}`;
  const image = taskOf("image");
  const all = trialsOf(samples.take(kind, sizeOf(plan, "image")), {
    group,
    task: image,
    question: turns(image.seen),
  });
  const details = ["people", "belt", "desk"].map(taskOf).flatMap((task) => {
    // Only what a task alone asks: person and people are counted where the whole picture is asked.
    const own = task.fields.find((field) => !image.fields.includes(field)) ?? "";
    const items = samples.where(kind, sizeOf(plan, "details"), (truth) => truth[own] !== undefined);
    return trialsOf(items, { group: `${group} details`, task, question: turns(task.seen) }).map((trial) => ({
      ...trial,
      counted: { [own]: own },
    }));
  });
  return [...all, ...details];
}

/** As many samples of each state of the camera. */
function cameraTrials(plan: Plan): Trial[] {
  const task = taskOf("camera");
  const each = Math.ceil(sizeOf(plan, "camera") / CAMERA_STATES.length);
  const items = CAMERA_STATES.map((state, index) =>
    plan.samples.where(
      imageKind(plan.grids[index % plan.grids.length] ?? plan.grids[0]),
      each,
      (truth) => truth.camera === state,
    ),
  );
  // State by state in turn, so that the first ones hold all of them.
  const mixed = Array.from({ length: each }, (_, i) => items.flatMap((list) => list.slice(i, i + 1))).flat();
  return trialsOf(mixed, { group: "camera", task, question: turns(task.seen) });
}

function frameTrials(plan: Plan): Trial[] {
  const task = taskOf("frames");
  const items = alternating(plan, { media: "frames", voices: "known" }, sizeOf(plan, "frames"));
  return trialsOf(items, { group: "frames", task, question: turns(task.seen) });
}

function soundTrials(plan: Plan, voices: "known" | "new"): Trial[] {
  const task = taskOf("sound");
  const kind = { media: "sound", grid: plan.grids[0], voices } as const;
  const items = plan.samples.take(kind, sizeOf(plan, "sound"));
  return trialsOf(items, { group: `sound ${voices}`, task, question: turns(task.seen) });
}

function bothTrials(plan: Plan): Trial[] {
  const task = taskOf("both");
  const items = alternating(plan, { media: "both", voices: "known" }, sizeOf(plan, "both"));
  return trialsOf(items, { group: "both", task, question: turns(task.seen) });
}

/** The tasks whose answer is one text that describes all. */
function descriptionTrials(plan: Plan): Trial[] {
  return TASKS.filter(({ fields }) => fields.includes("description")).flatMap((task) => {
    const items = alternating(plan, { media: task.media, voices: "known" }, sizeOf(plan, "description"));
    return trialsOf(items, { group: `description ${task.media}`, task, question: turns(task.seen) });
  });
}

/** The same samples with a wording that the model was trained with and with each that it was not. */
function wordingTrials(plan: Plan): Trial[] {
  return TASKS.flatMap((task) => {
    const kind = { media: task.media, grid: plan.grids[0], voices: "known" } as const;
    const asked = ({ fields }: typeof task) => fields.filter((field) => field !== "person");
    const items = plan.samples.where(kind, sizeOf(plan, "wording"), (truth) =>
      asked(task).some((field) => truth[field] !== undefined),
    );
    const seen = trialsOf(items, { group: `seen ${task.id}`, task, question: turns(task.seen) });
    const unseen = task.unseen.flatMap((question) =>
      trialsOf(items, { group: `unseen ${task.id}: ${question}`, task, question }),
    );
    return [...seen, ...unseen];
  });
}

function watchTrials(plan: Plan): Trial[] {
  return plan.watches.flatMap(({ name, task, question, schema }) => {
    const kind = { media: task.media, grid: plan.grids[0], voices: "known" } as const;
    // What it asks beside presence has to be there to be asked: a belt, a desk.
    const items = plan.samples.where(kind, sizeOf(plan, "watch"), (truth) =>
      task.fields.every((field) => field === "person" || truth[field] !== undefined),
    );
    return trialsOf(items, { group: `watch ${name}`, task, question, schema });
  });
}

/** The first samples of each grid in turn. */
function alternating(plan: Plan, kind: Omit<Kind, "grid">, count: number) {
  const { grids, samples } = plan;
  const lists = grids.map((grid) => samples.take({ ...kind, grid }, Math.ceil(count / grids.length)));
  return Array.from({ length: count }, (_, i) => {
    const list = lists[i % lists.length] ?? [];
    return list.slice(Math.floor(i / lists.length)).slice(0, 1);
  }).flat();
}
