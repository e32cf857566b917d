import type { Grid } from "../../../../service/contract/grid.ts";
import type { Candidate } from "./candidates.ts";
import { Examinee } from "./examinee.ts";
import type { Item, Samples } from "./samples.ts";
import { quantile } from "./statistics.ts";
import { schemaOf, type Task, taskOf } from "./tasks.ts";

export interface Latency {
  /** Ms. */
  readonly p50: number;
  readonly p95: number;
}

export interface Speed {
  /** Threads of llama-server. */
  readonly threads: number;
  /** One picture and the five fields of its usual question. */
  readonly image: Latency;
  /** A clip of 2 s. */
  readonly clip: Latency;
  /** Ms from the start to the first answer. */
  readonly load: number;
}

const CLIP = 2 * 16_000;
const WARM_UP = 5;
/** Where other work slows it down so much, ms, fewer requests have to do. */
const LONGEST = 20_000;
const FEWEST = 20;

/** Times of single requests, one after the other. */
export async function speedOf(
  candidate: Candidate,
  threads: number,
  { samples, grid, count }: { samples: Samples; grid: Grid; count: number },
): Promise<Speed> {
  const examinee = new Examinee(candidate, { threads });
  try {
    await examinee.start();
    const pictures = await samples.take({ media: "image", grid, voices: "known" }, count);
    const image = await timed(examinee, taskOf("image"), pictures);
    const clip = await timed(examinee, taskOf("sound"), samples.clips(CLIP, count));
    return { threads, image, clip, load: examinee.loaded };
  } finally {
    await examinee.stop();
  }
}

async function timed(examinee: Examinee, task: Task, items: readonly Item[]): Promise<Latency> {
  const [question = ""] = task.seen;
  const schema = schemaOf(task);
  for (const item of items.slice(0, WARM_UP)) await examinee.ask(item, question, schema);
  const times: number[] = [];
  const begun = performance.now();
  for (const item of items) {
    times.push((await examinee.ask(item, question, schema)).took);
    if (times.length >= FEWEST && performance.now() - begun > LONGEST) break;
  }
  return { p50: quantile(times, 0.5), p95: quantile(times, 0.95) };
}
