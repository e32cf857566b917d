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

/** Times of single requests, one after the other. */
export async function speedOf(
  candidate: Candidate,
  threads: number,
  { samples, grid, count }: { samples: Samples; grid: Grid; count: number },
): Promise<Speed> {
  const examinee = new Examinee(candidate, { threads });
  try {
    await examinee.start();
    const pictures = samples.take({ media: "image", grid, voices: "known" }, count);
    const image = await timed(examinee, taskOf("image"), pictures);
    const clip = await timed(examinee, taskOf("sound"), samples.clips(CLIP, count));
    return { threads, image, clip, load: examinee.loaded };
  } finally {
    await examinee.stop();
  }
}

async function timed(examinee: Examinee, task: Task, items: readonly Item[]): Promise<Latency> {
  const times: number[] = [];
  const [question = ""] = task.seen;
  for (const item of [...items.slice(0, WARM_UP), ...items])
    times.push((await examinee.ask(item, question, schemaOf(task))).took);
  const measured = times.slice(Math.min(WARM_UP, items.length));
  return { p50: quantile(measured, 0.5), p95: quantile(measured, 0.95) };
}
